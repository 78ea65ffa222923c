// Functions of aev_cpu.cpp for each instruction set. They take plain pointers, because the file is compiled
// with several sets of flags, which could end up sharing function templates of the standard library.
#pragma once

#include "aev/aev_columns.h"
#include "aev/aev_terms.h"

#include <cstdint>

namespace nnpal {

constexpr int kGatheredSlots = 4;

// Each evaluates the centers `centers[0..n)`, whose AEVs are consecutive rows.
template <class T> struct AEVFunctions {
  using Centers = const std::int64_t *;

  // aev [n * n_features]
  void (*forward)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, T *aev);
  // Derivative of the AEVs along edges.tangent, [n * n_features].
  void (*jvp)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, T *derivative);
  // From each of n_gradients ∂E/∂AEV, [n * n_features] and `stride` apart, ∂E/∂vec of the centers' edges,
  // [n_edges * 3], stored in the order of edges.vec.
  void (*vjp)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, int n_gradients,
              const T *gradients, std::int64_t stride, T *edge_gradients);
  // Derivative of vjp's result for one gradient along edges.tangent: second derivatives of the AEVs.
  void (*second)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, const T *gradient,
                 T *edge_gradient);

  // For ensembles, which use only the parts of the AEV that are not 0: gather the centers' edges, write the
  // first column of each part to `column` [n_parts], and return the number of columns. The edges are kept for
  // this thread's next calls of the two functions below, for the same centers, in one of kGatheredSlots
  // slots.
  int (*gather)(const AEVTerms<T> &, const SortedEdges<T> &, Centers, int n, int slot, int *column);
  void (*gathered_forward)(const AEVTerms<T> &, int n, int slot, const AEVColumns &, T *aev);
  void (*gathered_vjp)(const AEVTerms<T> &, const SortedEdges<T> &, int n, int slot, const AEVColumns &,
                       int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients);
};

}    // namespace nnpal
