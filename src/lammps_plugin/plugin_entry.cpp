#include "plugin_entry.h"

#include "lammps_plugin_api.h"
#include "versions.h"

#include "error.h"
#include "lammps.h"

#include <dlfcn.h>

namespace nnpal {
namespace {

using LAMMPS_NS::LAMMPS;

lammpsplugin_t described(const PluginStyle &style, const LAMMPS &lammps, void *handle)
{
  lammpsplugin_t plugin;
  plugin.version = lammps.version;
  plugin.style = style.kind;
  plugin.name = style.name;
  plugin.info = style.info;
  plugin.author = "the nnpal developers";
  plugin.handle = handle;
  return plugin;
}

}    // namespace

void register_style(const PluginStyle &style, PairCreator *create, void *lammps, void *handle,
                    void *register_function)
{
  lammpsplugin_t plugin = described(style, *static_cast<LAMMPS *>(lammps), handle);
  plugin.creator.v1 = create;
  reinterpret_cast<lammpsplugin_regfunc *>(register_function)(&plugin, lammps);
}

void register_style(const PluginStyle &style, FixCreator *create, void *lammps, void *handle,
                    void *register_function)
{
  lammpsplugin_t plugin = described(style, *static_cast<LAMMPS *>(lammps), handle);
  plugin.creator.v2 = create;
  reinterpret_cast<lammpsplugin_regfunc *>(register_function)(&plugin, lammps);
}

void *load_creator(const PluginStyle &style, void *lammps, const void *own)
{
  auto *lmp = static_cast<LAMMPS *>(lammps);
  const std::string folder = folder_of(own);
  std::string complaint = lammps_mismatch(lmp->num_ver);
  if (complaint.empty()) complaint = mpi_mismatch();
  if (complaint.empty()) complaint = integer_mismatch();
  if (complaint.empty()) complaint = style.find_runtime(folder);
  if (!complaint.empty()) lmp->error->all(FLERR, "{}: {}", style.command, complaint);

  const std::string library = folder + "/" + style.library;
  void *loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void *creator = loaded ? dlsym(loaded, style.creator) : nullptr;
  if (!creator)
    lmp->error->all(FLERR, "{}: cannot load {}: {}; run: nnpal doctor", style.command, library, dlerror());
  return creator;
}

}    // namespace nnpal
