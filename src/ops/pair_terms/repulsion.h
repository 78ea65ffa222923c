// The repulsion of GFN2-xTB as a pair term of a model: energies of centers, and gradients with respect to the
// edges. One implementation per device.
#pragma once

#include "aev/aev.h"
#include "pair_terms/repulsion_arguments.h"

#include <tuple>

namespace nnpal {

struct RepulsionTwin {
  // With parameters [3, n_elements, n_elements] (y, α, k of each pair of elements): energies e [n_local],
  // half of each edge's with its center, and ∂(Σ e)/∂edge_vec [n_edges, 3]. Padding edges get 0.
  std::tuple<at::Tensor, at::Tensor> (*evaluate)(const RepulsionArguments &, const Graph &,
                                                 const at::Tensor &parameters);
};

extern const RepulsionTwin kRepulsionOnCPU;
#ifdef NNPAL_CUDA
extern const RepulsionTwin kRepulsionOnCUDA;
#endif

}    // namespace nnpal
