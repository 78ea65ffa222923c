// Converts LAMMPS's atoms and their neighbors to the edges that a model evaluates.
#pragma once

#include "exclusions.h"
#include "model/center_tile.h"

#include <string>

namespace LAMMPS_NS {
class Atom;
}

namespace nnpal {

// Each atom's number of neighbors, and the neighbors: from a full list of LAMMPS, or from NearbyAtoms.
struct NeighborLists {
  const int *number;
  const int *const *of;
};

// Gather the atoms `centers` [n_centers] and their edges shorter than `cutoff` (Å), except those to absent
// atoms. `element_of_type` maps an atom type to its element index; `neighbor` of the tile receives LAMMPS
// indices. T: the model's precision. Returns a complaint for the user if two atoms are almost on top of each
// other, or "".
template <class T>
std::string atoms_to_tile(const LAMMPS_NS::Atom &atom, const NeighborLists &lists, const AbsentAtoms &absent,
                          const int *element_of_type, int n_elements, double cutoff, const int *centers,
                          int n_centers, CenterTile &tile);

}    // namespace nnpal
