// torch.ops.nnpal.network_values, add_network_derivatives: the formulas of
// python/nnpal/training/network_pass.py for one network on a CPU. Matrix products are torch's; the operations
// between them are a single pass over memory.
#include "support/denormals.h"
#include "support/instruction_sets.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/mv.h>
#include <algorithm>
#include <torch/library.h>

namespace nnpal {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

constexpr std::int64_t kGrain = 1 << 15;    // numbers per thread, at least
constexpr std::int64_t kColumns = 64;       // per thread, at least, where rows are added

// A network's parameters, checked.
struct Network {
  Tensors weights;    // [n_out, n_in] of each layer, of the last one [1, n_in]
  std::vector<std::optional<Tensor>> biases;
  Activation activation;
  double alpha;

  std::size_t n_hidden() const { return weights.size() - 1; }
};

Network network_of(const Tensor &features, at::TensorList weights,
                   const c10::List<std::optional<Tensor>> &biases, c10::string_view activation, double alpha)
{
  TORCH_CHECK_VALUE(activation == "gelu" || activation == "celu", "activation is '", activation,
                    "', expected gelu or celu");
  TORCH_CHECK_VALUE(activation == "gelu" || alpha > 0, "alpha is ", alpha, ", expected more than 0");
  TORCH_CHECK_VALUE(!weights.empty() && weights.size() == biases.size(), "there are ", weights.size(),
                    " weights and ", biases.size(), " biases, expected one of each for every layer");
  TORCH_CHECK_VALUE(features.dim() == 2, "features are ", features.sizes(),
                    ", expected [n_rows, n_features]");
  const auto fits = [&](const Tensor &own) {
    return own.device().is_cpu() && own.is_contiguous() && own.scalar_type() == features.scalar_type();
  };
  TORCH_CHECK_VALUE(fits(features), "features are not a contiguous tensor on the CPU");
  Network network{{}, {}, activation == "gelu" ? Activation::kGELU : Activation::kCELU, alpha};
  std::int64_t n_in = features.size(1);
  for (std::size_t l = 0; l < weights.size(); ++l) {
    const std::int64_t n_out = l + 1 < weights.size() ? weights[l].size(0) : 1;
    TORCH_CHECK_VALUE(fits(weights[l]) && weights[l].sizes() == at::IntArrayRef({n_out, n_in}), "weights[", l,
                      "] are ", weights[l].scalar_type(), " ", weights[l].sizes(), ", expected a contiguous ",
                      features.scalar_type(), " [", n_out, ", ", n_in, "] on the CPU");
    const std::optional<Tensor> bias = biases.get(l);
    TORCH_CHECK_VALUE(!bias || (fits(*bias) && bias->sizes() == at::IntArrayRef({n_out})), "biases[", l,
                      "] are not a contiguous ", features.scalar_type(), " [", n_out, "] on the CPU");
    network.weights.push_back(weights[l]);
    network.biases.push_back(bias);
    n_in = n_out;
  }
  return network;
}

// act(first row, end row), shared by threads.
template <class Act> void for_rows(const Tensor &values, const Act &act)
{
  const std::int64_t grain = kGrain / std::max<std::int64_t>(values.size(1), 1) + 1;
  at::parallel_for(0, values.size(0), grain, [&](std::int64_t first, std::int64_t end) {
    const FlushDenormals flushed;
    act(first, end);
  });
}

// z becomes a(z + bias), slope a' and curvature, if defined, a''.
void activate(const Network &network, std::size_t layer, const Tensor &z, const Tensor &slope,
              const Tensor &curvature)
{
  const std::int64_t n = z.size(1);
  const std::optional<Tensor> &bias = network.biases[layer];
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "nnpal::network_values", [&] {
    auto *values = z.mutable_data_ptr<scalar_t>(), *slopes = slope.mutable_data_ptr<scalar_t>();
    auto *curvatures = curvature.defined() ? curvature.mutable_data_ptr<scalar_t>() : nullptr;
    const auto *biases = bias ? bias->const_data_ptr<scalar_t>() : nullptr;
    for_rows(z, [&](std::int64_t first, std::int64_t end) {
      training_functions<scalar_t>().activate(
          network.activation, static_cast<scalar_t>(network.alpha), end - first, static_cast<int>(n), biases,
          values + first * n, slopes + first * n, curvatures ? curvatures + first * n : nullptr);
    });
  });
}

// out = values * slope, and curvature, if defined, *= values; values [n_rows or 1, n].
void scale(const Tensor &values, const Tensor &slope, const Tensor &curvature, const Tensor &out)
{
  const std::int64_t n = out.size(1), stride = values.size(0) == out.size(0) ? n : 0;
  AT_DISPATCH_FLOATING_TYPES(out.scalar_type(), "nnpal::network_pass", [&] {
    const auto *from = values.const_data_ptr<scalar_t>(), *slopes = slope.const_data_ptr<scalar_t>();
    auto *curvatures = curvature.defined() ? curvature.mutable_data_ptr<scalar_t>() : nullptr;
    auto *to = out.mutable_data_ptr<scalar_t>();
    for_rows(out, [&](std::int64_t first, std::int64_t end) {
      training_functions<scalar_t>().scale(end - first, static_cast<int>(n), from + first * stride, stride,
                                           slopes + first * n, curvatures ? curvatures + first * n : nullptr,
                                           to + first * n);
    });
  });
}

// values = values * slope + curvature; returns their sums over rows. Each column is summed by one thread, so
// that no sum depends on the number of threads.
Tensor combine(const Tensor &slope, const Tensor &curvature, const Tensor &values)
{
  const std::int64_t n_rows = values.size(0), n = values.size(1);
  const Tensor sums = at::empty({n}, values.options());
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "nnpal::add_network_derivatives", [&] {
    const auto *slopes = slope.const_data_ptr<scalar_t>(), *curvatures = curvature.const_data_ptr<scalar_t>();
    auto *to = values.mutable_data_ptr<scalar_t>(), *total = sums.mutable_data_ptr<scalar_t>();
    const std::int64_t grain = std::max(kColumns, kGrain / std::max<std::int64_t>(n_rows, 1));
    at::parallel_for(0, n, grain, [&](std::int64_t first, std::int64_t end) {
      const FlushDenormals flushed;
      training_functions<scalar_t>().combine(n_rows, static_cast<int>(end - first), n, slopes + first,
                                             curvatures + first, to + first, total + first);
    });
  });
  return sums;
}

// Energies, their gradients with respect to the features, and for each hidden layer h, a', ∂E/∂z and, if
// curved, a'' ∂E/∂h.
Tensors network_values(const Tensor &features, at::TensorList weights,
                       const c10::List<std::optional<Tensor>> &biases, c10::string_view activation,
                       double alpha, bool is_curved)
{
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const Network network = network_of(features, weights, biases, activation, alpha);
  const std::size_t n_hidden = network.n_hidden();
  Tensors hidden, slopes, deltas(n_hidden), curvatures(n_hidden);
  Tensor input = features;
  for (std::size_t l = 0; l < n_hidden; ++l) {
    hidden.push_back(at::mm(input, network.weights[l].t()));
    input = hidden[l];
    slopes.push_back(at::empty_like(input));
    if (is_curved) curvatures[l] = at::empty_like(input);
    activate(network, l, input, slopes[l], curvatures[l]);
  }
  const Tensor &last = network.weights[n_hidden];
  Tensor energies = at::mv(input, last[0]);
  if (network.biases[n_hidden]) energies.add_(*network.biases[n_hidden]);
  Tensor gradients = last;
  for (std::size_t l = n_hidden; l-- > 0;) {
    deltas[l] = l + 1 == n_hidden ? at::empty_like(hidden[l]) : gradients;
    scale(gradients, slopes[l], curvatures[l], deltas[l]);
    gradients = at::mm(deltas[l], network.weights[l]);
  }
  if (n_hidden == 0) gradients = last.expand_as(features).contiguous();
  Tensors found{energies, gradients};
  for (const Tensors *each : {&hidden, &slopes, &deltas})
    found.insert(found.end(), each->begin(), each->end());
  if (is_curved) found.insert(found.end(), curvatures.begin(), curvatures.end());
  return found;
}

// Adds to `sums`, one for each weight and bias, the gradient of Σ (seeds E + directions·∂E/∂x). `kept`: the
// results of network_values after energies and gradients; its curvatures are overwritten.
void add_network_derivatives(const Tensor &features, at::TensorList weights,
                             const c10::List<std::optional<Tensor>> &biases, at::TensorList kept,
                             const Tensor &seeds, const Tensor &directions, at::TensorList weight_sums,
                             const c10::List<std::optional<Tensor>> &bias_sums)
{
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const Network network = network_of(features, weights, biases, "gelu", 1.0);    // activation not used here
  const std::size_t n_hidden = network.n_hidden();
  TORCH_CHECK_VALUE(kept.size() == 4 * n_hidden, "kept are ", kept.size(), " tensors, expected ",
                    4 * n_hidden, ", of curved values");
  TORCH_CHECK_VALUE(weight_sums.size() == weights.size() && bias_sums.size() == weights.size(), "sums are ",
                    weight_sums.size(), " and ", bias_sums.size(), ", expected ", weights.size(), " of each");
  TORCH_CHECK_VALUE(directions.sizes() == features.sizes() && directions.is_contiguous() &&
                        seeds.sizes() == at::IntArrayRef({features.size(0)}),
                    "seeds are ", seeds.sizes(), " and directions ", directions.sizes(),
                    ", expected one for each row and, contiguous, ", features.sizes());
  const auto hidden = kept.slice(0, n_hidden), slopes = kept.slice(n_hidden, n_hidden),
             deltas = kept.slice(2 * n_hidden, n_hidden), curvatures = kept.slice(3 * n_hidden, n_hidden);
  const auto add_to_bias = [&](std::size_t layer, const Tensor &sum) {
    if (const std::optional<Tensor> own = bias_sums.get(layer)) own->add_(sum);
  };
  Tensors tangents{directions};
  for (std::size_t l = 0; l < n_hidden; ++l) {
    tangents.push_back(at::mm(tangents[l], network.weights[l].t()));
    scale(tangents[l + 1], slopes[l], curvatures[l], tangents[l + 1]);
  }
  const Tensor &last = network.weights[n_hidden];
  const Tensor column = seeds.unsqueeze(1);
  Tensor of_last = weight_sums[n_hidden];
  of_last.addmm_(column.t(), n_hidden > 0 ? hidden[n_hidden - 1] : features).add_(tangents[n_hidden].sum(0));
  add_to_bias(n_hidden, seeds.sum());
  Tensor moment = n_hidden > 0 ? at::mul(column, last) : Tensor();
  for (std::size_t l = n_hidden; l-- > 0;) {
    add_to_bias(l, combine(slopes[l], curvatures[l], moment));
    Tensor sum = weight_sums[l];
    sum.addmm_(moment.t(), l > 0 ? hidden[l - 1] : features).addmm_(deltas[l].t(), tangents[l]);
    if (l > 0) moment = at::mm(moment, network.weights[l]);
  }
}

}    // namespace
}    // namespace nnpal

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("network_values(Tensor features, Tensor[] weights, Tensor?[] biases, str activation, float alpha, "
        "bool curved) -> Tensor[]");
  m.def("add_network_derivatives(Tensor features, Tensor[] weights, Tensor?[] biases, Tensor(a!)[] kept, "
        "Tensor seeds, Tensor directions, Tensor(b!)[] weight_sums, Tensor(c!)?[] bias_sums) -> ()");
}

TORCH_LIBRARY_IMPL(nnpal, CPU, m)
{
  m.impl("network_values", &nnpal::network_values);
  m.impl("add_network_derivatives", &nnpal::add_network_derivatives);
}
