#include "interpreter.h"

#include "built_with.h"

#include <pybind11/pybind11.h>

namespace nnpal {
namespace {

bool start_interpreter()
{
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  config.install_signal_handlers = 0;    // Ctrl-C ends lmp as it always did
  config.buffered_stdio = 0;             // a hook's print() stays in order with LAMMPS's own output
  // The environment's own python, so that its site-packages are found
  bool is_set =
      !PyStatus_Exception(PyConfig_SetBytesString(&config, &config.executable, kPythonExecutable)) &&
      !PyStatus_Exception(PyConfig_SetBytesString(&config, &config.program_name, kPythonExecutable));
  const bool is_started = is_set && !PyStatus_Exception(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
  if (!is_started) return false;

  // Hooks lie in the folder that LAMMPS runs in, as modules do for `python -m`
  PyObject *path = PySys_GetObject("path");
  PyObject *here = PyUnicode_FromString("");
  if (path && here) PyList_Insert(path, 0, here);
  Py_XDECREF(here);
  PyEval_SaveThread();
  return true;
}

}    // namespace

bool ensure_interpreter()
{
  if (!Py_IsInitialized() && !start_interpreter()) return false;
  const PyGILState_STATE gil = PyGILState_Ensure();
  pybind11::detail::ensure_internals();
  PyGILState_Release(gil);
  return true;
}

}    // namespace nnpal
