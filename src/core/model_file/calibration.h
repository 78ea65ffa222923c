// Error bars from the members' spread, by what calibration measured: in eV and Å. Knows nothing of LAMMPS.
//
//   error_force_i = error_at_knee * min(x_i, 1)^exponent * max(1, x_i)      x_i = uq_force_i / knee
//   error_energy  = factor * standard deviation of the total energy over the members
//
// with knee, error_at_knee and exponent of the atom's element. error_force is the root mean square of |ΔF_i|,
// so that of one component is error_force/√3.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace nnpal {

struct ForceRecipe {
  std::vector<double> knee;             // [n_elements] eV/Å
  std::vector<double> error_at_knee;    // [n_elements] eV/Å
  std::vector<double> exponent;         // [n_elements]

  double relative(double uq_force, std::size_t element) const { return uq_force / knee[element]; }    // x_i
  double error(double uq_force, std::size_t element) const;    // [eV/Å] of uq_force in eV/Å
};

struct EnergyRecipe {
  double factor = 0.0;
  double largest_per_atom = 0.0;    // [eV] standard deviation of a configuration that calibration saw, over N
  double largest = 0.0;             // x_i of an atom that it saw
  // Unit vectors over the elements, orthogonal to every composition that it saw
  std::vector<std::vector<double>> undetermined;

  // [eV] of a configuration's standard deviation [eV], largest x_i and number of atoms of each element.
  // Infinite where calibration saw nothing like it: all members err the same way there, which no spread
  // shows.
  double error(double deviation, double largest_relative, const std::vector<double> &composition) const;
};

struct Calibration {
  ForceRecipe force;
  std::optional<EnergyRecipe> energy;
};

}    // namespace nnpal
