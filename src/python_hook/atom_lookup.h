// Find atoms by their IDs among those that this rank owns.
#pragma once

#include "pointers.h"

#include <vector>

namespace nnpal {

class AtomLookup : protected LAMMPS_NS::Pointers {
public:
  explicit AtomLookup(LAMMPS_NS::LAMMPS *lmp) : Pointers(lmp) {}

  // Index of the owned atom with this ID, or -1. Keeps the last places: most steps find an atom where it was.
  int find(LAMMPS_NS::tagint tag);

  // Positions of these atoms on every rank, [3 n] (collective). Returns the first ID that no rank owns, or 0.
  LAMMPS_NS::tagint positions(const std::vector<LAMMPS_NS::tagint> &tags, std::vector<double> &x);

private:
  struct Place {
    LAMMPS_NS::tagint tag;
    int index;
  };
  std::vector<Place> places_;
  std::vector<double> buffer_;
};

}    // namespace nnpal
