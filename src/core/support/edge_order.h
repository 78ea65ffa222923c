// Edges in the order in which aev_cpu.h takes them.
#pragma once

#include "aev/graph_pointers.h"

#include <cstdint>
#include <vector>

namespace nnpal {

// The edges of each center together, by the neighbor's element; the order among equals is kept. Elements of
// the centers too.
struct EdgeOrder {
  std::vector<std::int64_t> order;    // [n_edges]
  std::vector<std::int64_t> start;    // [n_local * n_elements + 1]

  // Memory is kept from one call to the next. Throws std::invalid_argument where a number is out of range.
  void sort(const GraphPointers &graph, int n_elements);
};

}    // namespace nnpal
