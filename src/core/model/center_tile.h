// Some centers with their edges, as the kernels of a CPU read them: written once, and their gradients read
// once.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace nnpal {

// In the precision that a model computes in. Axis by axis: edge e has the numbers e, capacity + e and 2 *
// capacity + e.
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
};

}    // namespace nnpal
