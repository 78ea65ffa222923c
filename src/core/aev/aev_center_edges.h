// One center's edges in rows, sorted by the neighbor's element, those within the angular cutoff first, and by
// distance, so that a vector of edges needs few of the Gaussians.
#pragma once

#include "aev/aev_reach.h"
#include "aev/aev_terms.h"
#include "support/dual_lanes.h"
#include "support/thread_scratch.h"

namespace nnpal::NNPAL_ISA {

// f(r) and f'(r); 0 from the cutoff on.
template <class N>
NNPAL_INLINE void cutoff_function(N r, typename N::Scalar cutoff, bool is_smooth, N &value, N &slope)
{
  using T = typename N::Scalar;
  const N u = r * (T(1) / cutoff);
  if (is_smooth) {    // exp(1 - 1/(1 - u²))
    const N rest = larger(T(1) - u * u, T(1e-10));
    const N inverse = N(T(1)) / rest;
    value = zero_from(r, cutoff, exponential(T(1) - inverse));
    slope = zero_from(rest * T(-1), T(-1e-10), value * u * inverse * inverse * (T(-2) / cutoff));
  } else {
    value = zero_from(r, cutoff, cosine_pi(u) * T(0.5) + T(0.5));
    slope = zero_from(r, cutoff, sine_pi(u) * T(-0.5 * kPi / cutoff));
  }
}

// Unit vectors and distances. Each element begins at a whole vector, and rows may be read in whole vectors
// from any edge on.
template <class N> struct CenterEdges {
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;

  Row<N> x, y, z, r;
  Row<N> f, slope;          // angular cutoff function, within its cutoff
  int *group;               // [n_elements + 1] first edge of each
  int *n_of_group;          // [n_elements]
  int *n_near;              // [n_elements] number of edges within the angular cutoff
  T *nearest, *farthest;    // [n_elements] distances of those
  Shifts *shifts;           // radial shifts that matter for each vector of edges
  int *place;               // of each edge in the center's input order
  std::int64_t first;       // of the center's edges, in the input order
  int n;                    // including padding between elements

  static int padded(int n_edges, int n_elements) { return n_edges + (n_elements + 1) * kWidth; }

  static std::size_t bytes(int n_edges, int n_elements)
  {
    const int n_padded = padded(n_edges, n_elements);
    return 6 * row_bytes<N>(n_padded) + Scratch::bytes_for<int>(n_padded) +
           3 * Scratch::bytes_for<int>(n_elements + 1) + 2 * Scratch::bytes_for<T>(n_elements) +
           Scratch::bytes_for<Shifts>(n_padded / kWidth);
  }

  void take(int n_edges, int n_elements, Scratch &scratch)
  {
    const int n_padded = padded(n_edges, n_elements);
    for (Row<N> *one : {&x, &y, &z, &r, &f, &slope}) *one = take_row<N>(n_padded, scratch);
    place = scratch.take<int>(n_padded);
    for (int **one : {&group, &n_of_group, &n_near}) *one = scratch.take<int>(n_elements + 1);
    for (T **one : {&nearest, &farthest}) *one = scratch.take<T>(n_elements);
    shifts = scratch.take<Shifts>(n_padded / kWidth);
  }
};

}    // namespace nnpal::NNPAL_ISA
