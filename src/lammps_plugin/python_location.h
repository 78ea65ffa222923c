// Where the Python is that holds nnpal: of a wheel this is known only where it was installed.
#pragma once

#include <string>
#include <vector>

namespace nnpal {

// The interpreter of the environment that `plugin_folder` (lib/pythonX.Y/site-packages/nnpal/_plugins) is
// installed in; for any other folder the one that nnpal was built with.
std::string python_executable(const std::string &plugin_folder);

// The shared libpython of that interpreter, the likeliest first; a name without a folder is for the dynamic
// linker to find. Empty where none is known and the Python that nnpal was built with has none.
std::vector<std::string> python_libraries(const std::string &plugin_folder);

}    // namespace nnpal
