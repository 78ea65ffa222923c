// Atoms without interactions: those of neigh_modify exclude group ID all, and those in a trial deletion of a
// Monte Carlo fix.
#pragma once

#include "pointers.h"

namespace nnpal {

class Exclusion : protected LAMMPS_NS::Pointers {
public:
  explicit Exclusion(LAMMPS_NS::LAMMPS *lmp) : Pointers(lmp) {}

  // Whether some group is excluded from group all.
  bool any() const;

  // Whether this atom (local or ghost) is excluded from all others.
  bool holds(int i) const;
};

}    // namespace nnpal
