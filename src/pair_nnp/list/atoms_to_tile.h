// From LAMMPS's atoms and their neighbors to the edges that a model evaluates.
#pragma once

#include "exclusions.h"
#include "model/center_tile.h"

#include <string>

namespace LAMMPS_NS {
class Atom;
}

namespace nnpal {

// Of each atom the number of its neighbors, and these: of a full list of LAMMPS's, or of NearbyAtoms.
struct NeighborLists {
  const int *number;
  const int *const *of;
};

// Gather the atoms `centers` [n_centers] and their edges shorter than `cutoff` (Å), but for those to absent
// atoms. `element_of_type` maps an atom type to its element index; `neighbor` of the tile receives LAMMPS
// indices. T: what the model takes. Returns a complaint for the user when two atoms lie almost on top of each
// other, or "".
template <class T>
std::string atoms_to_tile(const LAMMPS_NS::Atom &atom, const NeighborLists &lists, const AbsentAtoms &absent,
                          const int *element_of_type, int n_elements, double cutoff, const int *centers,
                          int n_centers, CenterTile &tile);

}    // namespace nnpal
