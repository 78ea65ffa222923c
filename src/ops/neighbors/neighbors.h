// Neighbors from positions, and forces on atoms from gradients of edges: the steps between positions and a
// model without a neighbor list of the host. Pointers are to device memory.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace nnpal {

// Cells with sides of at least the cutoff, built on the device from the atoms' bounding box. Atoms are
// grouped by cell index or, if there are more cells than atoms, by a hash of it, so that memory and work do
// not grow with the volume spanned by a few distant atoms.
struct CellGrid {
  double origin[3], inverse_side[3];
  std::int64_t n[3];
  std::int64_t is_hashed;
  std::int64_t is_bad;    // a position is NaN or infinite
};

struct CellPointers {
  std::int64_t n_atoms, n_groups;
  double cutoff;              // Å
  const double *positions;    // [n_atoms * 3] Å
  const double *box;          // [2 * 3] lowest and highest coordinates
  CellGrid *grid;
  std::int64_t *group;     // [n_atoms]
  std::int64_t *counts;    // [n_groups + 1] 0 at first
  std::int64_t *start;     // [n_groups + 1] first atom of each group
  std::int32_t *order;     // [n_atoms] atoms by group, ascending in each
  double *sorted;          // [n_atoms * 3] their positions
};

// The number of edges before each center and of all, then grid.is_bad: [n_centers + 2].
struct EndPointers {
  std::int64_t n_centers;
  std::int64_t *ends;
};

// Edges of some centers, in order, in arrays of n_edges: further edges are not written, and the rest of the
// arrays is padding, with center n_centers and neighbor -1.
template <class T> struct EdgePointers {
  std::int64_t first, n_centers;      // centers first .. first + n_centers
  std::int64_t n_edges;               // capacity
  std::int64_t shift;                 // added to the neighbors' indices
  const std::int64_t *ends;           // of all centers
  std::int64_t *center, *neighbor;    // [n_edges]; the first center is 0, neighbors are atoms
  T *vec;                             // [n_edges * 3] Å
  double *closest;                    // [1] Å²; lowered to the shortest edge's, or null
};

template <class T> struct PullPointers {
  std::int64_t n_edges, n_atoms, n_gradients;
  std::int64_t first, shift;                // as in EdgePointers
  const std::int64_t *center, *neighbor;    // [n_edges]
  const T *vec, *gradients;                 // [n_edges * 3], [n_gradients * n_edges * 3]
  double *forces;                           // [n_gradients * n_atoms * 3] added to
  double *virials;                          // [n_atoms * 9] of the first gradient, added to, or null
  double *virial;                           // [9] the same of all, added to
};

template <class T> struct NeighborFunctions {
  // Compute grid, groups and counts; sum counts (counts[i] = Σ_{j<=i} counts[j]) before sort_cells.
  void (*count_cells)(const CellPointers &, CUstream_st *);
  void (*sort_cells)(const CellPointers &, CUstream_st *);
  // Set ends[i + 1] to the number of edges of center i; sum ends before fill_edges.
  void (*count_edges)(const CellPointers &, const EndPointers &, CUstream_st *);
  void (*fill_edges)(const CellPointers &, const EdgePointers<T> &, CUstream_st *);
  void (*pull_to_atoms)(const PullPointers<T> &, CUstream_st *);
};

namespace on_host {
template <class T> const NeighborFunctions<T> &neighbor_functions();
}
#ifdef NNPAL_CUDA
namespace on_cuda {
template <class T> const NeighborFunctions<T> &neighbor_functions();
}
#endif

}    // namespace nnpal
