#include "model/core_model.h"

#include "ensemble/ensemble_cpu.h"
#include "pair_terms/repulsion_cpu.h"
#include "support/thread_pool.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace nnpal {
namespace {

constexpr int kCentersOfThread = 256;    // of a tile; see docs/performance.md

// Numbers of type From at any address, in another type.
template <class From, class T> std::vector<T> converted(std::string_view bytes)
{
  std::vector<T> values(bytes.size() / sizeof(From));
  if constexpr (std::is_same_v<From, T>) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      From value;
      std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
      values[i] = static_cast<T>(value);
    }
  }
  return values;
}

template <class T> class CoreModel : public Model {
public:
  CoreModel(const FusedRecord &record, const Metadata &metadata, const ModelOptions &options) :
      Model(metadata, options),
      arguments_(record.ensemble),
      weights_(metadata.is_double ? converted<double, T>(record.weights)
                                  : converted<float, T>(record.weights)),
      repulsion_(record.repulsion),
      n_threads_(options.n_threads),
      threads_(options.n_threads)
  {
    set_self_energies(record.self_energies);
    if (repulsion_) parameters_.assign(repulsion_->parameters.begin(), repulsion_->parameters.end());
    check_reference(true);
    if (options.n_members > 0) use_members(options.n_members);
  }

  bool is_on_gpu() const override { return false; }
  bool operations_run_there() const override { return false; }
  int centers_per_tile() const override { return kCentersOfThread * n_threads_; }
  int edges_per_tile() const override { return 1 << 18; }

  void evaluate(const Tile &tile, bool with_member_gradients, TileResult &result) override
  {
    const GraphPointers graph{tile.n_atoms(),      tile.n_centers,     tile.n_edges(),
                              tile.species.data(), tile.center.data(), tile.neighbor.data()};
    const std::int64_t n_edges = graph.n_edges, n_gradients = with_member_gradients ? 1 + n_members() : 1;
    edge_vec_.assign(tile.edge_vec.begin(), tile.edge_vec.end());
    energies_.resize(static_cast<std::size_t>(n_members()) * tile.n_centers);
    gradients_.resize(static_cast<std::size_t>(n_gradients) * n_edges * 3);
    set_coefficients(n_gradients);
    const auto in_parallel = [&](std::int64_t n, std::int64_t grain, const RangeAction &act) {
      threads_.share(n, grain, act);
    };
    evaluate_ensemble<T>(EnsembleCall<T>{arguments_,
                                         graph,
                                         edge_vec_.data(),
                                         weights_.data(),
                                         n_members(),
                                         n_gradients,
                                         coefficients_.data(),
                                         {n_members(), 1, 0},
                                         energies_.data(),
                                         gradients_.data()},
                         in_parallel);
    if (repulsion_) add_repulsion(graph, n_gradients, in_parallel);
    result.energies.assign(energies_.begin(), energies_.end());
    const auto of_mean = gradients_.begin() + n_edges * 3;
    result.gradient.assign(gradients_.begin(), of_mean);
    result.member_gradient.assign(of_mean, gradients_.end());
  }

  bool takes_center_tiles() const override { return !repulsion_; }

  void evaluate(CenterTile &tile, bool with_member_gradients) override
  {
    const std::int64_t n_gradients = with_member_gradients ? 1 + n_members() : 1;
    CenterNumbers<T> &numbers = tile.numbers<T>();
    numbers.energies.resize(static_cast<std::size_t>(n_members()) * tile.n_centers);
    numbers.gradients.resize(n_gradients * 3 * tile.capacity);
    set_coefficients(n_gradients);
    const SortedEdges<T> edges{tile.capacity, numbers.vec.data(), nullptr, nullptr, tile.start.data(), 1,
                               tile.capacity};
    evaluate_ensemble<T>(
        SortedEnsembleCall<T>{arguments_,
                              tile.n_centers,
                              tile.elements.data(),
                              edges,
                              weights_.data(),
                              n_members(),
                              n_gradients,
                              coefficients_.data(),
                              {n_members(), 1, 0},
                              numbers.energies.data(),
                              numbers.gradients.data()},
        [&](std::int64_t n, std::int64_t grain, const RangeAction &act) { threads_.share(n, grain, act); });
  }

  void evaluate_charges(const Tile &, TileCharges &) override
  {
    throw std::logic_error("nnpal: this model has no charges");
  }

  void evaluate(const Positions &, const Wanted &, PositionsResult &) override
  {
    throw std::logic_error("nnpal: this model finds no neighbors");
  }

private:
  EnsembleArguments arguments_;
  std::vector<T> weights_;
  std::optional<Repulsion> repulsion_;
  int n_threads_;
  ThreadPool threads_;
  std::vector<T> parameters_, coefficients_;    // of the repulsion; [n_gradients * n_members]
  // Of the latest tile
  std::vector<T> edge_vec_, energies_, gradients_;
  std::vector<T> pair_energies_, edge_energies_, pair_gradients_;

  // The mean, and where there are more gradients each member.
  void set_coefficients(std::int64_t n_gradients)
  {
    const auto n = static_cast<std::size_t>(n_members());
    coefficients_.assign(n_gradients * n, T(0));
    std::fill_n(coefficients_.begin(), n, static_cast<T>(1.0 / static_cast<double>(n)));
    for (std::size_t g = 1; g < static_cast<std::size_t>(n_gradients); ++g)
      coefficients_[g * n + g - 1] = T(1);
  }

  // Every member's energies hold it.
  void add_repulsion(const GraphPointers &graph, std::int64_t n_gradients, const ParallelFor &in_parallel)
  {
    const std::size_t n = graph.n_local, n_vec = 3 * graph.n_edges;
    pair_energies_.resize(n);
    edge_energies_.resize(graph.n_edges);
    pair_gradients_.resize(n_vec);
    const auto edges = repulsion_edges<T>(repulsion_->arguments, graph, edge_vec_.data(), parameters_.data(),
                                          edge_energies_.data(), pair_gradients_.data());
    evaluate_repulsion<T>(edges, graph.n_edges, pair_energies_.data(), in_parallel);
    for (int m = 0; m < n_members(); ++m)
      for (std::size_t i = 0; i < n; ++i) energies_[m * n + i] += pair_energies_[i];
    for (std::int64_t g = 0; g < n_gradients; ++g)
      for (std::size_t k = 0; k < n_vec; ++k) gradients_[g * n_vec + k] += pair_gradients_[k];
  }
};

}    // namespace

std::unique_ptr<Model> make_core_model(const FusedRecord &record, const Metadata &metadata,
                                       const ModelOptions &options)
{
  using Precision = ModelOptions::Precision;
  const bool is_double = options.precision == Precision::kDouble ||
                         (options.precision == Precision::kOfFile && metadata.is_double);
  if (is_double) return std::make_unique<CoreModel<double>>(record, metadata, options);
  return std::make_unique<CoreModel<float>>(record, metadata, options);
}

}    // namespace nnpal
