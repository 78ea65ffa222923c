// Charges of the atoms, by a model that has networks for them.
#include "model_impl.h"

#include <numeric>
#include <sstream>
#include <stdexcept>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/torch.h>

namespace nnpal {

void Model::evaluate_charges(const Tile &tile, TileCharges &result)
{
  const std::int64_t n_centers = tile.n_centers;
  Impl &impl = *impl_;
  try {
    const ThreadGuard threads(impl.n_threads);
    const TF32Guard products(impl.device.is_cuda(), impl.allows_tf32);
    const torch::jit::GraphOptimizerEnabledGuard no_specialization(false);
    const Impl::Inputs inputs = impl.upload(tile);
    const auto [raw, weights] =
        impl.evaluator->charges(inputs.species, n_centers, inputs.edge_index, inputs.edge_vec);
    for (const torch::Tensor &one : {raw, weights})
      if (one.dim() != 1 || one.size(0) != n_centers)
        throw std::runtime_error("it returned charges of a wrong shape");
    const auto download = [&](const torch::Tensor &from, std::vector<double> &to) {
      to.resize(n_centers);
      torch::from_blob(to.data(), {n_centers}, torch::kFloat64).copy_(from);
    };
    download(raw, result.raw);
    download(weights, result.weights);
  } catch (const std::exception &error) {
    throw std::runtime_error("libtorch failed: " + essence(error));
  }
}

void Model::check_reference_charges()
{
  const std::vector<double> &expected = metadata_.reference.charges;
  TileCharges found;
  evaluate_charges(tile_of(metadata_.reference), found);
  const auto sum = [](const std::vector<double> &values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  const double excess = sum(found.raw) / sum(found.weights);
  for (std::size_t i = 0; i < found.raw.size(); ++i) found.raw[i] -= found.weights[i] * excess;
  const double relative = is_double_ ? 1e-8 : 1e-4;    // as of the energies
  const double error = largest_difference(found.raw, expected.data(), expected.size());
  if (error <= relative * largest_magnitude(expected)) return;
  std::ostringstream message;
  message << "its self-check fails: on the reference configuration that the file carries, charges differ by "
          << error
          << " e from the recorded ones; the file or this build's kernel is wrong, export the model again";
  throw std::runtime_error(message.str());
}

}    // namespace nnpal
