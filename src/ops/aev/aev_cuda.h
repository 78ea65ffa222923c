// Functions of aev_cuda.cu on a GPU, for aev_on_cuda.cpp, which uses torch.
#pragma once

#include "aev/aev_terms.h"

struct CUstream_st;

namespace nnpal {

// All pointers are to device memory. Edges are in any order, see group_edges; those with center n_centers and
// neighbor -1 are padding.
template <class T> struct DeviceEdges {
  std::int64_t n_edges, n_centers, n_atoms;
  int n_elements;
  const T *vec;                     // [n_edges * 3] r_neighbor - r_center, Å
  const T *tangent;                 // [n_edges * 3] direction of a derivative, or null
  const std::int64_t *center;       // [n_edges]
  const std::int64_t *neighbor;     // [n_edges]
  const std::int64_t *species;      // [n_atoms]
  std::int64_t *start;              // [n_centers + 1] where a center's edges begin ...
  std::int32_t *order;              // [n_edges] ... in this order, if they were not sorted by center
  int *is_unsorted;                 // 0 before mark_starts
  std::int64_t *counts;             // [n_centers + 2] 0 before count_edges, unless they are sorted
  std::int32_t *near;               // [n_edges] scratch: edges within the angular cutoff ...
  std::int32_t *near_by_element;    // ... by element; may be `near` for one element
};

// Limits of the kernels; the CPU has none.
constexpr int kMostElements = 118, kMostAngularTerms = 1024;
constexpr std::int64_t kMostEdges = 2147483647;
// Gradients per backward pass.
constexpr int kFewGradients = 4;

#ifdef NNPAL_CUDA
namespace on_cuda {
#else
namespace on_host {
#endif

using Stream = CUstream_st *;

// Check the edges and find where each center's begin: call mark_starts and count_edges, sum counts (counts[i]
// = Σ_{j<=i} counts[j]), then call group_edges. The last two do nothing for edges sorted by center.
template <class T> void mark_starts(const DeviceEdges<T> &, Stream);
template <class T> void count_edges(const DeviceEdges<T> &, Stream);
template <class T> void group_edges(const DeviceEdges<T> &, Stream);

// As in AEVFunctions, for n of the centers or, if `centers` is null, the first n.
template <class T>
void aev_forward(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *centers, std::int64_t n,
                 T *aev, Stream);
template <class T>
void aev_jvp(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *centers, std::int64_t n,
             T *derivative, Stream);
template <class T>
void aev_vjp(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *centers, std::int64_t n,
             int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients, Stream);
template <class T>
void aev_second(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *centers, std::int64_t n,
                const T *gradient, T *edge_gradient, Stream);

}    // namespace on_host or on_cuda
}    // namespace nnpal
