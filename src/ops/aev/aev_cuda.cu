// AEVs on a GPU: launches of the kernels in aev_kernels.h.
#include "aev/aev_kernels.h"
#include "support/counting_sort_kernels.h"

namespace nnpal::NNPAL_TWIN {
namespace {

// A center's edges begin where an edge's center differs from that of the edge before. Item n_edges ends the
// list.
template <class T> struct MarkStarts : Always {
  DeviceEdges<T> edges;

  explicit MarkStarts(const DeviceEdges<T> &all) : edges(all) {}
  NNPAL_KERNEL void operator()(std::int64_t edge) const
  {
    const std::int64_t before = edge > 0 ? edges.center[edge - 1] : -1;
    std::int64_t own = edges.n_centers;
    const std::int64_t neighbor = edge < edges.n_edges ? edges.neighbor[edge] : -1;
    if (edge < edges.n_edges) own = edges.center[edge];
    if (neighbor != -1 || own != edges.n_centers) {
      if (own < 0 || own >= edges.n_centers) refuse("edge_index[0, ", edge, own, edges.n_centers);
      if (neighbor < 0 || neighbor >= edges.n_atoms) refuse("edge_index[1, ", edge, neighbor, edges.n_atoms);
      const std::int64_t element = edges.species[neighbor];
      if (element < 0 || element >= edges.n_elements) refuse("species[", neighbor, element, edges.n_elements);
    }
    if (own < before) *edges.is_unsorted = 1;
    for (std::int64_t center = before + 1; center <= own; ++center) edges.start[center] = edge;
  }
};

template <class T> Grouping grouping(const DeviceEdges<T> &edges)
{
  return {edges.center, edges.counts, edges.start, edges.order, edges.is_unsorted};
}

template <class N, int kGradients, class T>
void backward(const AEVTerms<T> &terms, const DeviceEdges<T> &edges, const std::int64_t *centers,
              std::int64_t n, const T *gradients, std::int64_t stride, T *edge_gradients, Stream stream)
{
  launch_blocks(AEVBackward<N, kGradients>{terms, edges, centers, gradients, stride, edge_gradients}, n,
                stream);
}

}    // namespace

template <class T> void mark_starts(const DeviceEdges<T> &edges, Stream stream)
{
  launch_items(MarkStarts<T>(edges), edges.n_edges + 1, stream);
}

template <class T> void count_edges(const DeviceEdges<T> &edges, Stream stream)
{
  launch_items(CountKeys{grouping(edges)}, edges.n_edges, stream);
}

template <class T> void group_edges(const DeviceEdges<T> &edges, Stream stream)
{
  group_items(grouping(edges), edges.n_edges, edges.n_centers, stream);
}

template <class T>
void aev_forward(const AEVTerms<T> &terms, const DeviceEdges<T> &edges, const std::int64_t *centers,
                 std::int64_t n, T *aev, Stream stream)
{
  launch_blocks(AEVForward<T>{terms, edges, centers, aev}, n, stream);
}

template <class T>
void aev_jvp(const AEVTerms<T> &terms, const DeviceEdges<T> &edges, const std::int64_t *centers,
             std::int64_t n, T *derivative, Stream stream)
{
  launch_blocks(AEVForward<DualScalar<T>>{terms, edges, centers, derivative}, n, stream);
}

template <class T>
void aev_vjp(const AEVTerms<T> &terms, const DeviceEdges<T> &edges, const std::int64_t *centers,
             std::int64_t n, int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients,
             Stream stream)
{
  // The first one separately, so that it does not depend on whether others are requested
  if (n_gradients > 0) backward<T, 1>(terms, edges, centers, n, gradients, stride, edge_gradients, stream);
  int g = 1;
  for (; g + kFewGradients <= n_gradients; g += kFewGradients)
    backward<T, kFewGradients>(terms, edges, centers, n, gradients + g * stride, stride,
                               edge_gradients + 3 * g * edges.n_edges, stream);
  for (; g < n_gradients; ++g)
    backward<T, 1>(terms, edges, centers, n, gradients + g * stride, stride,
                   edge_gradients + 3 * g * edges.n_edges, stream);
}

template <class T>
void aev_second(const AEVTerms<T> &terms, const DeviceEdges<T> &edges, const std::int64_t *centers,
                std::int64_t n, const T *gradient, T *edge_gradient, Stream stream)
{
  backward<DualScalar<T>, 1>(terms, edges, centers, n, gradient, 0, edge_gradient, stream);
}

#define NNPAL_INSTANTIATE(T)                                                                                 \
  template void mark_starts(const DeviceEdges<T> &, Stream);                                                 \
  template void count_edges(const DeviceEdges<T> &, Stream);                                                 \
  template void group_edges(const DeviceEdges<T> &, Stream);                                                 \
  template void aev_forward(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *, std::int64_t, \
                            T *, Stream);                                                                    \
  template void aev_jvp(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *, std::int64_t,     \
                        T *, Stream);                                                                        \
  template void aev_vjp(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *, std::int64_t,     \
                        int, const T *, std::int64_t, T *, Stream);                                          \
  template void aev_second(const AEVTerms<T> &, const DeviceEdges<T> &, const std::int64_t *, std::int64_t,  \
                           const T *, T *, Stream);
NNPAL_INSTANTIATE(float)
NNPAL_INSTANTIATE(double)

}    // namespace nnpal::NNPAL_TWIN
