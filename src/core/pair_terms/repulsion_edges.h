// Edges and parameters of a repulsion in the memory of a device.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace nnpal {

enum class EdgeCutoff { kNone, kCosine, kSmooth };

// Edges in any order; those of center n_local and neighbor -1 are padding.
template <class T> struct RepulsionEdges {
  std::int64_t first;    // the edge of a kernel's item 0
  std::int64_t n_local, n_atoms;
  int n_elements;
  EdgeCutoff cutoff_kind;
  T cutoff, energy_scale, length_scale;     // Å; to eV; of Å
  const T *parameters;                      // [3 * n_elements * n_elements]
  const T *vec;                             // [n_edges * 3] Å
  const std::int64_t *center, *neighbor;    // [n_edges]
  const std::int64_t *species;              // [n_atoms]
  T *energies;                              // [n_edges] half of each pair's, eV
  T *gradients;                             // [n_edges * 3] eV/Å
};

}    // namespace nnpal
