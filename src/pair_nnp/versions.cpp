#include "versions.h"

#include "build_info.h"

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

std::string version_mismatch(int running_lammps, const std::string &plugin_folder)
{
  const std::string built_lammps = after_equals(kBuiltLammps);
  if (built_lammps != std::to_string(running_lammps))
    return "this plugin was built for LAMMPS " + built_lammps + " but runs in LAMMPS " +
           std::to_string(running_lammps) + "; " + kCure;

  // The order in which the dynamic linker searches: beside the package first, then the build's place.
  const std::string built_torch = after_equals(kBuiltTorch);
  for (const std::string &folder : {plugin_folder + "/../../torch", std::string(kTorchDir)}) {
    const std::string found = torch_version_in(folder);
    if (found.empty()) continue;
    if (found == built_torch) return "";
    return "this plugin was built with torch " + built_torch + " but finds torch " + found + " in " + folder +
           "; " + kCure;
  }
  return "this plugin was built with torch " + built_torch + " but finds no torch in " + plugin_folder +
         "/../../torch or " + kTorchDir +
         "; install it (pip install torch==" + built_torch.substr(0, built_torch.find('+')) + ") or " + kCure;
}

}    // namespace nnpal
