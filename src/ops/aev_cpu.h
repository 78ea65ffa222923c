// What aev_cpu.cpp computes, once for each instruction set. Plain pointers: the file is compiled with
// different flags, and a function template of the standard library could be shared by them all.
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

// Edges of all centres.
template <class T> struct SortedEdges {
  std::int64_t n_edges;
  const T *vec;                 // [n_edges * 3] r_neighbour - r_centre, Å
  const T *tangent;             // [n_edges * 3] direction of a derivative, or null
  const std::int64_t *order;    // [n_edges] edges by centre, then by the neighbour's element
  const std::int64_t *start;    // [n_centres * n_elements + 1] where those begin in `order`
};

// Each works on the centres `centres[0..n)`, whose rows of AEVs follow one another.
template <class T> struct AEVKernels {
  using Centres = const std::int64_t *;

  // aev [n * n_features]
  void (*forward)(const AEVTerms<T> &, const SortedEdges<T> &, Centres, int n, T *aev);
  // Derivative of the AEVs along edges.tangent, [n * n_features].
  void (*jvp)(const AEVTerms<T> &, const SortedEdges<T> &, Centres, int n, T *derivative);
  // For each of n_gradients ∂E/∂AEV, [n * n_features] one `stride` after another, ∂E/∂vec of the centres'
  // edges in [n_gradients * n_edges * 3].
  void (*vjp)(const AEVTerms<T> &, const SortedEdges<T> &, Centres, int n, int n_gradients,
              const T *gradients, std::int64_t stride, T *edge_gradients);
  // Derivative of vjp's result, of one gradient, along edges.tangent: the second derivatives of the AEVs.
  void (*second)(const AEVTerms<T> &, const SortedEdges<T> &, Centres, int n, const T *gradient,
                 T *edge_gradient);
};

}    // namespace nnpal
