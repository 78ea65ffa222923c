// The plugin file that LAMMPS loads: it registers `fix python/hook`. It does not link libpython: under `lmp`
// it opens that of the environment in which nnpal was built, and if Python runs LAMMPS it uses that Python.
#include "lammps_plugin_api.h"
#include "plugin_entry.h"
#include "python_location.h"
#include "versions.h"

#include <algorithm>
#include <dlfcn.h>
#include <string>

namespace {

constexpr char kWithoutSharedPython[] = "nnpal lmp -in in.file";

// Load Python's symbols into this process. Returns the reason of a failure, or "".
std::string find_python(const std::string &folder)
{
  if (!dlsym(RTLD_DEFAULT, "Py_IsInitialized")) {
    const auto libraries = nnpal::python_libraries(folder);
    if (libraries.empty())
      return std::string(
                 "the Python that nnpal was built with has no shared library, so lmp cannot hold it; run "
                 "LAMMPS from Python instead: ") +
             kWithoutSharedPython;
    // Global, because NumPy and other extension modules look up Python's symbols there
    std::string reason;
    const bool is_open =
        std::any_of(libraries.begin(), libraries.end(), [&reason](const std::string &library) {
          if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)) return true;
          if (reason.empty()) reason = dlerror();
          return false;
        });
    if (!is_open)
      return "cannot load Python: " + reason +
             "; run: nnpal doctor, or run LAMMPS from Python: " + kWithoutSharedPython;
  }
  auto *get_version = reinterpret_cast<const char *(*)()>(dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  return get_version ? nnpal::python_mismatch(get_version()) : "this Python has no Py_GetVersion";
}

constexpr nnpal::PluginStyle kStyle{"fix",
                                    "python/hook",
                                    "fix python/hook",
                                    "fix python/hook: Python classes inside the MD loop (nnpal)",
                                    "libnnpal_hook.so",
                                    "nnpal_create_fix_python_hook",
                                    &find_python};

void *create_fix_python_hook(void *lammps, int narg, char **arg)
{
  void *creator =
      nnpal::load_creator(kStyle, lammps, reinterpret_cast<const void *>(&create_fix_python_hook));
  return reinterpret_cast<nnpal::FixCreator *>(creator)(lammps, narg, arg);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lammps, void *handle,
                                                                         void *register_function)
{
  nnpal::register_style(kStyle, &create_fix_python_hook, lammps, handle, register_function);
}
