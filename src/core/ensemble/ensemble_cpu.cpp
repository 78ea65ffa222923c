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

constexpr std::int64_t kLeastPacked = 16;    // atoms; blocks of no more use plain weights
constexpr std::int64_t kBlock = 64;          // centers: 4 registers of AVX-512, 8 of AVX2

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
              int n_centers, int slot, bool wants_all)
  {
    column.resize(terms.n_elements + terms.n_elements * (terms.n_elements + 1) / 2);
    n = aev_functions<T>().gather(terms, edges, centers, n_centers, slot, column.data());
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

// Data of one block that is kept until all members are evaluated; [n, kBlock] except for AEVs in the layout
// of aev_cpu.h.
template <class T> struct BlockBuffers {
  Columns columns;
  const PackedLayer *packed;    // [n_members, n_hidden] of the block's element; null: plain weights
  AlignedVector<T> aev;         // [kBlock, n_columns]
  AlignedVector<T> features;    // [n_columns, kBlock]
  AlignedVector<T> combined;    // [n_gradients, n_columns, kBlock]

  void resize(std::int64_t n_gradients)
  {
    for (AlignedVector<T> *one : {&aev, &features}) one->resize(kBlock * columns.n);
    combined.assign(n_gradients * kBlock * columns.n, T(0));
  }
};

// Data that the blocks of a thread use one after another.
template <class T> struct MemberBuffers {
  AlignedVector<T> aev_gradients;                  // [n_gradients, kBlock, n_columns]
  AlignedVector<T> member_gradient;                // [n_columns, kBlock]
  AlignedVector<T> energies, factor;               // [kBlock]
  std::vector<AlignedVector<T>> values, slopes;    // of each hidden layer

  void resize(const std::vector<std::int64_t> &layers, std::int64_t n_columns, std::int64_t n_gradients)
  {
    const std::size_t n_hidden = layers.size() - 1;
    member_gradient.resize(kBlock * n_columns);
    aev_gradients.resize(n_gradients * kBlock * n_columns);
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
                     const T *weights, const PackedLayer *packed, const LayerFunctions<T> &functions, int n,
                     int n_features, const Columns &columns, const T *features, bool with_gradient,
                     MemberBuffers<T> &buffers)
{
  const int n_hidden = static_cast<int>(layers.size()) - 1;
  const auto n_out_of = [&](int layer) { return static_cast<int>(layers[layer]); };
  const auto n_in_of = [&](int layer) { return layer > 0 ? n_out_of(layer - 1) : n_features; };
  Part all{0, 0};
  const auto parts_of = [&](int layer) {
    all.n = n_in_of(layer);
    return layer > 0 ? Parts{1, &all} : columns.of_layer();
  };
  const auto packed_of = [&](int layer) { return packed ? packed[layer] : PackedLayer{}; };
  const T *weight = weights, *input = features;
  for (int l = 0; l < n_hidden; ++l) {
    const int n_out = n_out_of(l), n_in = n_in_of(l);
    T *value = buffers.values[l].data();
    const T *bias = weight + static_cast<std::int64_t>(n_out) * n_in;
    functions.forward(n_out, n_in, parts_of(l), n, weight, packed_of(l), bias, input, arguments.activation,
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
    functions.backward(n_out, n_in, parts_of(l), n, weight, packed_of(l), gradient,
                       l > 0 ? buffers.slopes[l - 1].data() : nullptr, below);
    gradient = below;
  }
}

// Blocks that a thread evaluates together, member by member, so that a member's weights stay in the cache.
template <class T> class BlockGroup {
public:
  explicit BlockGroup(const Work<T> &work) : work_(work) {}

  void evaluate(const Block *blocks, int n_blocks)
  {
    for (int k = 0; k < n_blocks; ++k) begin(blocks[k], k);
    for (std::int64_t m = 0; m < call_.n_active; ++m)
      for (int k = 0; k < n_blocks; ++k) add_member(blocks[k], k, m);
    for (int k = 0; k < n_blocks; ++k) end(blocks[k], k);
  }

private:
  const Work<T> &work_;
  const SortedEnsembleCall<T> &call_ = work_.call;
  const NetworkFunctions<T> &networks_ = network_functions<T>();
  const AEVFunctions<T> &aev_ = aev_functions<T>();
  const std::int64_t n_gradients_ = call_.n_gradients;

  static BlockBuffers<T> &buffers(int slot)
  {
    static thread_local BlockBuffers<T> of_this_thread[kGatheredSlots];
    return of_this_thread[slot];
  }
  static MemberBuffers<T> &member_buffers()
  {
    static thread_local MemberBuffers<T> of_this_thread;
    return of_this_thread;
  }

  const std::vector<std::int64_t> &layers(const Block &block) const
  {
    return call_.arguments.layers[block.element];
  }
  bool is_few(const Block &block) const { return networks_.are_few(static_cast<int>(block.n)); }
  // Numbers in a row of a block
  int width(const Block &block) const
  {
    const int n = static_cast<int>(block.n);
    return is_few(block) ? n : (n + networks_.width - 1) / networks_.width * networks_.width;
  }

  // Packed weights are for all inputs of a layer. Networks whose first and largest layer needs plain weights,
  // because elements are absent, are slower with packed weights in the others, and so are blocks of few
  // atoms.
  bool is_for_packed(const Block &block, const Columns &columns) const
  {
    return call_.packed && block.n > kLeastPacked && columns.n == work_.terms.n_features;
  }

  void begin(const Block &block, int slot)
  {
    BlockBuffers<T> &own = buffers(slot);
    const int n = static_cast<int>(block.n);
    own.columns.gather(work_.terms, call_.edges, work_.plan.centers.data() + block.first, n, slot,
                       layers(block).size() == 1);
    own.packed = is_for_packed(block, own.columns) ? call_.packed->of(block.element) : nullptr;
    own.resize(n_gradients_);
    aev_.gathered_forward(work_.terms, n, slot, own.columns.of_aev(), own.aev.data());
    if (!is_few(block)) networks_.turn(n, own.columns.n, width(block), own.aev.data(), own.features.data());
  }

  void add_member(const Block &block, int slot, std::int64_t member)
  {
    BlockBuffers<T> &own = buffers(slot);
    MemberBuffers<T> &shared = member_buffers();
    const LayerFunctions<T> &functions = is_few(block) ? networks_.few : networks_.wide;
    const std::int64_t *centers = work_.plan.centers.data() + block.first;
    const T scale = static_cast<T>(call_.arguments.energy_scale);
    shared.resize(layers(block), own.columns.n, n_gradients_);
    evaluate_member(call_.arguments, layers(block),
                    call_.weights + call_.arguments.offset(block.element, member),
                    own.packed ? own.packed + member * (layers(block).size() - 1) : nullptr, functions,
                    width(block), work_.terms.n_features, own.columns,
                    is_few(block) ? own.aev.data() : own.features.data(), n_gradients_ > 0, shared);
    for (int i = 0; i < block.n; ++i)
      call_.energies[member * call_.n_local + centers[i]] = shared.energies[i] * scale;
    const std::int64_t n_combined = static_cast<std::int64_t>(own.columns.n) * width(block);
    for (std::int64_t g = 0; g < n_gradients_; ++g) {
      const T *coefficients = call_.coefficients + g * call_.strides[0] + member * call_.strides[1];
      bool is_zero = true;
      std::fill(shared.factor.begin(), shared.factor.end(), T(0));
      for (int i = 0; i < block.n; ++i) {
        shared.factor[i] = coefficients[centers[i] * call_.strides[2]] * scale;
        is_zero = is_zero && shared.factor[i] == T(0);
      }
      if (!is_zero)
        functions.add(own.columns.n, width(block), shared.factor.data(), shared.member_gradient.data(),
                      own.combined.data() + g * n_combined);
    }
  }

  void end(const Block &block, int slot)
  {
    BlockBuffers<T> &own = buffers(slot);
    const int n = static_cast<int>(block.n), n_columns = own.columns.n;
    const std::int64_t stride = static_cast<std::int64_t>(n) * n_columns;
    const T *aev_gradients = own.combined.data();
    if (!is_few(block)) {
      MemberBuffers<T> &shared = member_buffers();
      shared.resize(layers(block), n_columns, n_gradients_);
      const std::int64_t n_combined = static_cast<std::int64_t>(n_columns) * width(block);
      for (std::int64_t g = 0; g < n_gradients_; ++g)
        turn_back(n, n_columns, width(block), own.combined.data() + g * n_combined,
                  shared.aev_gradients.data() + g * stride);
      aev_gradients = shared.aev_gradients.data();
    }
    aev_.gathered_vjp(work_.terms, call_.edges, n, slot, own.columns.of_aev(), static_cast<int>(n_gradients_),
                      aev_gradients, stride, call_.edge_gradients);
  }
};

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
                BlockGroup<T> group(work);
                for (std::int64_t b = first; b < last; b += kGatheredSlots)
                  group.evaluate(work.plan.blocks.data() + b,
                                 static_cast<int>(std::min<std::int64_t>(kGatheredSlots, last - b)));
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
