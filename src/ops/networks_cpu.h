// What networks_cpu.cpp computes, once for each instruction set: all of a network but its matrix products.
#pragma once

namespace nnpal {

enum class Activation { kGELU, kCELU };

template <class T> struct NetworkKernels {
  // z [n_rows * n] becomes a(z + bias), slope [n_rows * n] its derivative. alpha: of CELU.
  void (*activate)(Activation, T alpha, int n_rows, int n, const T *bias, T *z, T *slope);
  // The layer with one output: energy = weight·h + bias of each row; slope becomes slope * weight.
  void (*finish)(int n_rows, int n, const T *weight, T bias, const T *h, T *slope, T *energies);
  // gradient *= slope, n numbers.
  void (*multiply)(int n, const T *slope, T *gradient);
  // sum += factor[row] * row of values, [n_rows * n].
  void (*add_rows)(int n_rows, int n, const T *factor, const T *values, T *sum);
};

}    // namespace nnpal
