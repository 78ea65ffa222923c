// The Python interpreter of this process: started here under `lmp`, found running under Python.
#pragma once

#include <string>

namespace nnpal {

// Start Python unless it is running. Its lock (GIL) is released, unless LAMMPS ends Python, as with its
// package PYTHON: it does so at the end of `lmp` and after any error, from this thread, which must then still
// hold the lock. (It also holds it if a `python` command started Python.) Returns false if Python cannot be
// started.
bool ensure_interpreter(bool lammps_ends_python);

// Addition to an import error: that this Python, started by other code, does not search nnpal's environment
// for packages, and how to fix it; "" if it does. Needs the GIL.
std::string advice_on_packages();

}    // namespace nnpal
