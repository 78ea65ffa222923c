// CPU implementation of the AEV: edges are sorted, and threads share the centers.
#include "aev/aev.h"
#include "support/denormals.h"
#include "support/edge_order.h"
#include "support/instruction_sets.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <numeric>

namespace nnpal {
namespace {

using at::Tensor;

constexpr std::int64_t kCentersPerThread = 16;    // fewer are not worth another thread

// Act on runs of centers, with the arguments of aev_cpu.h.
template <class T, class Do>
void for_centers(const AEVArguments &arguments, const Graph &graph, const Tensor *tangent, const Do &act)
{
  const TypedTerms<T> terms(arguments);
  static thread_local EdgeOrder sorted;
  sorted.sort(graph.pointers(), terms.terms.n_elements);
  const SortedEdges<T> edges{graph.edge_index.size(1), graph.edge_vec.const_data_ptr<T>(),
                             tangent ? tangent->const_data_ptr<T>() : nullptr, sorted.order.data(),
                             sorted.start.data()};
  std::vector<std::int64_t> centers(graph.n_local);
  std::iota(centers.begin(), centers.end(), 0);
  at::parallel_for(0, graph.n_local, kCentersPerThread, [&](std::int64_t first, std::int64_t last) {
    const FlushDenormals flushed;
    act(aev_functions<T>(), terms.terms, edges, centers.data() + first, first,
        static_cast<int>(last - first));
  });
}

Tensor forward(const AEVArguments &arguments, const Graph &graph)
{
  const Tensor aev = at::empty({graph.n_local, arguments.n_features()}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev", [&] {
    auto *to = aev.mutable_data_ptr<scalar_t>();
    for_centers<scalar_t>(
        arguments, graph, nullptr,
        [&](auto &functions, auto &terms, auto &edges, auto *centers, std::int64_t first, int n) {
          functions.forward(terms, edges, centers, n, to + first * terms.n_features);
        });
  });
  return aev;
}

Tensor jvp(const AEVArguments &arguments, const Graph &graph, const Tensor &tangent)
{
  const Tensor derivative = at::empty({graph.n_local, arguments.n_features()}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev_jvp", [&] {
    auto *to = derivative.mutable_data_ptr<scalar_t>();
    for_centers<scalar_t>(
        arguments, graph, &tangent,
        [&](auto &functions, auto &terms, auto &edges, auto *centers, std::int64_t first, int n) {
          functions.jvp(terms, edges, centers, n, to + first * terms.n_features);
        });
  });
  return derivative;
}

Tensor vjp(const AEVArguments &arguments, const Graph &graph, const Tensor &gradient)
{
  const Tensor of_edges = at::empty_like(graph.edge_vec);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev_vjp", [&] {
    const auto *from = gradient.const_data_ptr<scalar_t>();
    auto *to = of_edges.mutable_data_ptr<scalar_t>();
    for_centers<scalar_t>(
        arguments, graph, nullptr,
        [&](auto &functions, auto &terms, auto &edges, auto *centers, std::int64_t first, int n) {
          functions.vjp(terms, edges, centers, n, 1, from + first * terms.n_features, 0, to);
        });
  });
  return of_edges;
}

Tensor second(const AEVArguments &arguments, const Graph &graph, const Tensor &gradient,
              const Tensor &tangent)
{
  const Tensor of_edges = at::empty_like(graph.edge_vec);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev second derivative", [&] {
    const auto *from = gradient.const_data_ptr<scalar_t>();
    auto *to = of_edges.mutable_data_ptr<scalar_t>();
    for_centers<scalar_t>(
        arguments, graph, &tangent,
        [&](auto &functions, auto &terms, auto &edges, auto *centers, std::int64_t first, int n) {
          functions.second(terms, edges, centers, n, from + first * terms.n_features, to);
        });
  });
  return of_edges;
}

// Several features are processed together, to share common work.
Tensor jacobian(const AEVArguments &arguments, const Graph &graph)
{
  constexpr int kTogether = 8;
  const std::int64_t n_features = arguments.n_features(), n_edges = graph.edge_vec.size(0);
  const Tensor by_feature = at::empty({n_features, n_edges, 3}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev_jacobian", [&] {
    auto *to = by_feature.mutable_data_ptr<scalar_t>();
    for_centers<scalar_t>(arguments, graph, nullptr,
                          [&](auto &functions, auto &terms, auto &edges, auto *centers, std::int64_t, int n) {
                            const std::int64_t size = static_cast<std::int64_t>(n) * n_features;
                            for (std::int64_t first = 0; first < n_features; first += kTogether) {
                              const auto n_together = std::min<std::int64_t>(kTogether, n_features - first);
                              std::vector<scalar_t> units(n_together * size, scalar_t(0));
                              for (std::int64_t g = 0; g < n_together; ++g)
                                for (int c = 0; c < n; ++c)
                                  units[g * size + c * n_features + first + g] = scalar_t(1);
                              functions.vjp(terms, edges, centers, n, static_cast<int>(n_together),
                                            units.data(), size, to + first * n_edges * 3);
                            }
                          });
  });
  return by_feature.transpose(0, 1).contiguous();
}

}    // namespace

const AEVTwin kAEVOnCPU{forward, vjp, jvp, second, jacobian};

}    // namespace nnpal
