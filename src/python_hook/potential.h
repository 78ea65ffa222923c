// Potential energy and virial of LAMMPS's force styles on the current step.
#pragma once

#include "pointers.h"

namespace nnpal {

struct Potential {
  double energy = 0.0;
  double virial[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};    // xx yy zz xy xz yz, energy units
};

// Sums pair, bonded and kspace contributions, including tail corrections, over all ranks (collective).
class PotentialTally : protected LAMMPS_NS::Pointers {
public:
  explicit PotentialTally(LAMMPS_NS::LAMMPS *lmp) : Pointers(lmp) {}

  // Whether LAMMPS tallied on this step.
  bool energy_is_fresh() const;
  bool virial_is_fresh() const;

  // Whether the latest evaluation of the pair style, on any step, was requested to compute the energy.
  bool energy_was_asked() const;

  // Values that were not tallied are from an earlier step.
  Potential sum() const;
};

}    // namespace nnpal
