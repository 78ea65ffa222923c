// The plugin file that LAMMPS loads: it registers `pair_style nnp` and links neither torch nor anything else,
// so that a torch or LAMMPS that changed since the build is answered by a sentence and not by a linker.
#include "lammps_plugin_api.h"
#include "versions.h"

#include "error.h"
#include "lammps.h"

#include <dlfcn.h>
#include <string>

namespace {

void *create_pair_nnp(void *handle)
{
  auto *lmp = static_cast<LAMMPS_NS::LAMMPS *>(handle);
  // Not the address of lammpsplugin_init: every plugin file exports that name, and the first one loaded
  // answers.
  const std::string folder = nnpal::folder_of(reinterpret_cast<const void *>(&create_pair_nnp));
  std::string mismatch = nnpal::lammps_mismatch(lmp->num_ver);
  if (mismatch.empty()) mismatch = nnpal::torch_mismatch(folder);
  if (!mismatch.empty()) lmp->error->all(FLERR, "pair_style nnp: {}", mismatch);

  const std::string library = folder + "/libnnpal_pair.so";
  void *loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void *creator = loaded ? dlsym(loaded, "nnpal_create_pair") : nullptr;
  if (!creator)
    lmp->error->all(FLERR, "pair_style nnp: cannot load {}: {}; run: nnpal doctor", library, dlerror());
  return reinterpret_cast<void *(*)(void *)>(creator)(handle);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lammps, void *handle,
                                                                         void *register_function)
{
  lammpsplugin_t plugin;
  plugin.version = static_cast<LAMMPS_NS::LAMMPS *>(lammps)->version;
  plugin.style = "pair";
  plugin.name = "nnp";
  plugin.info = "pair_style nnp: neural network potentials with uncertainty (nnpal)";
  plugin.author = "the nnpal developers";
  plugin.creator.v1 = &create_pair_nnp;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc *>(register_function)(&plugin, lammps);
}
