#include "list/atoms_to_tile.h"

#include "atom.h"
#include "fmt/format.h"
#include "neigh_list.h"

#include <cmath>

namespace nnpal {

std::string atoms_to_tile(const LAMMPS_NS::Atom &atom, const LAMMPS_NS::NeighList &list,
                          const AbsentAtoms &absent, const int *element_of_type, double cutoff,
                          const int *centers, int n_centers, Tile &tile, std::vector<int> &neighbors)
{
  const double cutoff_squared = cutoff * cutoff;
  const double *const *x = atom.x;
  tile.clear();
  neighbors.clear();
  const bool some_absent = absent.possible();
  tile.n_centers = n_centers;
  for (int c = 0; c < n_centers; ++c) tile.species.push_back(element_of_type[atom.type[centers[c]]]);
  for (int c = 0; c < n_centers; ++c) {
    const int i = centers[c];
    for (int jj = 0; jj < list.numneigh[i]; ++jj) {
      const int j = list.firstneigh[i][jj] & NEIGHMASK;
      if (some_absent && absent.contain(atom.mask[j], atom.type[j])) continue;
      const double vec[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      const double squared = vec[0] * vec[0] + vec[1] * vec[1] + vec[2] * vec[2];
      if (squared >= cutoff_squared) continue;
      if (squared < kTooClose * kTooClose) return too_close(atom, i, j, std::sqrt(squared));
      tile.center.push_back(c);
      tile.neighbor.push_back(tile.n_atoms());    // an atom of its own in the tile, wherever else it occurs
      tile.species.push_back(element_of_type[atom.type[j]]);
      tile.edge_vec.insert(tile.edge_vec.end(), vec, vec + 3);
      neighbors.push_back(j);
    }
  }
  return "";
}

std::string too_close(const LAMMPS_NS::Atom &atom, int i, int j, double distance)
{
  if (distance >= kTooClose) return "";
  return fmt::format(
      "{} and {} are {:.3g} Å apart, closer than {} Å; check the structure, the units or the timestep",
      name_of(atom, i), name_of(atom, j), distance, kTooClose);
}

std::string non_finite_position(const LAMMPS_NS::Atom &atom, int n)
{
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < 3; ++k)
      if (!std::isfinite(atom.x[i][k]))
        return fmt::format("{} has a non-finite coordinate, {} = {}", name_of(atom, i), "xyz"[k],
                           atom.x[i][k]);
  return "";
}

std::string name_of(const LAMMPS_NS::Atom &atom, int i)
{
  return atom.tag_enable ? fmt::format("atom {}", atom.tag[i]) : "an atom without ID";
}

}    // namespace nnpal
