// Energies of all members and gradients in the edges, in one pass. One twin for each device.
#pragma once

#include "aev/aev.h"
#include "networks/activation.h"

#include <tuple>
#include <vector>

namespace nnpal {

// Networks of all members; a member has one for each element.
struct EnsembleArguments {
  AEVArguments aev;
  // Of each element: outputs of every layer, the last of which is 1; members have the same.
  std::vector<std::vector<std::int64_t>> layers;
  std::int64_t n_members;
  Activation activation;
  double alpha;           // of CELU
  double energy_scale;    // of the networks' outputs, to eV

  // Where the block of weights of a member's network begins; layer by layer weight [n_out, n_in], bias
  // [n_out].
  std::int64_t offset(std::int64_t element, std::int64_t member) const;
  std::int64_t n_weights() const;
};

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
