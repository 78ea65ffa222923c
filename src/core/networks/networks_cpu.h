// What networks_cpu.cpp computes, once for each instruction set. Numbers of a block of atoms lie feature by
// feature: row f has feature f of all atoms, padded to `width`, a multiple of functions.width. So weights are
// taken as they are, forward and backward, and every loop runs over atoms.
#pragma once

#include "networks/activation.h"

#include <cstdint>

namespace nnpal {

// Some of a layer's inputs, those that are not 0 for all atoms: runs of them, in ascending order.
struct Part {
  int begin, n;
};
struct Parts {
  int n;
  const Part *parts;
};

template <class T> struct NetworkFunctions {
  int width;    // what a block's number of atoms is padded to

  // out [n_out, width] = W in, W [n_out, n_in] and in [inputs of the parts, width].
  void (*forward)(int n_out, int n_in, const Parts &, int width, const T *weight, const T *in, T *out);
  // in [inputs of the parts, width] = Wᵀ out.
  void (*backward)(int n_out, int n_in, const Parts &, int width, const T *weight, const T *out, T *in);
  // z [n, width] becomes a(z + bias), slope its derivative. alpha: of CELU.
  void (*activate)(Activation, T alpha, int n, int width, const T *bias, T *z, T *slope);
  // The layer with one output: energies [width] = weight·h + bias, and slope becomes slope * weight, [n,
  // width].
  void (*finish)(int n, int width, const T *weight, T bias, const T *h, T *slope, T *energies);
  // gradient *= slope, n numbers.
  void (*multiply)(int n, const T *slope, T *gradient);
  // sum [n, width] += values * factor, factor [width].
  void (*add)(int n, int width, const T *factor, const T *values, T *sum);
  // to [n_columns, n_to] = from [n_rows, n_columns] turned; n_to >= n_rows, the rest is 0.
  void (*turn)(int n_rows, int n_columns, int n_to, const T *from, T *to);
};

}    // namespace nnpal
