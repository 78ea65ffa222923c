// Atoms and edges of a graph, in a CPU's memory.
#pragma once

#include <cstdint>

namespace nnpal {

struct GraphPointers {
  std::int64_t n_atoms, n_local, n_edges;
  const std::int64_t *species;              // [n_atoms] element index, centers first
  const std::int64_t *center, *neighbor;    // [n_edges]; center n_local, neighbor -1: padding
};

}    // namespace nnpal
