// Parameters of AEVs and the edges that they are computed of, for every device. Plain pointers, see
// aev_cpu.h.
#pragma once

#include <cstdint>

namespace nnpal {

// Parameters of an AEV; lengths in Å.
template <class T> struct AEVTerms {
  int n_elements, n_radial, n_shifts, n_sections, n_features;
  T radial_cutoff, radial_eta, angular_cutoff, angular_eta, zeta;
  bool is_smooth;              // cutoff function: smooth, else cosine
  const T *radial_shifts;      // [n_radial]
  const T *shifts;             // [n_shifts] of the angular term
  const T *cosines, *sines;    // [n_sections] of the angular sections
};

// Edges of all centers.
template <class T> struct SortedEdges {
  std::int64_t n_edges;
  const T *vec;                 // [n_edges * 3] r_neighbor - r_center, Å
  const T *tangent;             // [n_edges * 3] direction of a derivative, or null
  const std::int64_t *order;    // [n_edges] edges by center, then by the neighbor's element
  const std::int64_t *start;    // [n_centers * n_elements + 1] where those begin in `order`
};

}    // namespace nnpal
