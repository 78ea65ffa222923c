#include "python_location.h"

#include "built_with.h"

#include <filesystem>
#include <fstream>

namespace nnpal {
namespace {

namespace fs = std::filesystem;

std::string built_version()
{
  const std::string marked(kBuiltPython);
  return marked.substr(marked.find('=') + 1);
}

// The prefix of the environment that contains a package's folder, or "". Like site.py, it does not resolve
// links.
fs::path environment_of(const std::string &plugin_folder)
{
  const fs::path package = fs::path(plugin_folder).lexically_normal().parent_path();
  const fs::path packages = package.parent_path(), python = packages.parent_path(),
                 lib = python.parent_path();
  const bool is_installed =
      package.filename() == "nnpal" && python.filename() == "python" + built_version() &&
      (packages.filename() == "site-packages" || packages.filename() == "dist-packages") &&
      (lib.filename() == "lib" || lib.filename() == "lib64");
  return is_installed ? lib.parent_path() : fs::path();
}

// The folder of the Python that a virtual environment was made with: `home` in pyvenv.cfg; or the
// environment's own
fs::path home_of(const fs::path &environment)
{
  std::ifstream config(environment / "pyvenv.cfg");
  std::string line;
  while (std::getline(config, line)) {
    const auto equals = line.find('=');
    if (line.rfind("home", 0) != 0 || equals == std::string::npos) continue;
    const auto first = line.find_first_not_of(" \t", equals + 1);
    if (first != std::string::npos) return fs::path(line.substr(first)).parent_path();
  }
  return environment;
}

bool is_file(const fs::path &path)
{
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}    // namespace

std::string python_executable(const std::string &plugin_folder)
{
  const fs::path environment = environment_of(plugin_folder);
  if (!environment.empty())
    for (const std::string &name : {"python" + built_version(), std::string("python3")})
      if (is_file(environment / "bin" / name)) return (environment / "bin" / name).string();
  return kPythonExecutable;
}

std::vector<std::string> python_libraries(const std::string &plugin_folder)
{
  const std::string name = "libpython" + built_version() + ".so.1.0", built = kPythonLibrary;
  std::vector<std::string> found;
  const fs::path environment = environment_of(plugin_folder);
  if (!environment.empty()) {
    const fs::path library = home_of(environment) / "lib" / name;
    if (is_file(library)) found.push_back(library.string());
  }
  if (built == "NONE") return found;
  found.push_back(built);
  if (!environment.empty()) found.push_back(name);    // Debian installs it in the linker's path
  return found;
}

}    // namespace nnpal
