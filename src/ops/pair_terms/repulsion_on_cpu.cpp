// The repulsion's CPU twin: the kernel of every device as a loop, which threads share.
#include "pair_terms/repulsion_kernels.h"
#include "pair_terms/repulsion_pointers.h"
#include "support/reusable_result.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <algorithm>

namespace nnpal {
namespace {

using at::Tensor;

constexpr std::int64_t kEdgesPerThread = 4096;    // fewer are not worth another thread

std::tuple<Tensor, Tensor> evaluate(const RepulsionArguments &arguments, const Graph &graph,
                                    const Tensor &parameters)
{
  static thread_local ReusableResult kept_energies, kept_of_edges, kept_gradients;
  static thread_local std::vector<double> sums;
  const auto options = graph.edge_vec.options();
  const std::int64_t n_edges = graph.edge_vec.size(0);
  const Tensor energies = kept_energies.empty({graph.n_local}, options);
  const Tensor of_edges = kept_of_edges.empty({n_edges}, options);
  const Tensor gradients = kept_gradients.empty({n_edges, 3}, options);
  AT_DISPATCH_FLOATING_TYPES(options.dtype().toScalarType(), "nnpal::repulsion", [&] {
    const auto edges = repulsion_edges<scalar_t>(arguments, graph, parameters, of_edges, gradients);
    at::parallel_for(0, n_edges, kEdgesPerThread, [&](std::int64_t first, std::int64_t last) {
      auto own = edges;
      own.first = first;
      on_host::launch_items(on_host::EdgeRepulsion<scalar_t>(own), last - first, nullptr);
    });
    sums.assign(graph.n_local + 1, 0.0);    // the last one of edges that belong to nothing
    for (std::int64_t edge = 0; edge < n_edges; ++edge)
      sums[edges.center[edge]] += static_cast<double>(edges.energies[edge]);
    std::copy_n(sums.begin(), graph.n_local, energies.mutable_data_ptr<scalar_t>());
  });
  return {energies, gradients};
}

}    // namespace

const RepulsionTwin kRepulsionOnCPU{evaluate};

}    // namespace nnpal
