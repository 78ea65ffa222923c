// CUDA implementation of the AEV, on torch's current stream; the host never waits.
#include "support/device_graph.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>

namespace nnpal {
namespace {

using at::Tensor;

Tensor forward(const AEVArguments &arguments, const Graph &graph)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const Tensor aev = at::empty({graph.n_local, arguments.n_features()}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev", [&] {
    const DeviceGraph<scalar_t> device(arguments, graph, nullptr);
    twin::aev_forward(device.terms, device.edges, nullptr, graph.n_local, aev.mutable_data_ptr<scalar_t>(),
                      device.stream);
  });
  return aev;
}

Tensor jvp(const AEVArguments &arguments, const Graph &graph, const Tensor &tangent)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const Tensor derivative = at::empty({graph.n_local, arguments.n_features()}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev_jvp", [&] {
    const DeviceGraph<scalar_t> device(arguments, graph, &tangent);
    twin::aev_jvp(device.terms, device.edges, nullptr, graph.n_local, derivative.mutable_data_ptr<scalar_t>(),
                  device.stream);
  });
  return derivative;
}

Tensor vjp(const AEVArguments &arguments, const Graph &graph, const Tensor &gradient)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const Tensor of_edges = at::empty_like(graph.edge_vec);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev_vjp", [&] {
    const DeviceGraph<scalar_t> device(arguments, graph, nullptr);
    twin::aev_vjp(device.terms, device.edges, nullptr, graph.n_local, 1, gradient.const_data_ptr<scalar_t>(),
                  0, of_edges.mutable_data_ptr<scalar_t>(), device.stream);
  });
  return of_edges;
}

Tensor second(const AEVArguments &arguments, const Graph &graph, const Tensor &gradient,
              const Tensor &tangent)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const Tensor of_edges = at::empty_like(graph.edge_vec);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::aev second derivative", [&] {
    const DeviceGraph<scalar_t> device(arguments, graph, &tangent);
    twin::aev_second(device.terms, device.edges, nullptr, graph.n_local, gradient.const_data_ptr<scalar_t>(),
                     of_edges.mutable_data_ptr<scalar_t>(), device.stream);
  });
  return of_edges;
}

}    // namespace

const AEVTwin kAEVOnCUDA{forward, vjp, jvp, second};

}    // namespace nnpal
