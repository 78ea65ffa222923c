#include "support/device_graph.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <algorithm>

namespace nnpal {

using at::Tensor;

template <class T>
GroupedEdges<T>::GroupedEdges(std::int64_t n_elements, const Graph &graph, const Tensor *tangent) :
    stream(current_stream(graph.edge_vec))
{
  const std::int64_t n_edges = graph.edge_vec.size(0);
  TORCH_CHECK_VALUE(n_elements <= kMostElements, "n_elements is ", n_elements, ", expected at most ",
                    kMostElements, " on a GPU");
  TORCH_CHECK_VALUE(n_edges <= kMostEdges, "edge_vec has ", n_edges, " edges, expected at most ", kMostEdges,
                    " in one call on a GPU; evaluate the atoms in parts");
  const auto numbers = graph.edge_index.options();
  start_ = at::empty({graph.n_local + 1}, numbers);
  counts_ = at::zeros({graph.n_local + 2}, numbers);
  is_unsorted_ = at::zeros({1}, numbers.dtype(at::kInt));
  order_ = at::empty({n_edges}, numbers.dtype(at::kInt));
  const auto *index = graph.edge_index.const_data_ptr<std::int64_t>();
  edges = {n_edges,
           graph.n_local,
           graph.species.size(0),
           static_cast<int>(n_elements),
           graph.edge_vec.const_data_ptr<T>(),
           tangent ? tangent->const_data_ptr<T>() : nullptr,
           index,
           index + n_edges,
           graph.species.const_data_ptr<std::int64_t>(),
           start_.mutable_data_ptr<std::int64_t>(),
           order_.mutable_data_ptr<std::int32_t>(),
           is_unsorted_.mutable_data_ptr<int>(),
           counts_.mutable_data_ptr<std::int64_t>(),
           nullptr,
           nullptr};
  twin::mark_starts(edges, stream);
  twin::count_edges(edges, stream);
  counts_.cumsum_(0);
  twin::group_edges(edges, stream);
}

template <class T>
DeviceGraph<T>::DeviceGraph(const AEVArguments &arguments, const Graph &graph, const Tensor *tangent) :
    GroupedEdges<T>(arguments.n_elements, graph, tangent)
{
  place_terms(arguments, graph.edge_vec);
  const auto numbers = graph.edge_index.options().dtype(at::kInt);
  near_ = at::empty({graph.edge_vec.size(0)}, numbers);
  near_by_element_ = arguments.n_elements > 1 ? at::empty({graph.edge_vec.size(0)}, numbers) : near_;
  this->edges.near = near_.mutable_data_ptr<std::int32_t>();
  this->edges.near_by_element = near_by_element_.mutable_data_ptr<std::int32_t>();
}

// One small copy, which does not wait for the device.
template <class T> void DeviceGraph<T>::place_terms(const AEVArguments &arguments, const Tensor &on)
{
  const TypedTerms<T> typed(arguments);
  terms = typed.terms;
  TORCH_CHECK_VALUE(terms.n_shifts + terms.n_sections <= kMostAngularTerms, "there are ", terms.n_shifts,
                    " angular_shifts and ", terms.n_sections, " angular_sections, expected together at most ",
                    kMostAngularTerms, " on a GPU");
  const std::int64_t n = terms.n_radial + terms.n_shifts + 2 * terms.n_sections;
  const Tensor on_host = at::empty({n}, on.options().device(at::kCPU));
  T *to = on_host.mutable_data_ptr<T>();
  to = std::copy_n(terms.radial_shifts, terms.n_radial, to);
  to = std::copy_n(terms.shifts, terms.n_shifts, to);
  to = std::copy_n(terms.cosines, terms.n_sections, to);
  std::copy_n(terms.sines, terms.n_sections, to);
  numbers_ = on_host.to(on.device(), /*non_blocking=*/true);
  terms.radial_shifts = numbers_.const_data_ptr<T>();
  terms.shifts = terms.radial_shifts + terms.n_radial;
  terms.cosines = terms.shifts + terms.n_shifts;
  terms.sines = terms.cosines + terms.n_sections;
}

template class GroupedEdges<float>;
template class GroupedEdges<double>;
template class DeviceGraph<float>;
template class DeviceGraph<double>;

}    // namespace nnpal
