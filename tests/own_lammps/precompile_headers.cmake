# Precompile the headers that most of LAMMPS's 500 files include: they take two thirds of the compile time.
set(lammps_headers atom comm compute domain error fix force group memory modify neighbor neigh_list pair update variable)
list(TRANSFORM lammps_headers REPLACE "(.+)" "${CMAKE_CURRENT_SOURCE_DIR}/../src/\\1.h")
cmake_language(DEFER CALL target_precompile_headers lammps PRIVATE ${lammps_headers} <cmath> <cstring> <map> <string> <vector>)
