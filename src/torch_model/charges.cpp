// Atomic charges by a model with charge networks.
#include "torch_model.h"

#include <stdexcept>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/torch.h>

namespace nnpal {

void TorchModel::evaluate_charges(const Tile &tile, TileCharges &result)
{
  const std::int64_t n_centers = tile.n_centers;
  Impl &impl = *impl_;
  try {
    const PythonLockGuard without_lock;
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

}    // namespace nnpal
