// Potential energy and virial of LAMMPS's force styles on the step at hand.
#pragma once

#include "pointers.h"

namespace nnpal {

struct Potential {
  double energy = 0.0;
  double virial[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};    // xx yy zz xy xz yz, energy units
};

// Sum pair, bonded and kspace contributions, tail corrections included, over all ranks (collective).
class PotentialTally : protected LAMMPS_NS::Pointers {
public:
  explicit PotentialTally(LAMMPS_NS::LAMMPS *lmp) : Pointers(lmp) {}

  // False if LAMMPS did not tally energy and virial on this step.
  bool is_fresh() const;
  Potential sum() const;
};

}    // namespace nnpal
