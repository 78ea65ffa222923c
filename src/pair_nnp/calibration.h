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
  double largest_rms = 0.0, largest = 0.0;    // of x_i in a configuration that calibration saw

  // Infinite where no energy that calibration saw is like it: an energy's error there is systematic, and the
  // members do not show it.
  double error(double deviation, double rms_relative, double largest_relative) const;
};

struct Calibration {
  ForceRecipe force;
  std::optional<EnergyRecipe> energy;
};

}    // namespace nnpal
