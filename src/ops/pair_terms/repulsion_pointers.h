// Converts tensors to the arguments of the kernels.
#pragma once

#include "pair_terms/repulsion.h"
#include "pair_terms/repulsion_cpu.h"

namespace nnpal {

template <class T>
RepulsionEdges<T> repulsion_edges(const RepulsionArguments &arguments, const Graph &graph,
                                  const at::Tensor &parameters, const at::Tensor &energies,
                                  const at::Tensor &gradients)
{
  return repulsion_edges<T>(arguments, graph.pointers(), graph.edge_vec.const_data_ptr<T>(),
                            parameters.const_data_ptr<T>(), energies.mutable_data_ptr<T>(),
                            gradients.mutable_data_ptr<T>());
}

}    // namespace nnpal
