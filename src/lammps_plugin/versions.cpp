#include "versions.h"

#include "built_with.h"

#include <dlfcn.h>
#include <fstream>
#include <initializer_list>

namespace nnpal {
namespace {

constexpr char kCure[] = "rebuild nnpal in this environment, in its source folder: "
                         "pip install --no-build-isolation --force-reinstall --no-deps .";

std::string after_equals(const char *marked)
{
  const std::string text(marked);
  return text.substr(text.find('=') + 1);
}

// The version that a torch package (version.py) or a libtorch download (build-version) states, else "".
std::string torch_version_in(const std::string &folder)
{
  std::ifstream libtorch(folder + "/build-version");
  std::string line;
  if (std::getline(libtorch, line)) return line;
  std::ifstream package(folder + "/version.py");
  while (std::getline(package, line)) {
    if (line.rfind("__version__", 0) != 0) continue;
    const auto open = line.find('\'');
    const auto close = line.find('\'', open + 1);
    if (close != std::string::npos) return line.substr(open + 1, close - open - 1);
  }
  return "";
}

}    // namespace

std::string lammps_mismatch(int running_lammps)
{
  const std::string built = after_equals(kBuiltLammps);
  if (built == std::to_string(running_lammps)) return "";
  return "this plugin was built for LAMMPS " + built + " but runs in LAMMPS " +
         std::to_string(running_lammps) + "; " + kCure;
}

std::string torch_mismatch(const std::string &plugin_folder)
{
  // The order in which the dynamic linker searches: beside the package first, then the build's place.
  const std::string built = after_equals(kBuiltTorch);
  for (const std::string &folder : {plugin_folder + "/../../torch", std::string(kTorchDir)}) {
    const std::string found = torch_version_in(folder);
    if (found.empty()) continue;
    if (found == built) return "";
    return "this plugin was built with torch " + built + " but finds torch " + found + " in " + folder +
           "; " + kCure;
  }
  return "this plugin was built with torch " + built + " but finds no torch in " + plugin_folder +
         "/../../torch or " + kTorchDir +
         "; install it (pip install torch==" + built.substr(0, built.find('+')) + ") or " + kCure;
}

std::string python_mismatch(const std::string &running_python)
{
  const std::string built = after_equals(kBuiltPython);
  if (running_python.rfind(built + ".", 0) == 0) return "";
  return "this plugin was built with Python " + built + " but runs in Python " +
         running_python.substr(0, running_python.find(' ')) + "; " + kCure;
}

std::string folder_of(const void *address)
{
  Dl_info info;
  if (!dladdr(address, &info) || !info.dli_fname) return ".";
  const std::string path(info.dli_fname);
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}    // namespace nnpal
