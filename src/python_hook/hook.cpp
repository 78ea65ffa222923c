#include "hook.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

namespace nnpal {
namespace {

constexpr const char *kMethodNames[Hook::kMethods] = {"setup",       "pre_reverse", "post_force",
                                                      "end_of_step", "post_run",    "close"};

// Interned attribute names: looked up at every step.
struct Names {
  py::str energy{"energy"}, virial{"virial"}, vector{"vector"};
};

const Names &names()
{
  static const Names *names = new Names;    // outlives the interpreter on purpose
  return *names;
}

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;

[[noreturn]] void throw_value_error(const std::string &message)
{
  throw py::value_error(message);
}

std::string describe_shape(const py::object &array)
{
  return py::str(array.attr("shape"));
}

// Describe an object in one short line
std::string describe_value(const py::object &value)
{
  constexpr std::size_t kLongest = 80;
  std::string text = py::repr(value);
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > kLongest)
    return "an object of " + std::string(py::str(py::type::of(value).attr("__name__")));
  return text;
}

Doubles as_doubles(const char *name, const py::object &value)
{
  if (!value.is_none()) {    // NumPy converts None to NaN
    Doubles values = Doubles::ensure(value);
    if (values) return values;
    PyErr_Clear();
  }
  throw OutputError(std::string(name) + " is " + describe_value(value) + "; expected an array of numbers");
}

// Copy a tuple of n Python floats, much faster than as an array; returns false if it is something else
bool copied_floats(const py::object &value, std::size_t n, double *into)
{
  PyObject *tuple = value.ptr();
  if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) != static_cast<Py_ssize_t>(n)) return false;
  for (std::size_t i = 0; i < n; i++) {
    PyObject *number = PyTuple_GET_ITEM(tuple, i);
    if (!PyFloat_Check(number)) return false;
    into[i] = PyFloat_AS_DOUBLE(number);
  }
  return true;
}

}    // namespace

Hook::Hook(const std::string &spec, const std::vector<std::string> &words, const py::object &context) :
    spec_(spec),
    context_(context)
{
  object_ = py::module_::import("nnpal.hooks.loader").attr("create")(spec, words, context);
  for (int i = 0; i < kMethods; i++)
    if (py::hasattr(object_, kMethodNames[i])) methods_[i] = object_.attr(kMethodNames[i]);
  has_energy_ = py::hasattr(object_, names().energy);
  has_virial_ = py::hasattr(object_, names().virial);
  has_vector_ = py::hasattr(object_, names().vector);
  has_state_ = py::hasattr(object_, "state_dict") && py::hasattr(object_, "load_state_dict");
  if (has_vector_) outputs.vector.resize(as_doubles("vector", object_.attr(names().vector)).size());
  read_outputs();
  outputs.remember_nan();
}

bool Hook::reads(const char *what) const
{
  if (!py::hasattr(object_, "reads")) return true;
  const py::object names = object_.attr("reads");
  if (!py::isinstance<py::iterable>(names))
    throw_value_error("reads is " + describe_value(names) +
                      "; expected names in brackets, of energy and virial");
  for (const py::handle name : py::iter(names)) {
    const std::string word = py::str(name);
    if (word != "energy" && word != "virial")
      throw_value_error("reads names " + word + "; expected energy and virial, or less");
  }
  return names.contains(what);
}

const char *Hook::name_of(Method method)
{
  return kMethodNames[method];
}

void Hook::call(Method method, bool is_trial)
{
  if (method == kClose) {
    methods_[method]();
    return;
  }
  methods_[method](context_);
  read_outputs(is_trial);
}

void Hook::read_outputs(bool is_trial)
{
  if (has_energy_) outputs.energy = read_energy();
  if (is_trial) return;
  if (has_virial_) read_virial();
  if (has_vector_) read_vector();
}

double Hook::read_energy() const
{
  const py::object value = object_.attr(names().energy);
  if (PyFloat_Check(value.ptr())) return PyFloat_AS_DOUBLE(value.ptr());
  if (py::hasattr(value, "shape") && py::len(value.attr("shape")) > 0)
    throw OutputError("energy is an array of shape " + describe_shape(value) +
                      "; expected one number, of all atoms and ranks");
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    throw OutputError("energy is " + describe_value(value) + "; expected a number");
  }
  return number;
}

void Hook::read_virial()
{
  const py::object found = object_.attr(names().virial);
  if (copied_floats(found, 6, outputs.virial)) return;
  const Doubles values = as_doubles("virial", found);
  if (values.ndim() != 1 || values.size() != 6)
    throw OutputError("virial has shape " + describe_shape(values) +
                      "; expected 6 values in a row (xx yy zz xy xz yz)");
  std::copy_n(values.data(), 6, outputs.virial);
}

void Hook::read_vector()
{
  auto &vector = outputs.vector;
  const py::object found = object_.attr(names().vector);
  if (copied_floats(found, vector.size(), vector.data())) return;
  const Doubles values = as_doubles("vector", found);
  if (values.ndim() != 1)
    throw OutputError("vector has shape " + describe_shape(values) + "; expected values in a row");
  if (values.size() != static_cast<py::ssize_t>(vector.size()))
    throw OutputError("vector had " + std::to_string(vector.size()) +
                      " values when the hook was made, and now " + std::to_string(values.size()) +
                      "; its length must stay");
  std::copy_n(values.data(), vector.size(), vector.begin());
}

std::string Hook::state() const
{
  return py::bytes(
      py::module_::import("nnpal.hooks.state").attr("pack")(spec_, object_.attr("state_dict")()));
}

void Hook::load_state(const std::string &state)
{
  object_.attr("load_state_dict")(
      py::module_::import("nnpal.hooks.state").attr("unpack")(spec_, py::bytes(state)));
  read_outputs();
}

std::string describe(py::error_already_set &error)
{
  try {
    return py::module_::import("nnpal.hooks.error")
        .attr("describe")(error.type(), error.value(), error.trace() ? error.trace() : py::none())
        .cast<std::string>();
  } catch (py::error_already_set &) {
    return error.what();
  }
}

}    // namespace nnpal
