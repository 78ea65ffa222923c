// CUDA implementation of the repulsion, on torch's current stream; the host does not wait.
#include "pair_terms/repulsion_cuda.h"
#include "pair_terms/repulsion_pointers.h"
#include "support/device_graph.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>

namespace nnpal {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(const RepulsionArguments &arguments, const Graph &graph,
                                    const Tensor &parameters)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const auto options = graph.edge_vec.options();
  const std::int64_t n_edges = graph.edge_vec.size(0);
  const Tensor energies = at::empty({graph.n_local}, options), of_edges = at::empty({n_edges}, options);
  const Tensor gradients = at::empty({n_edges, 3}, options);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::repulsion", [&] {
    const GroupedEdges<scalar_t> grouped(arguments.n_elements, graph, nullptr);
    twin::edge_repulsion(repulsion_edges<scalar_t>(arguments, graph, parameters, of_edges, gradients),
                         n_edges, grouped.stream);
    twin::sum_of_centers(grouped.edges, of_edges.const_data_ptr<scalar_t>(),
                         energies.mutable_data_ptr<scalar_t>(), grouped.stream);
  });
  return {energies, gradients};
}

}    // namespace

const RepulsionTwin kRepulsionOnCUDA{evaluate};

}    // namespace nnpal
