// Functions of networks_cuda.cu on a GPU: everything in the networks except matrix products, all members
// together.
#pragma once

#include "networks/activation.h"

#include <cstdint>

struct CUstream_st;

namespace nnpal {

// Rows of one layer: [n_members, n_rows, n]; `stride` is from a member's bias and weight to the next
// member's.
template <class T> struct LayerRows {
  int n_members, n_rows, n;
  const T *bias;
  std::int64_t stride;
};

// Destination of the rows' energies: energies[member * n_local + center], where center is centers[row] or, if
// null, first + row.
template <class T> struct EnergyPlace {
  const std::int64_t *centers;
  std::int64_t first, n_local;
  T scale;
  T *energies;
};

#ifdef NNPAL_CUDA
namespace on_cuda {
#else
namespace on_host {
#endif

using Stream = CUstream_st *;

// z becomes a(z + bias), slope its derivative.
template <class T> void activate(Activation, T alpha, const LayerRows<T> &, T *z, T *slope, Stream);
// The last hidden layer and the one above it, which has one output: energy = weight·a(z + bias) + bias above;
// z becomes the energy's derivative in z. `weight` [n] and the bias above follow the hidden layer's bias.
template <class T>
void finish(Activation, T alpha, const LayerRows<T> &, const EnergyPlace<T> &, T *z, Stream);
// gradient *= slope, n numbers.
template <class T> void multiply(std::int64_t n, const T *slope, T *gradient, Stream);
// sum[g, row] = Σ_m scale coefficients[g, m, center of row] gradients[m, row], rows of n.
template <class T>
void combine(int n_gradients, int n_members, int n_rows, int n, const EnergyPlace<T> &, const T *coefficients,
             const T *gradients, T *sum, Stream);

}    // namespace on_host or on_cuda
}    // namespace nnpal
