// The edges that energies depend on in models of several hops.
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

// LAMMPS's atoms with a full neighbor list, and their elements in the model.
struct ListedAtoms {
  const LAMMPS_NS::Atom &atom;
  const LAMMPS_NS::NeighList &list;
  const AbsentAtoms &absent;
  const int *element_of_type;    // element index of each atom type
  double cutoff;                 // Å
  int hops;
};

// Gathers tiles: some centers, the atoms within hops - 1 neighbor steps of them, and all edges of these. A
// breadth-first search over the list numbers the atoms in the order of discovery, so that centers come first
// and edges are sorted by center.
class MessageTile {
public:
  // `owners` [n_local + n_ghost]: the local atom of which each ghost is an image, and whose edges replace the
  // ghost's; if empty, the list contains the ghosts' own edges. Stops and returns false if there are more
  // than `most_edges`; returns true with a complaint in `overlap` if two atoms are almost on top of each
  // other. `atoms` [n_atoms] and `neighbors` [n_edges] receive LAMMPS's index of each atom of the tile and of
  // each edge's neighbor, which is the ghost itself even if it has an owner.
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
// image of one. Returns a complaint for the user if IDs are not unique, or "".
std::string find_owners(const LAMMPS_NS::Atom &atom, std::vector<int> &owners);

}    // namespace nnpal
