// The repulsion on a CPU, on plain arrays.
#pragma once

#include "aev/graph_pointers.h"
#include "pair_terms/repulsion_arguments.h"
#include "pair_terms/repulsion_edges.h"
#include "support/parallel.h"

namespace nnpal {

EdgeCutoff edge_cutoff(const RepulsionArguments &arguments);

// Arguments of the kernels of all devices. `of_edges` [n_edges] and `gradients` [n_edges * 3] are written.
template <class T>
RepulsionEdges<T> repulsion_edges(const RepulsionArguments &arguments, const GraphPointers &graph,
                                  const T *edge_vec, const T *parameters, T *of_edges, T *gradients);

// Also write the centers' energies [n_local], sums in the order of the edges. Throws std::invalid_argument if
// an index of the graph is out of range.
template <class T>
void evaluate_repulsion(const RepulsionEdges<T> &edges, std::int64_t n_edges, T *energies,
                        const ParallelFor &in_parallel);

}    // namespace nnpal
