// Some centers with their edges, as the kernels of a CPU read them: written once, and their gradients read
// once.
#pragma once

#include "model/tile.h"

#include <cstdint>
#include <type_traits>
#include <vector>

namespace nnpal {

// Axis by axis: edge e has the numbers e, capacity + e and 2 * capacity + e.
template <class T> struct CenterNumbers {
  std::vector<T> vec;          // [3 * capacity and some room] r_neighbor - r_center, Å
  std::vector<T> energies;     // [n_members * n_centers] eV, without self-energies
  std::vector<T> gradients;    // [3 * capacity] of the members' mean energy in vec, eV/Å; then where asked
                               // for each member's
};

// For a model of one hop. Edges stand by center, those of one center by the neighbor's element.
struct CenterTile {
  int n_centers = 0, n_edges = 0;
  std::int64_t capacity = 0;             // of edges
  std::vector<std::int64_t> elements;    // [n_centers]
  std::vector<std::int64_t>
      start;                    // [n_centers * n_elements + 1] where a center's edges to an element begin
  std::vector<int> neighbor;    // [capacity] as whoever fills the tile numbers atoms
  CenterNumbers<float> single;
  CenterNumbers<double> twofold;

  template <class T> CenterNumbers<T> &numbers()
  {
    if constexpr (std::is_same_v<T, float>)
      return single;
    else
      return twofold;
  }

  // Room for so many edges.
  template <class T> void make_room(int centers, int n_elements, std::int64_t edges);
};

// From a tile of one hop in any order; `neighbor` receives where `from` has each edge. Throws
// std::invalid_argument where a number is out of range.
template <class T> void sort_by_element(const Tile &from, int n_elements, CenterTile &to);

// What was computed of such a tile, where `from` has its edges; of edges that belong to no center 0.
template <class T>
void unsorted_result(CenterTile &computed, int n_members, bool with_member_gradients, int n_edges,
                     TileResult &result);

// From a tile in double precision; each edge's neighbor is an atom by itself, after the centers.
void as_plain_tile(const CenterTile &from, int n_elements, Tile &to);

// What was computed of the plain tile, in the order of the edges, which is the same.
void take_result(const TileResult &result, CenterTile &to);

}    // namespace nnpal
