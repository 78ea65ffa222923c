// The numbers that a hook passes to LAMMPS, and their checks.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace nnpal {

// An attribute of a hook that is not a valid energy, virial or vector: another type of object, or another
// shape.
class OutputError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Outputs {
  double energy = 0.0;
  double virial[6] = {};
  std::vector<double> vector;             // of fixed length
  std::vector<bool> was_nan_when_made;    // entries that may be NaN: not measured

  void remember_nan();    // of the newly created hook

  // The value that is not finite, such as "energy is nan; expected a finite number", or "". For a trial state
  // only the energy matters, and +inf is allowed: a move that cannot be accepted.
  std::string not_finite(bool is_trial) const;

  // All numbers in a row: energy, virial, vector. For a trial state only the energy.
  std::size_t size(bool is_trial) const;
  double at(std::size_t place) const;
  void set(std::size_t place, double value);
  static std::string name(std::size_t place);
};

// The index of the first of n 3-vectors that is not finite, or -1.
int first_not_finite(const double *vectors, int n);

}    // namespace nnpal
