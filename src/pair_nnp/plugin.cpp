// The plugin file that LAMMPS loads: it registers `pair_style nnp` and links nothing else.
#include "lammps_plugin_api.h"
#include "plugin_entry.h"

namespace {

constexpr nnpal::PluginStyle kStyle{"pair",
                                    "nnp",
                                    "pair_style nnp",
                                    "pair_style nnp: neural network potentials with uncertainty (nnpal)",
                                    "libnnpal_pair.so",
                                    "nnpal_create_pair",
                                    [](const std::string &) { return std::string(); }};

void *create_pair_nnp(void *lammps)
{
  // Not the address of lammpsplugin_init: every plugin file exports that name, and the first one loaded would
  // be found.
  void *creator = nnpal::load_creator(kStyle, lammps, reinterpret_cast<const void *>(&create_pair_nnp));
  return reinterpret_cast<nnpal::PairCreator *>(creator)(lammps);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lammps, void *handle,
                                                                         void *register_function)
{
  nnpal::register_style(kStyle, &create_pair_nnp, lammps, handle, register_function);
}
