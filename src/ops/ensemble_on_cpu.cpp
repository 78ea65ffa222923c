// The ensemble's CPU twin. Centres of one element go through AEV, networks and back in blocks whose numbers
// stay in the cache; threads share the blocks.
#include "edges.h"
#include "ensemble.h"
#include "instruction_sets.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <algorithm>

namespace nnpal {
namespace {

using at::Tensor;

constexpr std::int64_t kBlock =
    128;    // centres; of 32 to 256 the fastest, by a little, for 5 members (Zen 5)

// C [m, n] = A [m, k] B, where B is [k, n], or [n, k] to be transposed; rows follow one another.
template <class T>
void product(std::int64_t m, std::int64_t n, std::int64_t k, const T *a, const T *b, bool is_transposed, T *c)
{
  const auto matrix = [](const T *numbers, std::int64_t n_rows, std::int64_t n_columns) {
    return at::from_blob(const_cast<T *>(numbers), {n_rows, n_columns}, c10::CppTypeToScalarType<T>::value);
  };
  at::Tensor result = matrix(c, m, n);
  at::mm_out(result, matrix(a, m, k), is_transposed ? matrix(b, n, k).t() : matrix(b, k, n));
}

struct Block {
  std::int64_t element, first, n;    // centres[first .. first + n)
};

// What all blocks share.
template <class T> struct Work {
  const EnsembleArguments &arguments;
  AEVTerms<T> terms;
  SortedEdges<T> edges;
  const T *weights;
  std::int64_t n_active, n_local, n_gradients;
  const T *coefficients;                // [n_gradients * n_active * n_local]
  std::vector<std::int64_t> centres;    // by element
  std::vector<Block> blocks;
  T *energies;          // [n_active * n_local]
  T *edge_gradients;    // [n_gradients * n_edges * 3]
};

// A thread's memory for one block, kept between calls.
template <class T> struct Buffers {
  std::vector<T> aev, aev_gradient, member_gradient, combined, energies, factor;
  std::vector<std::vector<T>> values, slopes;    // of each hidden layer

  void resize(const EnsembleArguments &arguments, const std::vector<std::int64_t> &layers,
              std::int64_t n_features, std::int64_t n_gradients)
  {
    const std::size_t n_hidden = layers.size() - 1;
    aev.resize(kBlock * n_features);
    member_gradient.resize(kBlock * n_features);
    combined.resize(n_gradients * kBlock * n_features);
    energies.resize(kBlock);
    factor.resize(kBlock);
    if (values.size() < n_hidden) {
      values.resize(n_hidden);
      slopes.resize(n_hidden);
    }
    for (std::size_t l = 0; l < n_hidden; ++l) {
      values[l].resize(kBlock * layers[l]);
      slopes[l].resize(kBlock * layers[l]);
    }
  }
};

// One member's network on n rows: its energies, and where wanted their gradient in the features.
template <class T>
void evaluate_member(const EnsembleArguments &arguments, const std::vector<std::int64_t> &layers,
                     const T *weights, std::int64_t n, std::int64_t n_features, bool with_gradient,
                     Buffers<T> &buffers)
{
  const NetworkKernels<T> &kernels = network_kernels<T>();
  const int n_rows = static_cast<int>(n), n_hidden = static_cast<int>(layers.size()) - 1;
  std::vector<const T *> weight_of(layers.size());
  const T *input = buffers.aev.data();
  std::int64_t n_in = n_features;
  for (int l = 0; l < n_hidden; ++l) {
    const std::int64_t n_out = layers[l];
    weight_of[l] = weights;
    product(n, n_out, n_in, input, weights, true, buffers.values[l].data());
    kernels.activate(arguments.activation, static_cast<T>(arguments.alpha), n_rows, static_cast<int>(n_out),
                     weights + n_out * n_in, buffers.values[l].data(), buffers.slopes[l].data());
    weights += n_out * (n_in + 1);
    input = buffers.values[l].data();
    n_in = n_out;
  }
  if (n_hidden == 0) {
    // A single layer: its slopes are its weights
    std::fill_n(buffers.member_gradient.begin(), n * n_in, T(1));
    kernels.finish(n_rows, static_cast<int>(n_in), weights, weights[n_in], input,
                   buffers.member_gradient.data(), buffers.energies.data());
    return;
  }
  T *gradient = buffers.slopes[n_hidden - 1].data();
  kernels.finish(n_rows, static_cast<int>(n_in), weights, weights[n_in], input, gradient,
                 buffers.energies.data());
  if (!with_gradient) return;
  for (int l = n_hidden - 1; l >= 0; --l) {
    const std::int64_t n_out = layers[l], n_below = l > 0 ? layers[l - 1] : n_features;
    // A layer's values are no longer needed once the next one's gradient is known
    T *below = l > 0 ? buffers.values[l - 1].data() : buffers.member_gradient.data();
    product(n, n_below, n_out, gradient, weight_of[l], false, below);
    if (l > 0) kernels.multiply(static_cast<int>(n * n_below), buffers.slopes[l - 1].data(), below);
    gradient = below;
  }
}

template <class T> void evaluate_block(const Work<T> &work, const Block &block)
{
  static thread_local Buffers<T> buffers;
  const at::AutoDispatchBelowADInplaceOrView no_autograd;    // threads do not inherit the caller's
  const auto &layers = work.arguments.layers[block.element];
  const std::int64_t n = block.n, n_features = work.terms.n_features, n_values = n * n_features;
  const std::int64_t *centres = work.centres.data() + block.first;
  buffers.resize(work.arguments, layers, n_features, work.n_gradients);
  const AEVKernels<T> &aev = aev_kernels<T>();
  aev.forward(work.terms, work.edges, centres, static_cast<int>(n), buffers.aev.data());
  std::fill(buffers.combined.begin(), buffers.combined.end(), T(0));
  const T scale = static_cast<T>(work.arguments.energy_scale);
  for (std::int64_t m = 0; m < work.n_active; ++m) {
    evaluate_member(work.arguments, layers, work.weights + work.arguments.offset(block.element, m), n,
                    n_features, work.n_gradients > 0, buffers);
    for (std::int64_t i = 0; i < n; ++i)
      work.energies[m * work.n_local + centres[i]] = buffers.energies[i] * scale;
    for (std::int64_t g = 0; g < work.n_gradients; ++g) {
      const T *coefficients = work.coefficients + (g * work.n_active + m) * work.n_local;
      for (std::int64_t i = 0; i < n; ++i) buffers.factor[i] = coefficients[centres[i]] * scale;
      network_kernels<T>().add_rows(static_cast<int>(n), static_cast<int>(n_features), buffers.factor.data(),
                                    buffers.member_gradient.data(), buffers.combined.data() + g * n_values);
    }
  }
  aev.vjp(work.terms, work.edges, centres, static_cast<int>(n), static_cast<int>(work.n_gradients),
          buffers.combined.data(), n_values, work.edge_gradients);
}

// Sort the centres by element and cut them into blocks of one element each.
template <class T> void plan(Work<T> &work, const Graph &graph)
{
  const auto *species = graph.species.const_data_ptr<std::int64_t>();
  work.centres.reserve(graph.n_local);
  for (std::int64_t element = 0; element < work.terms.n_elements; ++element) {
    const auto begin = static_cast<std::int64_t>(work.centres.size());
    for (std::int64_t i = 0; i < graph.n_local; ++i)
      if (species[i] == element) work.centres.push_back(i);
    const auto end = static_cast<std::int64_t>(work.centres.size());
    for (std::int64_t first = begin; first < end; first += kBlock)
      work.blocks.push_back({element, first, std::min(kBlock, end - first)});
  }
}

std::tuple<Tensor, Tensor> evaluate(const EnsembleArguments &arguments, const Graph &graph,
                                    const Tensor &weights, const Tensor &coefficients)
{
  const std::int64_t n_gradients = coefficients.size(0), n_active = coefficients.size(1);
  const Tensor energies = at::empty({n_active, graph.n_local}, graph.edge_vec.options());
  const Tensor edge_gradients = at::empty({n_gradients, graph.edge_vec.size(0), 3}, graph.edge_vec.options());
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::ensemble", [&] {
    const TypedTerms<scalar_t> terms(arguments.aev);
    EdgeOrder sorted;
    sorted.sort(graph.species, graph.n_local, graph.edge_index, terms.terms.n_elements);
    Work<scalar_t> work{arguments,
                        terms.terms,
                        {graph.edge_vec.size(0), graph.edge_vec.const_data_ptr<scalar_t>(), nullptr,
                         sorted.order.data(), sorted.start.data()},
                        weights.const_data_ptr<scalar_t>(),
                        n_active,
                        graph.n_local,
                        n_gradients,
                        coefficients.const_data_ptr<scalar_t>(),
                        {},
                        {},
                        energies.mutable_data_ptr<scalar_t>(),
                        edge_gradients.mutable_data_ptr<scalar_t>()};
    plan(work, graph);
    at::parallel_for(0, static_cast<std::int64_t>(work.blocks.size()), 1,
                     [&](std::int64_t first, std::int64_t last) {
                       for (std::int64_t b = first; b < last; ++b) evaluate_block(work, work.blocks[b]);
                     });
  });
  return {energies, edge_gradients};
}

}    // namespace

const EnsembleTwin kEnsembleOnCPU{evaluate};

}    // namespace nnpal
