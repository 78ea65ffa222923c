// From tensors to what the kernels take.
#pragma once

#include "pair_terms/repulsion.h"
#include "pair_terms/repulsion_edges.h"

namespace nnpal {

template <class T>
RepulsionEdges<T> repulsion_edges(const RepulsionArguments &arguments, const Graph &graph,
                                  const at::Tensor &parameters, const at::Tensor &energies,
                                  const at::Tensor &gradients)
{
  const auto *index = graph.edge_index.const_data_ptr<std::int64_t>();
  const EdgeCutoff kind = arguments.cutoff_function == "smooth"   ? EdgeCutoff::kSmooth
                          : arguments.cutoff_function == "cosine" ? EdgeCutoff::kCosine
                                                                  : EdgeCutoff::kNone;
  return {0,
          graph.n_local,
          graph.species.size(0),
          static_cast<int>(arguments.n_elements),
          kind,
          static_cast<T>(arguments.cutoff),
          static_cast<T>(arguments.energy_scale),
          static_cast<T>(arguments.length_scale),
          parameters.const_data_ptr<T>(),
          graph.edge_vec.const_data_ptr<T>(),
          index,
          index + graph.edge_vec.size(0),
          graph.species.const_data_ptr<std::int64_t>(),
          energies.mutable_data_ptr<T>(),
          gradients.mutable_data_ptr<T>()};
}

}    // namespace nnpal
