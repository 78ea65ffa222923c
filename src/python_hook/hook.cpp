#include "hook.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

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
  if (has_vector_) vector.resize(py::len(object_.attr(names().vector)));
  read_outputs();
}

bool Hook::reads(const char *what) const
{
  if (!py::hasattr(object_, "reads")) return true;
  const py::object names = object_.attr("reads");
  for (const py::handle name : py::iter(names)) {
    const std::string word = py::cast<std::string>(name);
    if (word != "energy" && word != "virial")
      throw_value_error("reads names " + word + "; expected energy and virial, or less");
  }
  return names.contains(what);
}

void Hook::call(Method method)
{
  if (method == kClose) {
    methods_[method]();
    return;
  }
  methods_[method](context_);
  read_outputs();
}

void Hook::read_outputs()
{
  if (has_energy_) energy = object_.attr(names().energy).cast<double>();
  if (has_virial_) {
    const Doubles values(object_.attr(names().virial));
    if (values.size() != 6)
      throw_value_error("virial must have 6 values (xx yy zz xy xz yz), not " +
                        std::to_string(values.size()));
    std::copy_n(values.data(), 6, virial);
  }
  if (has_vector_) {
    const Doubles values(object_.attr(names().vector));
    if (values.size() != static_cast<py::ssize_t>(vector.size()))
      throw_value_error("vector had " + std::to_string(vector.size()) +
                        " values when the hook was made, and now " + std::to_string(values.size()) +
                        "; its length must stay");
    std::copy_n(values.data(), vector.size(), vector.begin());
  }
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
