// From LAMMPS's atoms and neighbor list to the edges that a model evaluates.
#pragma once

#include "exclusions.h"
#include "lmptype.h"
#include "model/model.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {
class Atom;
class NeighList;
}    // namespace LAMMPS_NS

namespace nnpal {

constexpr double kTooClose = 0.1;    // Å; no two nuclei of any training set come this near

// Gather the atoms `centers` [n_centers] of a full neighbor list and their edges shorter than `cutoff` (Å),
// but for those to absent atoms. `element_of_type` maps an atom type to its element index. `neighbors`
// [n_edges] receives the LAMMPS index of each edge's neighbor. Returns a complaint for the user when two
// atoms lie almost on top of each other, or "".
std::string atoms_to_tile(const LAMMPS_NS::Atom &atom, const LAMMPS_NS::NeighList &list,
                          const AbsentAtoms &absent, const int *element_of_type, double cutoff,
                          const int *centers, int n_centers, Tile &tile, std::vector<int> &neighbors);

// A complaint when atoms i and j, `distance` (Å) apart, lie almost on top of each other, or "".
std::string too_close(const LAMMPS_NS::Atom &atom, int i, int j, double distance);

// A complaint that names the first of `n` atoms whose position is NaN or infinite, or "".
std::string non_finite_position(const LAMMPS_NS::Atom &atom, int n);

// "atom 17", by its tag, for messages.
std::string name_of(const LAMMPS_NS::Atom &atom, int i);

}    // namespace nnpal
