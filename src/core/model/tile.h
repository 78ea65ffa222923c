// Inputs and results of a model.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Centers with the edges that their energies depend on: their own and, with several hops, those of all atoms
// within hops - 1 neighbor steps. An edge points from a center to a neighbor closer than the cutoff.
struct Tile {
  int n_centers = 0;                     // whose energies are wanted
  std::vector<std::int64_t> species;     // [n_atoms] element index, those centers first
  std::vector<std::int64_t> center;      // [n_edges] index into species, ascending
  std::vector<std::int64_t> neighbor;    // [n_edges] index into species
  std::vector<double> edge_vec;          // [n_edges * 3] r_neighbor - r_center, Å

  int n_atoms() const { return static_cast<int>(species.size()); }
  int n_edges() const { return static_cast<int>(center.size()); }
  void clear();
};

// Energies exclude self-energies. Gradients are with respect to edge_vec.
struct TileResult {
  std::vector<double> energies;           // [n_members * n_centers] eV
  std::vector<double> gradient;           // [n_edges * 3] of the members' mean energy, eV/Å
  std::vector<double> member_gradient;    // [n_members * n_edges * 3], if requested, eV/Å
};

// Raw charges, which do not add up to 0 yet, and weights by which all atoms share the excess:
//   Q_i = q_i - (w_i / sum_j w_j) sum_j q_j
struct TileCharges {
  std::vector<double> raw;        // [n_centers] q_i, e
  std::vector<double> weights;    // [n_centers] w_i
};

// The first atom of the tile with a NaN or infinite energy, or with an edge with such a gradient; -1 if all
// are finite.
int first_non_finite_atom(const Tile &tile, const TileResult &result);

}    // namespace nnpal
