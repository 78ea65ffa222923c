// Energies of all members, and gradients with respect to the edges, in one pass on plain arrays.
#pragma once

#include "aev/aev_terms.h"
#include "aev/graph_pointers.h"
#include "ensemble/ensemble_arguments.h"
#include "ensemble/packed_weights.h"
#include "support/parallel.h"

namespace nnpal {

// With coefficients c [n_gradients, n_active, n_local] of any strides: energies e of the first n_active
// members, and Σ_mi c_gmi ∂e_mi/∂edge_vec. Gradients of padding edges are not set.
template <class T> struct EnsembleCall {
  const EnsembleArguments &arguments;
  GraphPointers graph;
  const T *edge_vec;    // [n_edges * 3] r_neighbor - r_center, Å
  const T *weights;     // [arguments.n_weights()]
  std::int64_t n_active, n_gradients;
  const T *coefficients;
  std::int64_t strides[3];    // of the coefficients
  T *energies;                // [n_active * n_local] eV
  T *edge_gradients;          // [n_gradients * n_edges * 3] eV/Å
};

// The same for edges sorted by center and element, as in SortedEdges: gradients are in the order of
// edges.vec, each 3 * edges.n_edges numbers after the one before.
template <class T> struct SortedEnsembleCall {
  const EnsembleArguments &arguments;
  std::int64_t n_local;
  const std::int64_t *elements;    // [n_local] of the centers, in range
  SortedEdges<T> edges;
  const T *weights;
  std::int64_t n_active, n_gradients;
  const T *coefficients;
  std::int64_t strides[3];
  T *energies, *edge_gradients;
  PackedWeights<T> *packed = nullptr;    // of these weights, if they are constant; or null
};

template <class T> void evaluate_ensemble(const SortedEnsembleCall<T> &call, const ParallelFor &in_parallel);

// Throws std::invalid_argument if an index of the graph is out of range.
template <class T> void evaluate_ensemble(const EnsembleCall<T> &call, const ParallelFor &in_parallel);

}    // namespace nnpal
