# Make the target nnpal::pybind11 (headers of Python and pybind11; nothing is linked, because the process that loads the
# result already has Python's symbols) and the variables NNPAL_PYTHON_EXECUTABLE, NNPAL_PYTHON_VERSION (3.11),
# NNPAL_PYTHON_LIBRARY (the shared libpython, or NONE) and NNPAL_PYTHON_MODULE_SUFFIX.

execute_process(COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/python_facts.py
  OUTPUT_VARIABLE nnpal_python_facts OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(GET nnpal_python_facts 0 NNPAL_PYTHON_EXECUTABLE)
list(GET nnpal_python_facts 1 NNPAL_PYTHON_VERSION)
list(GET nnpal_python_facts 2 nnpal_python_include)
list(GET nnpal_python_facts 3 NNPAL_PYTHON_LIBRARY)
list(GET nnpal_python_facts 4 NNPAL_PYTHON_MODULE_SUFFIX)
list(GET nnpal_python_facts 5 nnpal_pybind11_include)

if(nnpal_pybind11_include STREQUAL "NONE")
  message(FATAL_ERROR "nnpal: ${Python_EXECUTABLE} has no pybind11; run: ${NNPAL_CURE}")
endif()
if(NOT EXISTS ${nnpal_python_include}/Python.h)
  message(FATAL_ERROR "nnpal: no Python.h in ${nnpal_python_include}; install Python's headers (Debian: apt install python3-dev)")
endif()
add_library(nnpal::pybind11 INTERFACE IMPORTED)
target_include_directories(nnpal::pybind11 SYSTEM INTERFACE ${nnpal_python_include} ${nnpal_pybind11_include})

message(STATUS "nnpal: Python ${NNPAL_PYTHON_VERSION}, shared library: ${NNPAL_PYTHON_LIBRARY}")
