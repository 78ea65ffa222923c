// The parameters of a repulsion as users give them, checked once for every device.
#pragma once

#include <cstdint>
#include <string>

namespace nnpal {

// In units of the model's: energies in hartree if energy_scale is eV per hartree and length_scale bohr per Å.
struct RepulsionArguments {
  std::int64_t n_elements;
  double cutoff;                  // Å
  std::string cutoff_function;    // cosine, smooth or none
  double energy_scale;            // of the pairs' energies, to eV
  double length_scale;            // of Å, to the lengths of the parameters

  // Throws std::invalid_argument that names the argument.
  void check() const;
};

}    // namespace nnpal
