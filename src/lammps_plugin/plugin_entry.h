// The entry of a plugin file. It registers one style, and when a script first names that style it compares
// versions and opens the library that holds it: so that a torch, Python or LAMMPS that changed since the
// build is answered by a sentence and not by a linker.
#pragma once

#include <string>

namespace nnpal {

struct PluginStyle {
  const char *kind;       // "pair" or "fix"
  const char *name;       // as input scripts write it
  const char *command;    // what messages begin with, "pair_style nnp"
  const char *info;       // one line, printed at load
  const char *library;    // file in the plugin file's folder
  const char *creator;    // what the library exports: a function with the arguments of LAMMPS's creators
  // Checks, or opens, what the library links. Gets the plugin file's folder; returns a complaint for the
  // user, or "".
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
// the plugin file that no other file exports. Ends in LAMMPS's error->all where anything is amiss.
void *load_creator(const PluginStyle &, void *lammps, const void *own);

}    // namespace nnpal
