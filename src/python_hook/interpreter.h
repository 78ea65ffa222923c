// The Python interpreter of this process: started here under `lmp`, found running under Python.
#pragma once

#include <string>

namespace nnpal {

// Start Python unless it runs already. Its lock (GIL) is left free, unless LAMMPS ends Python, as one with
// its package PYTHON does: at the end of `lmp` and after any error, from this thread, which must then still
// hold the lock. (It also holds it where a `python` command started Python.) Returns false if Python cannot
// be started.
bool ensure_interpreter(bool lammps_ends_python);

// What to add to the error of an import: that this Python, which others started, looks for packages elsewhere
// than in the environment that nnpal was built in, and how to tell it; "" where it looks there. Needs the
// lock.
std::string advice_on_packages();

}    // namespace nnpal
