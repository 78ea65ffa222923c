// One Python hook object: its methods, outputs and state. Independent of LAMMPS. Callers hold the GIL.
#pragma once

#include "outputs.h"

#include <pybind11/pybind11.h>
#include <string>
#include <vector>

namespace nnpal {

namespace py = pybind11;

class Hook {
public:
  enum Method { kSetup, kPreReverse, kPostForce, kEndOfStep, kPostRun, kClose, kMethods };

  // Import `spec` (MODULE:CLASS) and create it with the words of the input script. Throws
  // py::error_already_set and OutputError.
  Hook(const std::string &spec, const std::vector<std::string> &words, const py::object &context);

  bool has(Method method) const { return static_cast<bool>(methods_[method]); }
  bool has_energy() const { return has_energy_; }
  bool has_state() const { return has_state_; }

  // Whether the hook reads the potential's "energy" or "virial": by its attribute `reads`, or both if it has
  // none.
  bool reads(const char *what) const;

  // Call a method and read the outputs that it set, for a trial state only the energy. Throws
  // py::error_already_set and OutputError.
  void call(Method method, bool is_trial = false);

  static const char *name_of(Method method);

  std::string state() const;                    // packed
  void load_state(const std::string &state);    // of the same class, from a restart file; throws as call

  Outputs outputs;

private:
  void read_outputs(bool is_trial = false);
  double read_energy() const;
  void read_virial();
  void read_vector();

  std::string spec_;
  py::object object_, context_;
  py::object methods_[kMethods];
  bool has_energy_ = false, has_virial_ = false, has_vector_ = false, has_state_ = false;
};

// The current error as text: HookError's message, or the whole traceback. Acquires the GIL itself.
std::string describe(py::error_already_set &error);

}    // namespace nnpal
