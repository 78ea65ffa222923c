// The repulsion on a GPU: launches of its kernels.
#include "pair_terms/repulsion_cuda.h"
#include "pair_terms/repulsion_kernels.h"
#include "pair_terms/repulsion_sums.h"

namespace nnpal::NNPAL_TWIN {

template <class T> void edge_repulsion(const RepulsionEdges<T> &edges, std::int64_t n_edges, Stream stream)
{
  launch_items(EdgeRepulsion<T>(edges), n_edges, stream);
}

template <class T>
void sum_of_centers(const DeviceEdges<T> &edges, const T *of_edges, T *energies, Stream stream)
{
  launch_items(SumOfCenter<T>(edges, of_edges, energies), edges.n_centers, stream);
}

template void edge_repulsion<float>(const RepulsionEdges<float> &, std::int64_t, Stream);
template void edge_repulsion<double>(const RepulsionEdges<double> &, std::int64_t, Stream);
template void sum_of_centers<float>(const DeviceEdges<float> &, const float *, float *, Stream);
template void sum_of_centers<double>(const DeviceEdges<double> &, const double *, double *, Stream);

}    // namespace nnpal::NNPAL_TWIN
