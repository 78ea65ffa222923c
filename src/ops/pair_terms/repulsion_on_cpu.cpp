// CPU implementation of the repulsion: core/pair_terms on tensors and torch's threads.
#include "pair_terms/repulsion_pointers.h"
#include "support/reusable_result.h"
#include "support/torch_threads.h"

#include <ATen/Dispatch.h>

namespace nnpal {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(const RepulsionArguments &arguments, const Graph &graph,
                                    const Tensor &parameters)
{
  static thread_local ReusableResult kept_energies, kept_of_edges, kept_gradients;
  const auto options = graph.edge_vec.options();
  const std::int64_t n_edges = graph.edge_vec.size(0);
  const Tensor energies = kept_energies.empty({graph.n_local}, options);
  const Tensor of_edges = kept_of_edges.empty({n_edges}, options);
  const Tensor gradients = kept_gradients.empty({n_edges, 3}, options);
  AT_DISPATCH_FLOATING_TYPES(options.dtype().toScalarType(), "nnpal::repulsion", [&] {
    const auto edges = repulsion_edges<scalar_t>(arguments, graph, parameters, of_edges, gradients);
    evaluate_repulsion(edges, n_edges, energies.mutable_data_ptr<scalar_t>(), on_torch_threads);
  });
  return {energies, gradients};
}

}    // namespace

const RepulsionTwin kRepulsionOnCPU{evaluate};

}    // namespace nnpal
