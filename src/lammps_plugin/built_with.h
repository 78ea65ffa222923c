// Versions that these plugins were compiled against (built_with.cpp is written by CMake).
#pragma once

namespace nnpal {
extern const char kBuiltLammps[], kBuiltTorch[], kBuiltPython[];    // MARKER=version
extern const char kBuiltMpi[];                                      // MARKER=Open MPI, MPICH, or another MPI
extern const char kBuiltSizes[];                                    // MARKER=smallbig or bigbig
extern const char
    kBuildCommand[];    // MARKER=the command that rebuilds these plugins; nothing after it for a pip build
extern const char kTorchDir[];
extern const char kPythonExecutable[];
extern const char kPythonLibrary[];    // NONE if Python has no shared library
}    // namespace nnpal
