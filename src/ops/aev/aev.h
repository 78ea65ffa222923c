// AEVs of centers and their products with derivatives, on tensors. One implementation per device.
#pragma once

#include "aev/aev_arguments.h"
#include "aev/graph_pointers.h"

#include <torch/types.h>

namespace nnpal {

using Numbers = at::ArrayRef<double>;

// Atoms and edges: species int64 [n_atoms], edge_index int64 [2, n_edges] (center, neighbor), edge_vec
// [n_edges, 3] Å. Checked, contiguous, on one device. An edge with center n_local and neighbor -1 is padding;
// results for it are not set.
struct Graph {
  at::Tensor species;
  std::int64_t n_local;
  at::Tensor edge_index, edge_vec;

  // On the graph's device.
  GraphPointers pointers() const
  {
    const std::int64_t n_edges = edge_index.size(1);
    const auto *index = edge_index.const_data_ptr<std::int64_t>();
    return {species.size(0), n_local,        n_edges, species.const_data_ptr<std::int64_t>(),
            index,           index + n_edges};
  }
};

// A device's functions; gradients [n_local, n_features], tangents and results of edges [n_edges, 3].
struct AEVTwin {
  at::Tensor (*forward)(const AEVArguments &, const Graph &);
  at::Tensor (*vjp)(const AEVArguments &, const Graph &, const at::Tensor &gradient);
  at::Tensor (*jvp)(const AEVArguments &, const Graph &, const at::Tensor &tangent);
  // Derivative of vjp along the tangent.
  at::Tensor (*second)(const AEVArguments &, const Graph &, const at::Tensor &gradient,
                       const at::Tensor &tangent);
  // ∂G/∂vec, [n_edges, n_features, 3]; null if repeated products are used.
  at::Tensor (*jacobian)(const AEVArguments &, const Graph &) = nullptr;
};

extern const AEVTwin kAEVOnCPU;
#ifdef NNPAL_CUDA
extern const AEVTwin kAEVOnCUDA;
#endif

// The implementation for a tensor's device; throws c10::Error if there is none.
const AEVTwin &aev_twin(const at::Tensor &on);

// Throws c10::ValueError unless shapes, types and devices of a graph fit together.
void check_graph(const at::Tensor &species, std::int64_t n_local, const at::Tensor &edge_index,
                 const at::Tensor &edge_vec);

// Checks everything, and makes tensors contiguous.
Graph checked_graph(const at::Tensor &species, std::int64_t n_local, const at::Tensor &edge_index,
                    const at::Tensor &edge_vec);

}    // namespace nnpal
