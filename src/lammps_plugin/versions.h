// Compare the versions that the plugins were built against with those at run time, before anything else is
// loaded.
#pragma once

#include <string>

namespace nnpal {

// Each returns "" when the versions agree, else one sentence that names both and the command that fixes it.
std::string lammps_mismatch(int running_lammps);    // LAMMPS's date as YYYYMMDD
std::string mpi_mismatch();                         // Open MPI and MPICH share only names
std::string integer_mismatch();                     // LAMMPS's sizes of atom IDs and of step numbers
std::string torch_mismatch(const std::string &plugin_folder);
std::string python_mismatch(const std::string &running_python);    // "3.11.7 ..."

// The folder of the plugin file that contains `address`, a function of that file which no other file exports.
std::string folder_of(const void *address);

}    // namespace nnpal
