// What aev_cpu.cpp computes, once for each instruction set. Plain pointers: the file is compiled with
// different flags, and a function template of the standard library could be shared by them all.
#pragma once

#include "aev/aev_columns.h"
#include "aev/aev_terms.h"

#include <cstdint>

namespace nnpal {

// Each works on the centers `centers[0..n)`, whose rows of AEVs follow one another.
template <class T> struct AEVFunctions {
  using Centers = const std::int64_t *;

  // aev [n * n_features]
  void (*forward)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, T *aev);
  // Derivative of the AEVs along edges.tangent, [n * n_features].
  void (*jvp)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, T *derivative);
  // For each of n_gradients ∂E/∂AEV, [n * n_features] one `stride` after another, ∂E/∂vec of the centers'
  // edges, each of them [n_edges * 3] in the places that the edges have in edges.vec.
  void (*vjp)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, int n_gradients,
              const T *gradients, std::int64_t stride, T *edge_gradients);
  // Derivative of vjp's result, of one gradient, along edges.tangent: the second derivatives of the AEVs.
  void (*second)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, const T *gradient,
                 T *edge_gradient);

  // An ensemble's way, with the parts of the AEV that are not 0: look the centers' edges up, write down in
  // `column` [n_parts] where the parts shall stand, and give the number of columns. What is found is kept for
  // this thread's next calls of the two below, for the same centers.
  int (*gather)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, int *column);
  void (*gathered_forward)(const AEVTerms<T> &, const SortedEdges<T> &, int n, const AEVColumns &, T *aev);
  void (*gathered_vjp)(const AEVTerms<T> &, const SortedEdges<T> &, int n, const AEVColumns &,
                       int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients);
};

}    // namespace nnpal
