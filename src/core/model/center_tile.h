// Centers with their edges, in the layout of the CPU kernels: written once, and their gradients read once.
#pragma once

#include "model/tile.h"

#include <cstdint>
#include <type_traits>
#include <vector>

namespace nnpal {

// Axis by axis: edge e has the numbers e, capacity + e and 2 * capacity + e.
template <class T> struct CenterNumbers {
  std::vector<T> vec;          // [3 * capacity and padding] r_neighbor - r_center, Å
  std::vector<T> energies;     // [n_members * n_centers] eV, without self-energies
  std::vector<T> gradients;    // [3 * capacity] of the members' mean energy in vec, eV/Å; then, if requested,
                               // each member's
};

// For a model of one hop. Edges are sorted by center, then by the neighbor's element.
struct CenterTile {
  int n_centers = 0, n_edges = 0;
  std::int64_t capacity = 0;             // of edges
  std::vector<std::int64_t> elements;    // [n_centers]
  std::vector<std::int64_t>
      start;                    // [n_centers * n_elements + 1] where a center's edges to an element begin
  std::vector<int> neighbor;    // [capacity] in the caller's numbering of atoms
  CenterNumbers<float> single;
  CenterNumbers<double> twofold;

  template <class T> CenterNumbers<T> &numbers()
  {
    if constexpr (std::is_same_v<T, float>)
      return single;
    else
      return twofold;
  }

  // Allocate memory for `edges` edges.
  template <class T> void make_room(int centers, int n_elements, std::int64_t edges);
};

// Fill from a tile of one hop in any order; `neighbor` receives the index of each edge in `from`. Throws
// std::invalid_argument if an index is out of range.
template <class T> void sort_by_element(const Tile &from, int n_elements, CenterTile &to);

// The result of such a tile, in the order of the edges of `from`; 0 for edges of no center.
template <class T>
void unsorted_result(CenterTile &computed, int n_members, bool with_member_gradients, int n_edges,
                     TileResult &result);

// Convert a tile in double precision; each edge's neighbor becomes a separate atom, after the centers.
void as_plain_tile(const CenterTile &from, int n_elements, Tile &to);

// Copy the result of the plain tile, whose edges have the same order.
void take_result(const TileResult &result, CenterTile &to);

}    // namespace nnpal
