// Error bars from the members' spread and a calibration, in eV and Å. Independent of LAMMPS.
//
//   error_force_i = error_at_knee * min(x_i, 1)^exponent * max(1, x_i)      x_i = uq_force_i / knee
//   error_energy  = factor * standard deviation of the total energy over the members
//
// with knee, error_at_knee and exponent of the atom's element. error_force is the root mean square of |ΔF_i|;
// that of one component is error_force/√3.
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
  double largest_per_atom = 0.0;    // [eV] standard deviation per atom in the calibration data
  double largest = 0.0;             // x_i of an atom in the calibration data
  // Unit vectors over the elements, orthogonal to every composition in the calibration
  std::vector<std::vector<double>> undetermined;

  // Error [eV] from a configuration's standard deviation [eV], largest x_i and number of atoms of each
  // element. Infinite for configurations unlike the calibration data, where all members can err in the same
  // way, which the spread does not show.
  double error(double deviation, double largest_relative, const std::vector<double> &composition) const;
};

struct Calibration {
  ForceRecipe force;
  std::optional<EnergyRecipe> energy;
};

}    // namespace nnpal
