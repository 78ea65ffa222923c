// What these plugins were compiled against (built_with.cpp is written by CMake).
#pragma once

namespace nnpal {
extern const char kBuiltLammps[], kBuiltTorch[], kBuiltPython[];    // MARKER=version
extern const char kTorchDir[];
extern const char kPythonExecutable[];
extern const char kPythonLibrary[];    // NONE where Python is no shared library
}    // namespace nnpal
