// Edges in the order in which aev_cpu.h takes them.
#pragma once

#include <cstdint>
#include <torch/types.h>
#include <vector>

namespace nnpal {

// The edges of each center together, by the neighbor's element; the order among equals is kept. Elements of
// the centers too.
struct EdgeOrder {
  std::vector<std::int64_t> order;    // [n_edges]
  std::vector<std::int64_t> start;    // [n_local * n_elements + 1]

  // Memory is kept from one call to the next. species [n_atoms], edge_index [2, n_edges]: int64 on the CPU,
  // contiguous, in range.
  void sort(const at::Tensor &species, std::int64_t n_local, const at::Tensor &edge_index, int n_elements);
};

}    // namespace nnpal
