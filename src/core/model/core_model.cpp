#include "model/core_model.h"

#include "ensemble/ensemble_cpu.h"
#include "pair_terms/sorted_repulsion.h"
#include "support/thread_pool.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace nnpal {
namespace {

constexpr int kCentersOfThread = 256;    // of a tile; see docs/performance.md

// Convert numbers of type From, at any alignment, to type T.
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

// Convert weights from the file's type.
template <class T> std::vector<T> weights_of(std::string_view bytes, bool is_double)
{
  return is_double ? converted<double, T>(bytes) : converted<float, T>(bytes);
}

template <class T> class CoreModel : public Model {
public:
  CoreModel(const FusedRecord &record, const Metadata &metadata, const ModelOptions &options) :
      Model(metadata, options),
      arguments_(record.ensemble),
      weights_(weights_of<T>(record.weights, metadata.is_double)),
      repulsion_(record.repulsion),
      charges_(record.charges),
      n_threads_(options.n_threads),
      threads_(options.n_threads)
  {
    set_self_energies(record.self_energies);
    if (repulsion_) parameters_.assign(repulsion_->parameters.begin(), repulsion_->parameters.end());
    if (charges_) {
      charge_weights_ = weights_of<T>(charges_->weights, metadata.is_double);
      charges_->weights = {};
    }
    check_reference(true);
    if (charges_) check_reference_charges();
    if (options.n_members > 0) use_members(options.n_members);
  }

  bool is_on_gpu() const override { return false; }
  bool finds_neighbors() const override { return false; }
  int centers_per_tile() const override { return kCentersOfThread * n_threads_; }
  int edges_per_tile() const override { return 1 << 18; }
  bool takes_floats() const override { return std::is_same_v<T, float>; }

  void evaluate(const Tile &tile, bool with_member_gradients, TileResult &result) override
  {
    sort_by_element<T>(tile, n_elements(), sorted_);
    evaluate(sorted_, with_member_gradients);
    unsorted_result<T>(sorted_, n_members(), with_member_gradients, tile.n_edges(), result);
  }

  void evaluate(CenterTile &tile, bool with_member_gradients) override
  {
    const std::int64_t n_gradients = with_member_gradients ? 1 + n_members() : 1;
    CenterNumbers<T> &numbers = tile.numbers<T>();
    numbers.energies.resize(static_cast<std::size_t>(n_members()) * tile.n_centers);
    numbers.gradients.resize(n_gradients * 3 * tile.capacity);
    set_coefficients(n_gradients);
    evaluate_ensemble<T>(SortedEnsembleCall<T>{arguments_,
                                               tile.n_centers,
                                               tile.elements.data(),
                                               edges_of(tile),
                                               weights_.data(),
                                               n_members(),
                                               n_gradients,
                                               coefficients_.data(),
                                               {n_members(), 1, 0},
                                               numbers.energies.data(),
                                               numbers.gradients.data(),
                                               &packed_},
                         in_parallel_);
    if (repulsion_)
      add_repulsion<T>(SortedRepulsion<T>{repulsion_->arguments, parameters_.data(), tile.n_centers,
                                          tile.elements.data(), edges_of(tile), n_members(), n_gradients,
                                          numbers.energies.data(), numbers.gradients.data()},
                       in_parallel_);
  }

  void evaluate_charges(const Tile &tile, TileCharges &result) override
  {
    sort_by_element<T>(tile, n_elements(), sorted_);
    evaluate_charges(sorted_, result);
  }

  void evaluate_charges(CenterTile &tile, TileCharges &result) override
  {
    if (!charges_) throw std::logic_error("nnpal: this model has no charges");
    const std::int64_t n_networks = charges_->ensemble.n_members;
    charge_values_.resize(n_networks * tile.n_centers);
    evaluate_ensemble<T>(SortedEnsembleCall<T>{charges_->ensemble,
                                               tile.n_centers,
                                               tile.elements.data(),
                                               edges_of(tile),
                                               charge_weights_.data(),
                                               n_networks,
                                               0,
                                               nullptr,
                                               {0, 0, 0},
                                               charge_values_.data(),
                                               nullptr},
                         in_parallel_);
    result.raw.assign(tile.n_centers, 0.0);
    result.weights.resize(tile.n_centers);
    for (int c = 0; c < tile.n_centers; ++c) {
      double &raw = result.raw[c];
      for (std::int64_t m = 0; m < n_networks; ++m)
        raw += static_cast<double>(charge_values_[m * tile.n_centers + c]) / static_cast<double>(n_networks);
      result.weights[c] = charges_->shares[tile.elements[c]] * (charges_->scale_by_squares ? raw * raw : 1.0);
    }
  }

  void evaluate(const Positions &, const Wanted &, PositionsResult &) override
  {
    throw std::logic_error("nnpal: this model finds no neighbors");
  }

private:
  EnsembleArguments arguments_;
  std::vector<T> weights_;
  PackedWeights<T> packed_{arguments_, weights_.data()};
  std::optional<Repulsion> repulsion_;
  std::optional<ChargeNetworks> charges_;    // its weights are below
  int n_threads_;
  ThreadPool threads_;
  std::vector<T> parameters_, coefficients_;    // of the repulsion; [n_gradients * n_members]
  std::vector<T> charge_weights_, charge_values_;
  CenterTile sorted_;    // of the latest plain tile
  const ParallelFor in_parallel_ = [this](std::int64_t n, std::int64_t grain, const RangeAction &act) {
    threads_.share(n, grain, act);
  };

  int n_elements() const { return static_cast<int>(metadata().elements.size()); }

  static SortedEdges<T> edges_of(CenterTile &tile)
  {
    return {tile.capacity, tile.numbers<T>().vec.data(), nullptr, nullptr, tile.start.data(), 1,
            tile.capacity};
  }

  // For the mean and, if there are more gradients, for each member.
  void set_coefficients(std::int64_t n_gradients)
  {
    const auto n = static_cast<std::size_t>(n_members());
    coefficients_.assign(n_gradients * n, T(0));
    std::fill_n(coefficients_.begin(), n, static_cast<T>(1.0 / static_cast<double>(n)));
    for (std::size_t g = 1; g < static_cast<std::size_t>(n_gradients); ++g)
      coefficients_[g * n + g - 1] = T(1);
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
