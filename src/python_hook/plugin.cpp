// The plugin file that LAMMPS loads: it registers `fix python/hook`. It does not link libpython: under `lmp`
// it opens the one of the environment that nnpal was built in, and where Python runs LAMMPS it takes that
// Python.
#include "built_with.h"
#include "lammps_plugin_api.h"
#include "versions.h"

#include "error.h"
#include "lammps.h"

#include <dlfcn.h>
#include <string>

namespace {

constexpr char kWithoutSharedPython[] = "nnpal lmp -in in.file";

// Make Python's symbols known to this process. Returns why that failed, or "".
std::string find_python()
{
  if (!dlsym(RTLD_DEFAULT, "Py_IsInitialized")) {
    const std::string library = nnpal::kPythonLibrary;
    if (library == "NONE")
      return std::string(
                 "the Python that nnpal was built with has no shared library, so lmp cannot hold it; run "
                 "LAMMPS from Python instead: ") +
             kWithoutSharedPython;
    // Global, for NumPy and other extension modules look for Python's symbols there
    if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL))
      return std::string("cannot load Python: ") + dlerror() +
             "; run: nnpal doctor, or run LAMMPS from Python: " + kWithoutSharedPython;
  }
  auto *get_version = reinterpret_cast<const char *(*)()>(dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  return get_version ? nnpal::python_mismatch(get_version()) : "this Python has no Py_GetVersion";
}

void *create_fix_python_hook(void *handle, int narg, char **arg)
{
  auto *lmp = static_cast<LAMMPS_NS::LAMMPS *>(handle);
  std::string trouble = nnpal::lammps_mismatch(lmp->num_ver);
  if (trouble.empty()) trouble = find_python();
  if (!trouble.empty()) lmp->error->all(FLERR, "fix python/hook: {}", trouble);

  const std::string library =
      nnpal::folder_of(reinterpret_cast<const void *>(&create_fix_python_hook)) + "/libnnpal_hook.so";
  void *loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void *creator = loaded ? dlsym(loaded, "nnpal_create_fix_python_hook") : nullptr;
  if (!creator)
    lmp->error->all(FLERR, "fix python/hook: cannot load {}: {}; run: nnpal doctor", library, dlerror());
  return reinterpret_cast<void *(*)(void *, int, char **)>(creator)(handle, narg, arg);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lammps, void *handle,
                                                                         void *register_function)
{
  lammpsplugin_t plugin;
  plugin.version = static_cast<LAMMPS_NS::LAMMPS *>(lammps)->version;
  plugin.style = "fix";
  plugin.name = "python/hook";
  plugin.info = "fix python/hook: Python classes inside the MD loop (nnpal)";
  plugin.author = "the nnpal developers";
  plugin.creator.v2 = &create_fix_python_hook;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc *>(register_function)(&plugin, lammps);
}
