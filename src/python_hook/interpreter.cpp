#include "interpreter.h"

#include "python_location.h"
#include "versions.h"

#include <pybind11/pybind11.h>

namespace nnpal {
namespace {

namespace py = pybind11;

std::string own_executable()
{
  return python_executable(folder_of(reinterpret_cast<const void *>(&ensure_interpreter)));
}

bool start_interpreter(bool lammps_ends_python)
{
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  config.install_signal_handlers = 0;    // Ctrl-C still ends lmp
  config.buffered_stdio = 0;             // keeps a hook's print() in order with LAMMPS's output
  // The environment's own python, so that its site-packages are found
  const std::string python = own_executable();
  bool is_set = !PyStatus_Exception(PyConfig_SetBytesString(&config, &config.executable, python.c_str())) &&
                !PyStatus_Exception(PyConfig_SetBytesString(&config, &config.program_name, python.c_str()));
  const bool is_started = is_set && !PyStatus_Exception(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
  if (!is_started) return false;

  // Hooks are in the folder that LAMMPS runs in, like modules for `python -m`
  PyObject *path = PySys_GetObject("path");
  PyObject *here = PyUnicode_FromString("");
  if (path && here) PyList_Insert(path, 0, here);
  Py_XDECREF(here);
  if (!lammps_ends_python) PyEval_SaveThread();
  return true;
}

}    // namespace

bool ensure_interpreter(bool lammps_ends_python)
{
  if (!Py_IsInitialized() && !start_interpreter(lammps_ends_python)) return false;
  const PyGILState_STATE gil = PyGILState_Ensure();
  pybind11::detail::ensure_internals();
  PyGILState_Release(gil);
  return true;
}

// A Python started by LAMMPS's `python` command uses the packages of the first python3 on PATH.
std::string advice_on_packages()
{
  const std::string executable = own_executable();
  const std::string environment = executable.substr(0, executable.rfind("/bin/"));
  const py::module_ sys = py::module_::import("sys");
  const std::string prefix = py::str(sys.attr("prefix"));
  if (prefix == environment) return "";
  const auto version = sys.attr("version_info");
  const std::string packages = environment + "/lib/python" + std::string(py::str(version.attr("major"))) +
                               "." + std::string(py::str(version.attr("minor"))) + "/site-packages";
  return "This Python was started before the fix, by a python command of LAMMPS or by another program, with "
         "the "
         "packages of " +
         prefix + " and not with those of " + environment + ". Put " + environment +
         "/bin first on PATH (activate that environment), or the fix before the first python command, or "
         "begin "
         "the script with: python source here \"import site; site.addsitedir('" +
         packages + "')\"";
}

}    // namespace nnpal
