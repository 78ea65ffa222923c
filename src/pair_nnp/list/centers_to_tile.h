// From LAMMPS's atoms and neighbor list to the edges that the kernels of a CPU read.
#pragma once

#include "exclusions.h"
#include "model/center_tile.h"

#include <string>

namespace LAMMPS_NS {
class Atom;
class NeighList;
}    // namespace LAMMPS_NS

namespace nnpal {

// As atoms_to_tile; `neighbor` of the tile receives LAMMPS indices. T: what the model computes in.
template <class T>
std::string centers_to_tile(const LAMMPS_NS::Atom &atom, const LAMMPS_NS::NeighList &list,
                            const AbsentAtoms &absent, const int *element_of_type, int n_elements,
                            double cutoff, const int *centers, int n_centers, CenterTile &tile);

}    // namespace nnpal
