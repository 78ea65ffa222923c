// The repulsion of centers whose edges stand by center and element, as the kernels of a CPU read them.
#pragma once

#include "aev/aev_terms.h"
#include "pair_terms/repulsion_arguments.h"
#include "support/parallel.h"

#include <cstdint>

namespace nnpal {

// Every member's energies hold the repulsion, and so does each gradient: to both it is added. Gradients stand
// as edges.vec has the edges, whose steps are 1 and n_edges, those of the next 3 * edges.n_edges numbers on.
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
