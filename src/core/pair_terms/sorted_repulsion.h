// The repulsion of centers with edges sorted by center and element, the layout of the CPU kernels.
#pragma once

#include "aev/aev_terms.h"
#include "pair_terms/repulsion_arguments.h"
#include "support/parallel.h"

#include <cstdint>

namespace nnpal {

// The repulsion is added to every member's energies and to each gradient. Gradients are in the order of
// edges.vec, whose steps are 1 and n_edges, each 3 * edges.n_edges numbers after the one before.
template <class T> struct SortedRepulsion {
  const RepulsionArguments &arguments;
  const T *parameters;    // [3 * n_elements * n_elements]
  std::int64_t n_centers;
  const std::int64_t *elements;    // [n_centers]
  SortedEdges<T> edges;
  std::int64_t n_members, n_gradients;
  T *energies;     // [n_members * n_centers] eV
  T *gradients;    // [n_gradients * 3 * edges.n_edges] eV/Å
};

template <class T> void add_repulsion(const SortedRepulsion<T> &of, const ParallelFor &in_parallel);

}    // namespace nnpal
