// Energies of all members, and gradients with respect to the edges, in one pass. One implementation per
// device.
#pragma once

#include "aev/aev.h"
#include "ensemble/ensemble_arguments.h"

#include <tuple>

namespace nnpal {

struct EnsembleTwin {
  // With weights [n_weights], coefficients c [n_gradients, n_active, n_local] of any strides: energies e
  // [n_active, n_local] of the first n_active members, and Σ_mi c_gmi ∂e_mi/∂edge_vec [n_gradients, n_edges,
  // 3].
  std::tuple<at::Tensor, at::Tensor> (*evaluate)(const EnsembleArguments &, const Graph &,
                                                 const at::Tensor &weights, const at::Tensor &coefficients);
};

extern const EnsembleTwin kEnsembleOnCPU;
#ifdef NNPAL_CUDA
extern const EnsembleTwin kEnsembleOnCUDA;
#endif

}    // namespace nnpal
