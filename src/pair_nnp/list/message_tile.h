// The edges that energies depend on when messages pass over several hops.
#pragma once

#include "exclusions.h"
#include "model/tile.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {
class Atom;
class NeighList;
}    // namespace LAMMPS_NS

namespace nnpal {

// LAMMPS's atoms with a full neighbor list, and what of them is the model's.
struct ListedAtoms {
  const LAMMPS_NS::Atom &atom;
  const LAMMPS_NS::NeighList &list;
  const AbsentAtoms &absent;
  const int *element_of_type;    // element index of each atom type
  double cutoff;                 // Å
  int hops;
};

// Gathers tiles: some centers, the atoms within hops - 1 neighbor steps of them, and all edges of these. A
// breadth-first walk over the list, which numbers the atoms as it meets them, so that centers come first and
// edges are sorted by center.
class MessageTile {
public:
  // `owners` [n_local + n_ghost] names the local atom that each ghost is an image of, whose edges then stand
  // for the ghost's; where it is empty, the list holds the ghosts' own. Stops, and returns false, where there
  // are more than `most_edges`; returns true with a complaint in `overlap` where two atoms lie almost on top
  // of each other. `atoms` [n_atoms] and `neighbors` [n_edges] receive LAMMPS's index of each atom of the
  // tile and of each edge's neighbor, which is the ghost itself also where it has an owner.
  bool gather(const ListedAtoms &from, const std::vector<int> &owners, const int *centers, int n_centers,
              int most_edges, Tile &tile, std::vector<int> &atoms, std::vector<int> &neighbors,
              std::string &overlap);

private:
  std::vector<int> number_;    // of each LAMMPS atom in the tile, -1 for those outside; all -1 between calls

  int number_of(int i, const ListedAtoms &from, Tile &tile, std::vector<int> &atoms);
  bool add_edges(int i_tile, const ListedAtoms &from, const std::vector<int> &owners, int most_edges,
                 Tile &tile, std::vector<int> &atoms, std::vector<int> &neighbors, std::string &overlap);
};

// [n_local + n_ghost] the local atom with the ID of each atom, on a single rank, where every ghost is an
// image of one. Returns a complaint for the user where IDs are not one for each atom, or "".
std::string find_owners(const LAMMPS_NS::Atom &atom, std::vector<int> &owners);

}    // namespace nnpal
