// CPU implementation of the ensemble: core/ensemble on tensors and torch's threads.
#include "ensemble/ensemble.h"
#include "ensemble/ensemble_cpu.h"
#include "support/reusable_result.h"
#include "support/torch_threads.h"

#include <ATen/Dispatch.h>

namespace nnpal {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(const EnsembleArguments &arguments, const Graph &graph,
                                    const Tensor &weights, const Tensor &coefficients)
{
  const std::int64_t n_gradients = coefficients.size(0), n_active = coefficients.size(1);
  static thread_local ReusableResult kept_energies, kept_gradients;
  const auto options = graph.edge_vec.options();
  const Tensor energies = kept_energies.empty({n_active, graph.n_local}, options);
  const Tensor edge_gradients = kept_gradients.empty({n_gradients, graph.edge_vec.size(0), 3}, options);
  AT_DISPATCH_FLOATING_TYPES(graph.edge_vec.scalar_type(), "nnpal::ensemble", [&] {
    evaluate_ensemble<scalar_t>(
        EnsembleCall<scalar_t>{arguments,
                               graph.pointers(),
                               graph.edge_vec.const_data_ptr<scalar_t>(),
                               weights.const_data_ptr<scalar_t>(),
                               n_active,
                               n_gradients,
                               coefficients.const_data_ptr<scalar_t>(),
                               {coefficients.stride(0), coefficients.stride(1), coefficients.stride(2)},
                               energies.mutable_data_ptr<scalar_t>(),
                               edge_gradients.mutable_data_ptr<scalar_t>()},
        on_torch_threads);
  });
  return {energies, edge_gradients};
}

}    // namespace

const EnsembleTwin kEnsembleOnCPU{evaluate};

}    // namespace nnpal
