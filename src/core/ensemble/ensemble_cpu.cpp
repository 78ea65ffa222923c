// The ensemble on a CPU. Centers of one element pass through AEV, networks and back in blocks that fit in the
// cache; threads share the blocks.
#include "ensemble/ensemble_cpu.h"

#include "support/aligned_vector.h"
#include "support/denormals.h"
#include "support/edge_order.h"
#include "support/instruction_sets.h"

#include <algorithm>
#include <vector>

namespace nnpal {
namespace {

constexpr std::int64_t kBlock = 64;    // centers: 4 registers of AVX-512, 8 of AVX2

struct Block {
  std::int64_t element, first, n;    // centers[first .. first + n)
};

// to [n, n_features] = from [n_features, width] transposed, without its padding.
template <class T> void turn_back(int n, int n_features, int width, const T *from, T *to)
{
  for (int i = 0; i < n; ++i, to += n_features)
    for (int f = 0; f < n_features; ++f) to[f] = from[static_cast<std::int64_t>(f) * width + i];
}

// Order of the centers and their blocks; a thread's memory for it, kept between calls.
struct Plan {
  std::vector<std::int64_t> centers;    // by element
  std::vector<Block> blocks;

  void make(const std::int64_t *elements, std::int64_t n_local, int n_elements);
};

// Data that all blocks share.
template <class T> struct Work {
  const SortedEnsembleCall<T> &call;
  const Plan &plan;
  AEVTerms<T> terms;
};

// The parts of the AEV that are not 0 in a block.
struct Columns {
  std::vector<int> column;    // as in AEVColumns
  std::vector<Part> parts;    // the same, as runs of the whole AEV
  int n = 0;

  AEVColumns of_aev() const { return {n, column.data()}; }
  Parts of_layer() const { return {static_cast<int>(parts.size()), parts.data()}; }

  // Gathers the edges of some centers. A network without a hidden layer gets all parts.
  template <class T>
  void gather(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers,
              int n_centers, bool wants_all)
  {
    column.resize(terms.n_elements + terms.n_elements * (terms.n_elements + 1) / 2);
    n = aev_functions<T>().gather(terms, edges, centers, n_centers, column.data());
    if (wants_all) n = terms.n_features;
    parts.clear();
    int begin = 0;
    for (std::size_t p = 0; p < column.size(); ++p) {
      const bool is_radial = p < static_cast<std::size_t>(terms.n_elements);
      const int size = is_radial ? terms.n_radial : terms.n_shifts * terms.n_sections;
      if (wants_all) column[p] = begin;
      if (column[p] >= 0) {
        if (!parts.empty() && parts.back().begin + parts.back().n == begin)
          parts.back().n += size;
        else
          parts.push_back({begin, size});
      }
      begin += size;
    }
  }
};

// A thread's memory for one block, kept between calls; [n, kBlock] except for AEVs in the layout of
// aev_cpu.h.
template <class T> struct Buffers {
  Columns columns;
  AlignedVector<T> aev, aev_gradients;             // [kBlock, n_columns], one for each gradient
  AlignedVector<T> features, member_gradient;      // [n_columns, kBlock]
  AlignedVector<T> combined;                       // [n_gradients, n_columns, kBlock]
  AlignedVector<T> energies, factor;               // [kBlock]
  std::vector<AlignedVector<T>> values, slopes;    // of each hidden layer

  void resize(const std::vector<std::int64_t> &layers, std::int64_t n_columns, std::int64_t n_gradients)
  {
    const std::size_t n_hidden = layers.size() - 1;
    for (AlignedVector<T> *one : {&aev, &features, &member_gradient}) one->resize(kBlock * n_columns);
    for (AlignedVector<T> *one : {&aev_gradients, &combined}) one->resize(n_gradients * kBlock * n_columns);
    for (AlignedVector<T> *one : {&energies, &factor}) one->resize(kBlock);
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

// One member's network on a block in the layout of `functions`: its energies and, if requested, their
// gradient with respect to the features.
template <class T>
void evaluate_member(const EnsembleArguments &arguments, const std::vector<std::int64_t> &layers,
                     const T *weights, const LayerFunctions<T> &functions, int n, int n_features,
                     const T *features, bool with_gradient, Buffers<T> &buffers)
{
  const int n_hidden = static_cast<int>(layers.size()) - 1;
  const auto n_out_of = [&](int layer) { return static_cast<int>(layers[layer]); };
  const auto n_in_of = [&](int layer) { return layer > 0 ? n_out_of(layer - 1) : n_features; };
  Part all{0, 0};
  const auto parts_of = [&](int layer) {
    all.n = n_in_of(layer);
    return layer > 0 ? Parts{1, &all} : buffers.columns.of_layer();
  };
  const T *weight = weights, *input = features;
  for (int l = 0; l < n_hidden; ++l) {
    const int n_out = n_out_of(l), n_in = n_in_of(l);
    T *value = buffers.values[l].data();
    const T *bias = weight + static_cast<std::int64_t>(n_out) * n_in;
    functions.forward(n_out, n_in, parts_of(l), n, weight, bias, input, arguments.activation,
                      static_cast<T>(arguments.alpha), value, buffers.slopes[l].data());
    weight = bias + n_out;
    input = value;
  }
  const int n_last = n_in_of(n_hidden);
  T *gradient = n_hidden > 0 ? buffers.slopes[n_hidden - 1].data() : buffers.member_gradient.data();
  if (n_hidden == 0)
    std::fill_n(gradient, static_cast<std::int64_t>(n_last) * n, T(1));    // slopes of no layer
  functions.finish(n_last, n, weight, weight[n_last], input, gradient, buffers.energies.data());
  if (!with_gradient) return;
  for (int l = n_hidden - 1; l >= 0; --l) {
    const int n_out = n_out_of(l), n_in = n_in_of(l);
    weight -= n_out + static_cast<std::int64_t>(n_out) * n_in;
    // A layer's values are no longer needed when the next layer's gradient is known
    T *below = l > 0 ? buffers.values[l - 1].data() : buffers.member_gradient.data();
    functions.backward(n_out, n_in, parts_of(l), n, weight, gradient,
                       l > 0 ? buffers.slopes[l - 1].data() : nullptr, below);
    gradient = below;
  }
}

template <class T> void evaluate_block(const Work<T> &work, const Block &block)
{
  static thread_local Buffers<T> buffers;
  const SortedEnsembleCall<T> &call = work.call;
  const NetworkFunctions<T> &networks = network_functions<T>();
  const AEVFunctions<T> &aev = aev_functions<T>();
  const auto &layers = call.arguments.layers[block.element];
  const int n = static_cast<int>(block.n), n_features = work.terms.n_features;
  const int width = (n + networks.width - 1) / networks.width * networks.width;
  const bool is_few = networks.are_few(n);
  const LayerFunctions<T> &functions = is_few ? networks.few : networks.wide;
  const int n_numbers = is_few ? n : width;
  const std::int64_t *centers = work.plan.centers.data() + block.first;
  buffers.columns.gather(work.terms, call.edges, centers, n, layers.size() == 1);
  const int n_columns = buffers.columns.n;
  buffers.resize(layers, n_columns, call.n_gradients);
  const AEVColumns columns = buffers.columns.of_aev();
  aev.gathered_forward(work.terms, call.edges, n, columns, buffers.aev.data());
  if (!is_few) networks.turn(n, n_columns, width, buffers.aev.data(), buffers.features.data());
  const T *features = is_few ? buffers.aev.data() : buffers.features.data();
  const std::int64_t n_combined = static_cast<std::int64_t>(n_columns) * n_numbers;
  std::fill_n(buffers.combined.begin(), call.n_gradients * n_combined, T(0));
  const T scale = static_cast<T>(call.arguments.energy_scale);
  for (std::int64_t m = 0; m < call.n_active; ++m) {
    evaluate_member(call.arguments, layers, call.weights + call.arguments.offset(block.element, m), functions,
                    n_numbers, n_features, features, call.n_gradients > 0, buffers);
    for (int i = 0; i < n; ++i) call.energies[m * call.n_local + centers[i]] = buffers.energies[i] * scale;
    for (std::int64_t g = 0; g < call.n_gradients; ++g) {
      const T *coefficients = call.coefficients + g * call.strides[0] + m * call.strides[1];
      bool is_zero = true;
      std::fill(buffers.factor.begin(), buffers.factor.end(), T(0));
      for (int i = 0; i < n; ++i) {
        buffers.factor[i] = coefficients[centers[i] * call.strides[2]] * scale;
        is_zero = is_zero && buffers.factor[i] == T(0);
      }
      if (is_zero) continue;
      functions.add(n_columns, n_numbers, buffers.factor.data(), buffers.member_gradient.data(),
                    buffers.combined.data() + g * n_combined);
    }
  }
  const std::int64_t stride = static_cast<std::int64_t>(n) * n_columns;
  const T *aev_gradients = buffers.combined.data();
  if (!is_few) {
    for (std::int64_t g = 0; g < call.n_gradients; ++g)
      turn_back(n, n_columns, width, buffers.combined.data() + g * n_combined,
                buffers.aev_gradients.data() + g * stride);
    aev_gradients = buffers.aev_gradients.data();
  }
  aev.gathered_vjp(work.terms, call.edges, n, columns, static_cast<int>(call.n_gradients), aev_gradients,
                   stride, call.edge_gradients);
}

// Sort the centers by element and cut them into blocks of one element each.
void Plan::make(const std::int64_t *elements, std::int64_t n_local, int n_elements)
{
  centers.clear();
  blocks.clear();
  for (std::int64_t element = 0; element < n_elements; ++element) {
    const auto begin = static_cast<std::int64_t>(centers.size());
    for (std::int64_t i = 0; i < n_local; ++i)
      if (elements[i] == element) centers.push_back(i);
    const auto end = static_cast<std::int64_t>(centers.size());
    for (std::int64_t first = begin; first < end; first += kBlock)
      blocks.push_back({element, first, std::min(kBlock, end - first)});
  }
}

}    // namespace

template <class T> void evaluate_ensemble(const SortedEnsembleCall<T> &call, const ParallelFor &in_parallel)
{
  const TypedTerms<T> terms(call.arguments.aev);
  static thread_local Plan plan;
  plan.make(call.elements, call.n_local, terms.terms.n_elements);
  const Work<T> work{call, plan, terms.terms};    // this thread's plan, in the others too
  in_parallel(static_cast<std::int64_t>(work.plan.blocks.size()), 1,
              [&](std::int64_t first, std::int64_t last) {
                const FlushDenormals flushed;
                for (std::int64_t b = first; b < last; ++b) evaluate_block(work, work.plan.blocks[b]);
              });
}

template <class T> void evaluate_ensemble(const EnsembleCall<T> &call, const ParallelFor &in_parallel)
{
  static thread_local EdgeOrder sorted;
  sorted.sort(call.graph, static_cast<int>(call.arguments.aev.n_elements));
  const SortedEdges<T> edges{call.graph.n_edges, call.edge_vec, nullptr, sorted.order.data(),
                             sorted.start.data()};
  evaluate_ensemble<T>(SortedEnsembleCall<T>{call.arguments,
                                             call.graph.n_local,
                                             call.graph.species,
                                             edges,
                                             call.weights,
                                             call.n_active,
                                             call.n_gradients,
                                             call.coefficients,
                                             {call.strides[0], call.strides[1], call.strides[2]},
                                             call.energies,
                                             call.edge_gradients},
                       in_parallel);
}

template void evaluate_ensemble(const EnsembleCall<float> &, const ParallelFor &);
template void evaluate_ensemble(const EnsembleCall<double> &, const ParallelFor &);
template void evaluate_ensemble(const SortedEnsembleCall<float> &, const ParallelFor &);
template void evaluate_ensemble(const SortedEnsembleCall<double> &, const ParallelFor &);

}    // namespace nnpal
