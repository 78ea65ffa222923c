# nnpal_mark_sources(TARGET ...): put the text NNPAL_SOURCES=HASH into each library, the hash of all sources and build
# settings, which identifies equal builds independently of folder and linker. The hash is recomputed at every build.
function(nnpal_mark_sources)
  set(settings ${CMAKE_BINARY_DIR}/sources_settings.txt)
  set(marker ${CMAKE_BINARY_DIR}/sources_marker.cpp)
  # Debian and conda put paths into these flags, which do not affect the result
  string(REGEX REPLACE "-f[a-z]+-prefix-map=[^ ]*" "" flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${NNPAL_BUILD_TYPE}}")
  file(CONFIGURE OUTPUT ${settings} @ONLY CONTENT
"compiler @CMAKE_CXX_COMPILER_ID@ @CMAKE_CXX_COMPILER_VERSION@ @flags@
build type @CMAKE_BUILD_TYPE@ for @CMAKE_SYSTEM_NAME@ @CMAKE_SYSTEM_PROCESSOR@
CUDA @NNPAL_CUDA_VERSION@ @NNPAL_CUDA_ARCHITECTURES@
torch @NNPAL_TORCH_VERSION@, LAMMPS @NNPAL_LAMMPS_VERSION@, Python @NNPAL_PYTHON_VERSION@
")
  add_custom_target(nnpal_hash_sources
    COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} -DSETTINGS=${settings} -DMARKER=${marker}
      -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/hash_sources.cmake
    BYPRODUCTS ${marker} VERBATIM)
  add_library(nnpal_sources_marker OBJECT ${marker})
  add_dependencies(nnpal_sources_marker nnpal_hash_sources)
  foreach(target ${ARGN})
    target_link_libraries(${target} PRIVATE nnpal_sources_marker)
  endforeach()
endfunction()
