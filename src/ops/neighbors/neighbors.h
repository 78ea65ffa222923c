// Neighbors found from positions, and forces on atoms from gradients of edges: what is left between
// positions and a model when no host list is wanted. Pointers into the memory of the device.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace nnpal {

// Cells of sides not shorter than the cutoff over all atoms, made on the device from the atoms' box. Atoms
// are grouped by the cells' numbers; where there are more cells than atoms, by a hash of these, so that
// neither memory nor work follow the volume that a few atoms far away span.
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
  std::int64_t *start;     // [n_groups + 1] where a group's atoms begin
  std::int32_t *order;     // [n_atoms] atoms by group, ascending in each
  double *sorted;          // [n_atoms * 3] their positions
};

// The number of edges before each center and of all, then grid.is_bad: [n_centers + 2].
struct EndPointers {
  std::int64_t n_centers;
  std::int64_t *ends;
};

// Edges of some centers in order, and the room after them: edges beyond it are not written, and what is left
// of it becomes edges of center n_centers and neighbor -1, which belong to nothing.
template <class T> struct EdgePointers {
  std::int64_t first, n_centers;      // centers first .. first + n_centers
  std::int64_t n_edges;               // room for so many
  std::int64_t shift;                 // added to the neighbors' numbers
  const std::int64_t *ends;           // of all centers
  std::int64_t *center, *neighbor;    // [n_edges]; the first center is 0, neighbors are atoms
  T *vec;                             // [n_edges * 3] Å
  double *closest;                    // [1] Å²; lowered to that of the shortest edge, or null
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
  // Grid, groups and counts; counts is then to be summed up (counts[i] = Σ_{j<=i} counts[j]) for sort_cells.
  void (*count_cells)(const CellPointers &, CUstream_st *);
  void (*sort_cells)(const CellPointers &, CUstream_st *);
  // ends[i + 1] becomes the number of edges of center i, to be summed up for fill_edges.
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
