// CUDA implementation of the ensemble. Centers of one element pass through AEV, networks and back in chunks
// that limit the memory; all members are one batch of cuBLAS, which follows torch's TF32 setting. Everything
// runs on torch's current stream; the host waits only for the number of centers of each element, if there are
// several elements and the species are new.
#include "ensemble/ensemble.h"
#include "networks/networks_cuda.h"
#include "support/device_graph.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <algorithm>
#include <c10/core/DeviceGuard.h>
#include <deque>

namespace nnpal {
namespace {

using at::Tensor;

constexpr std::int64_t kScratchBytes = std::int64_t(1) << 30, kFewestRows = 1024, kMostRows = 1 << 18;
constexpr std::int64_t kPadding = 8;    // numbers; aligns rows for fast matrix products

std::int64_t padded(std::int64_t n)
{
  return (n + kPadding - 1) / kPadding * kPadding;
}

// Centers by element; `centers` is undefined if all are of one.
struct Plan {
  Tensor centers;
  std::vector<std::int64_t> start;    // [n_elements + 1]
};

// Waits for the device.
Plan sorted_plan(const Graph &graph, std::int64_t n_elements)
{
  const auto [species, centers] = graph.species.narrow(0, 0, graph.n_local).sort(true, 0, false);
  const Tensor start = at::searchsorted(species, at::arange(n_elements + 1, species.options())).cpu();
  const auto *begin = start.const_data_ptr<std::int64_t>();
  Plan result{centers, {begin, begin + n_elements + 1}};
  TORCH_CHECK_VALUE(result.start.front() == 0 && result.start.back() == graph.n_local,
                    "species of centers are out of range, expected 0 to ", n_elements - 1,
                    ", the elements of the model");
  return result;
}

// Plans of the last species tensors, which do not change in MD. While a tensor is held, its address is not
// reused, and its version shows whether it was modified.
class Plans {
public:
  const Plan &of(const Graph &graph, std::int64_t n_elements)
  {
    const bool can_tell = !graph.species.is_inference();
    const auto version = can_tell ? graph.species._version() : 0;
    for (const Known &one : known_)
      if (can_tell && one.species.is_same(graph.species) && one.version == version &&
          one.n_local == graph.n_local && one.n_elements == n_elements)
        return one.plan;
    if (known_.size() == kMostKnown) known_.pop_front();
    known_.push_back({graph.species, version, graph.n_local, n_elements, sorted_plan(graph, n_elements)});
    return known_.back().plan;
  }

private:
  static constexpr std::size_t kMostKnown = 32;

  struct Known {
    Tensor species;
    std::int64_t version, n_local, n_elements;
    Plan plan;
  };
  std::deque<Known> known_;
};

// For one element: weights of each layer [n_active, n_out, n_in], the first one's inputs padded by zeros.
template <class T> struct Networks {
  std::vector<Tensor> weights;
  std::vector<const T *> bias;
  std::int64_t stride;    // from a member's bias to the next member's

  Networks(const EnsembleArguments &arguments, const Tensor &all, std::int64_t element,
           std::int64_t n_active) :
      stride(arguments.offset(element, 1) - arguments.offset(element, 0))
  {
    std::int64_t offset = arguments.offset(element, 0), n_in = arguments.aev.n_features();
    for (const std::int64_t n_out : arguments.layers[element]) {
      const Tensor own =
          all.as_strided({n_active, n_out, n_in}, {stride, n_in, 1}, all.storage_offset() + offset);
      const std::int64_t padding = weights.empty() ? padded(n_in) - n_in : 0;
      weights.push_back(at::constant_pad_nd(own, {0, padding}).contiguous());
      bias.push_back(all.const_data_ptr<T>() + offset + n_out * n_in);
      offset += n_out * (n_in + 1);
      n_in = n_out;
    }
  }
};

template <class T> struct Work {
  const EnsembleArguments &arguments;
  const DeviceGraph<T> &device;
  AEVTerms<T> terms;    // rows padded
  const Tensor &weights, coefficients;
  std::int64_t n_active, n_local, n_gradients;
  Tensor energies, edge_gradients;
};

// Forward and backward pass through the networks; aev [n_rows, n_features]. Returns the gradients of each
// member's energy with respect to it, [n_active, n_rows, n_features].
template <class T>
Tensor evaluate_networks(const Work<T> &work, const Networks<T> &networks,
                         const std::vector<std::int64_t> &layers, const EnergyPlace<T> &place,
                         const Tensor &aev)
{
  const std::int64_t n_rows = aev.size(0), m = work.n_active, n_hidden = layers.size() - 1;
  const auto alpha = static_cast<T>(work.arguments.alpha);
  Tensor input = aev.unsqueeze(0).expand({m, n_rows, aev.size(1)});
  if (n_hidden == 0) {    // a single layer
    const std::int64_t offset = networks.bias[0] - work.weights.template const_data_ptr<T>();
    const Tensor bias =
        work.weights.as_strided({m, 1}, {networks.stride, 1}, work.weights.storage_offset() + offset);
    const Tensor energies =
        (at::bmm(input, networks.weights[0].transpose(1, 2)).squeeze(2) + bias) * place.scale;
    if (place.centers) {
      const Tensor centers =
          at::from_blob(const_cast<std::int64_t *>(place.centers), {n_rows}, aev.options().dtype(at::kLong));
      work.energies.index_copy_(1, centers, energies);
    } else
      work.energies.narrow(1, place.first, n_rows).copy_(energies);
    return networks.weights[0].expand({m, n_rows, aev.size(1)}).contiguous();
  }
  std::vector<Tensor> slopes;
  for (std::int64_t l = 0; l < n_hidden; ++l) {
    const Tensor z = at::bmm(input, networks.weights[l].transpose(1, 2));
    const LayerRows<T> rows{static_cast<int>(m), static_cast<int>(n_rows), static_cast<int>(layers[l]),
                            networks.bias[l], networks.stride};
    T *numbers = z.template mutable_data_ptr<T>();
    if (l + 1 < n_hidden) {
      slopes.push_back(at::empty_like(z));
      twin::activate(work.arguments.activation, alpha, rows, numbers,
                     slopes.back().template mutable_data_ptr<T>(), work.device.stream);
    } else
      twin::finish(work.arguments.activation, alpha, rows, place, numbers, work.device.stream);
    input = z;
  }
  if (work.n_gradients == 0) return {};
  for (std::int64_t l = n_hidden - 1; l >= 0; --l) {
    input = at::bmm(input, networks.weights[l]);
    if (l > 0)
      twin::multiply(input.numel(), slopes[l - 1].template const_data_ptr<T>(),
                     input.template mutable_data_ptr<T>(), work.device.stream);
  }
  return input;
}

template <class T>
void evaluate_chunk(const Work<T> &work, const Networks<T> &networks, const std::vector<std::int64_t> &layers,
                    const EnergyPlace<T> &place, std::int64_t n_rows)
{
  const std::int64_t n_features = work.terms.n_features, m = work.n_active;
  const auto options = work.energies.options();
  // For one element, the chunk's first center is not the first of all
  DeviceEdges<T> edges = work.device.edges;
  if (!place.centers) edges.start += place.first;
  const Tensor aev = at::zeros({n_rows, n_features}, options);
  twin::aev_forward(work.terms, edges, place.centers, n_rows, aev.template mutable_data_ptr<T>(),
                    work.device.stream);
  const Tensor of_members = evaluate_networks(work, networks, layers, place, aev);
  if (work.n_gradients == 0) return;
  const Tensor combined = at::empty({work.n_gradients, n_rows, n_features}, options);
  twin::combine(static_cast<int>(work.n_gradients), static_cast<int>(m), static_cast<int>(n_rows),
                static_cast<int>(n_features), place, work.coefficients.template const_data_ptr<T>(),
                of_members.template const_data_ptr<T>(), combined.template mutable_data_ptr<T>(),
                work.device.stream);
  twin::aev_vjp(work.terms, edges, place.centers, n_rows, static_cast<int>(work.n_gradients),
                combined.template const_data_ptr<T>(), n_rows * n_features,
                work.edge_gradients.template mutable_data_ptr<T>(), work.device.stream);
}

template <class T> std::int64_t rows_at_once(const Work<T> &work, const std::vector<std::int64_t> &layers)
{
  std::int64_t n = work.terms.n_features * (1 + work.n_active + work.n_gradients);
  for (const std::int64_t n_out : layers) n += 2 * work.n_active * n_out;
  return std::clamp<std::int64_t>(kScratchBytes / (n * sizeof(T)), kFewestRows, kMostRows);
}

template <class T> void evaluate_all(const Work<T> &work, const Graph &graph)
{
  const std::int64_t n_elements = work.arguments.aev.n_elements;
  static thread_local Plans plans;
  const Plan centers = n_elements == 1 ? Plan{{}, {0, graph.n_local}} : plans.of(graph, n_elements);
  for (std::int64_t element = 0; element < n_elements; ++element) {
    const std::int64_t begin = centers.start[element], end = centers.start[element + 1];
    if (begin == end) continue;
    const auto &layers = work.arguments.layers[element];
    const Networks<T> networks(work.arguments, work.weights, element, work.n_active);
    const std::int64_t at_once = rows_at_once(work, layers);
    for (std::int64_t first = begin; first < end; first += at_once) {
      const EnergyPlace<T> place{centers.centers.defined()
                                     ? centers.centers.template const_data_ptr<std::int64_t>() + first
                                     : nullptr,
                                 first, work.n_local, static_cast<T>(work.arguments.energy_scale),
                                 work.energies.template mutable_data_ptr<T>()};
      evaluate_chunk(work, networks, layers, place, std::min(at_once, end - first));
    }
  }
}

std::tuple<Tensor, Tensor> evaluate(const EnsembleArguments &arguments, const Graph &graph,
                                    const Tensor &weights, const Tensor &coefficients)
{
  const c10::DeviceGuard on(graph.edge_vec.device());
  const at::NoGradGuard inference;
  const std::int64_t n_gradients = coefficients.size(0), n_active = coefficients.size(1);
  const Tensor energies = at::empty({n_active, graph.n_local}, graph.edge_vec.options());
  const Tensor edge_gradients = at::empty({n_gradients, graph.edge_vec.size(0), 3}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::ensemble", [&] {
    const DeviceGraph<scalar_t> device(arguments.aev, graph, nullptr);
    AEVTerms<scalar_t> terms = device.terms;
    terms.n_features = static_cast<int>(padded(terms.n_features));
    evaluate_all(Work<scalar_t>{arguments, device, terms, weights, coefficients.contiguous(), n_active,
                                graph.n_local, n_gradients, energies, edge_gradients},
                 graph);
  });
  return {energies, edge_gradients};
}

}    // namespace

const EnsembleTwin kEnsembleOnCUDA{evaluate};

}    // namespace nnpal
