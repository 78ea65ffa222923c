// The entry of a plugin file. It registers one style; when a script first uses the style, it compares
// versions and opens the library that contains it. A torch, Python or LAMMPS that changed since the build
// thus causes a clear message instead of a linker error.
#pragma once

#include <string>

namespace nnpal {

struct PluginStyle {
  const char *kind;       // "pair" or "fix"
  const char *name;       // as input scripts write it
  const char *command;    // beginning of messages, "pair_style nnp"
  const char *info;       // one line, printed at load
  const char *library;    // file in the plugin file's folder
  const char *creator;    // function that the library exports, with the arguments of LAMMPS's creators
  // Checks or opens the libraries that the library links to. Takes the plugin file's folder; returns a
  // complaint for the user, or "".
  std::string (*find_runtime)(const std::string &folder);
};

using PairCreator = void *(void *lammps);
using FixCreator = void *(void *lammps, int narg, char **arg);

// Register a style; the last three arguments are those of lammpsplugin_init.
void register_style(const PluginStyle &, PairCreator *create, void *lammps, void *handle,
                    void *register_function);
void register_style(const PluginStyle &, FixCreator *create, void *lammps, void *handle,
                    void *register_function);

// The library's creator, PairCreator or FixCreator by the style's kind. `own` is the address of a function of
// the plugin file that no other file exports. Calls LAMMPS's error->all if anything is wrong.
void *load_creator(const PluginStyle &, void *lammps, const void *own);

}    // namespace nnpal
