#include "list/message_tile.h"

#include "list/atom_messages.h"

#include "atom.h"
#include "fmt/format.h"
#include "neigh_list.h"

#include <cmath>
#include <unordered_map>

namespace nnpal {

int MessageTile::number_of(int i, const ListedAtoms &from, Tile &tile, std::vector<int> &atoms)
{
  int &number = number_[i];
  if (number >= 0) return number;
  number = static_cast<int>(atoms.size());
  atoms.push_back(i);
  tile.species.push_back(from.element_of_type[from.atom.type[i]]);
  return number;
}

bool MessageTile::add_edges(int i_tile, const ListedAtoms &from, const std::vector<int> &owners,
                            int most_edges, Tile &tile, std::vector<int> &atoms, std::vector<int> &neighbors,
                            std::string &overlap)
{
  const LAMMPS_NS::Atom &atom = from.atom;
  const double cutoff_squared = from.cutoff * from.cutoff;
  const double *const *x = atom.x;
  const int i = atoms[i_tile];
  for (int jj = 0; jj < from.list.numneigh[i]; ++jj) {
    const int j = from.list.firstneigh[i][jj] & NEIGHMASK;
    if (from.absent.contain(atom.mask[j], atom.type[j])) continue;
    const double vec[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    const double squared = vec[0] * vec[0] + vec[1] * vec[1] + vec[2] * vec[2];
    if (squared >= cutoff_squared) continue;
    if (squared < kTooClose * kTooClose) {
      overlap = too_close(atom, i, j, std::sqrt(squared));
      return true;
    }
    if (tile.n_edges() >= most_edges) return false;
    tile.center.push_back(i_tile);
    tile.neighbor.push_back(number_of(owners.empty() ? j : owners[j], from, tile, atoms));
    tile.edge_vec.insert(tile.edge_vec.end(), vec, vec + 3);
    neighbors.push_back(j);
  }
  return true;
}

bool MessageTile::gather(const ListedAtoms &from, const std::vector<int> &owners, const int *centers,
                         int n_centers, int most_edges, Tile &tile, std::vector<int> &atoms,
                         std::vector<int> &neighbors, std::string &overlap)
{
  number_.resize(static_cast<std::size_t>(from.atom.nlocal + from.atom.nghost), -1);
  tile.clear();
  atoms.clear();
  neighbors.clear();
  tile.n_centers = n_centers;
  for (int c = 0; c < n_centers; ++c) number_of(centers[c], from, tile, atoms);
  bool fits = true;
  int i_tile = 0;
  for (int step = 0; step < from.hops && fits && overlap.empty(); ++step)
    for (const int end = tile.n_atoms(); i_tile < end && fits && overlap.empty(); ++i_tile)
      fits = add_edges(i_tile, from, owners, most_edges, tile, atoms, neighbors, overlap);
  for (const int i : atoms) number_[i] = -1;
  return fits;
}

std::string find_owners(const LAMMPS_NS::Atom &atom, std::vector<int> &owners)
{
  const int n_local = atom.nlocal, n_atoms = n_local + atom.nghost;
  std::unordered_map<LAMMPS_NS::tagint, int> with_id(static_cast<std::size_t>(n_local));
  owners.resize(static_cast<std::size_t>(n_atoms));
  for (int i = 0; i < n_local; ++i) {
    owners[i] = i;
    if (!with_id.emplace(atom.tag[i], i).second)
      return fmt::format(
          "two atoms have the ID {}, but messages between periodic images need one ID for each "
          "atom; use reset_atoms id",
          atom.tag[i]);
  }
  for (int j = n_local; j < n_atoms; ++j) {
    const auto found = with_id.find(atom.tag[j]);
    if (found == with_id.end())
      return fmt::format("a ghost atom has the ID {}, which no atom of this rank has; use reset_atoms id",
                         atom.tag[j]);
    owners[j] = found->second;
  }
  return "";
}

}    // namespace nnpal
