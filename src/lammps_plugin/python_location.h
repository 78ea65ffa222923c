// Find the Python in which nnpal is installed; for a wheel this is known only after its installation.
#pragma once

#include <string>
#include <vector>

namespace nnpal {

// The interpreter of the environment that `plugin_folder` (lib/pythonX.Y/site-packages/nnpal/_plugins) is
// installed in; for any other folder the one that nnpal was built with.
std::string python_executable(const std::string &plugin_folder);

// Candidates for the shared libpython of that interpreter, the likeliest first; the dynamic linker finds a
// name without a folder. Empty if none is known and the Python that nnpal was built with has none.
std::vector<std::string> python_libraries(const std::string &plugin_folder);

}    // namespace nnpal
