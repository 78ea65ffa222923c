// Parameters of a repulsion as users give them, checked once for all devices.
#pragma once

#include <cstdint>
#include <string>

namespace nnpal {

// In the model's units: hartree and bohr if energy_scale is eV per hartree and length_scale bohr per Å.
struct RepulsionArguments {
  std::int64_t n_elements;
  double cutoff;                  // Å
  std::string cutoff_function;    // cosine, smooth or none
  double energy_scale;            // eV per unit of the pairs' energies
  double length_scale;            // length unit of the parameters per Å

  // Throws std::invalid_argument that names the argument.
  void check() const;
};

}    // namespace nnpal
