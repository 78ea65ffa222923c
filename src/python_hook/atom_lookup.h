// Find atoms that this rank owns by their IDs.
#pragma once

#include "exclusion.h"

#include "pointers.h"

#include <vector>

namespace nnpal {

class AtomLookup : protected LAMMPS_NS::Pointers {
public:
  explicit AtomLookup(LAMMPS_NS::LAMMPS *lmp) : Pointers(lmp), exclusion_(lmp) {}

  // Index of the owned atom with this ID, or -1. The last indices are cached: in most steps they have not
  // changed.
  int find(LAMMPS_NS::tagint tag);

  // The first atom that cannot be used, and why; none if `tag` is 0.
  struct Trouble {
    LAMMPS_NS::tagint tag = 0;
    bool is_excluded = false;    // from all others; otherwise no rank owns it
  };

  // Positions of these atoms on every rank, [3 n] (collective).
  Trouble positions(const std::vector<LAMMPS_NS::tagint> &tags, std::vector<double> &x);

private:
  struct Place {
    LAMMPS_NS::tagint tag;
    int index;
  };
  Exclusion exclusion_;
  std::vector<Place> places_;
  std::vector<double> buffer_;
};

}    // namespace nnpal
