// Parameters of AEVs, and the edges that they are computed from, for all devices. Plain pointers, see
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

constexpr int kReadBeyond = 16;    // registers are read whole

// Edges of all centers.
template <class T> struct SortedEdges {
  std::int64_t n_edges;
  const T *vec;        // r_neighbor - r_center, Å: axis a of edge e at
                       // e * step_of_edge + a * step_of_axis, so that [n_edges, 3] has steps 3 and 1;
                       // with steps of 1, kReadBeyond numbers after the last are readable, too
  const T *tangent;    // likewise, direction of a derivative, or null
  const std::int64_t
      *order;    // [n_edges] edges sorted by center, then by the neighbor's element; null: sorted already
  const std::int64_t *start;    // [n_centers * n_elements + 1] where those begin in `order`
  std::int64_t step_of_edge = 3, step_of_axis = 1;
};

}    // namespace nnpal
