// Functions of repulsion_cuda.cu on a GPU, for repulsion_on_cuda.cpp, which uses torch.
#pragma once

#include "aev/aev_cuda.h"
#include "pair_terms/repulsion_edges.h"

namespace nnpal {

#ifdef NNPAL_CUDA
namespace on_cuda {
#else
namespace on_host {
#endif

// Energies and gradients of n_edges edges.
template <class T> void edge_repulsion(const RepulsionEdges<T> &, std::int64_t n_edges, CUstream_st *);
// Energies of centers from those of grouped edges [n_edges].
template <class T> void sum_of_centers(const DeviceEdges<T> &, const T *of_edges, T *energies, CUstream_st *);

}    // namespace on_host or on_cuda
}    // namespace nnpal
