// Compare what the plugin was built against with what it finds at run time, before libtorch is loaded.
#pragma once

#include <string>

namespace nnpal {

// Return "" when the running LAMMPS (date as YYYYMMDD) and the torch beside `plugin_folder` are those of
// the build, else one sentence that names both versions and the command that mends it.
std::string version_mismatch(int running_lammps, const std::string &plugin_folder);

}    // namespace nnpal
