// Edges in the order of aev_cpu.h.
#pragma once

#include "aev/graph_pointers.h"

#include <cstdint>
#include <vector>

namespace nnpal {

// A stable sort of edges by center, then by the neighbor's element; also the elements of the centers.
struct EdgeOrder {
  std::vector<std::int64_t> order;    // [n_edges]
  std::vector<std::int64_t> start;    // [n_local * n_elements + 1]

  // Memory is reused by the next call. Throws std::invalid_argument if an index is out of range.
  void sort(const GraphPointers &graph, int n_elements);
};

}    // namespace nnpal
