// Functions of networks_cpu.cpp for each instruction set. Weights have the same layout forward and backward.
#pragma once

#include "networks/activation.h"

#include <cstdint>

namespace nnpal {

// A run of a layer's inputs that are not 0 for all atoms; runs are in ascending order.
struct Part {
  int begin, n;
};
struct Parts {
  int n;
  const Part *parts;
};

// Layers of a block of atoms, in one of two layouts:
//   wide  feature by feature: row f [n] has feature f of all atoms, n their number padded to a multiple of
//         NetworkFunctions::width; loops run over atoms
//   few   atom by atom: [n, features], n their number; loops run over features
// so [features, n] below means [n, features] for few atoms.
template <class T> struct LayerFunctions {
  // value [n_out, n] = a(W in + bias), slope its derivative; W [n_out, n_in] and in [inputs of the parts, n].
  // alpha: of CELU.
  void (*forward)(int n_out, int n_in, const Parts &, int n, const T *weight, const T *bias, const T *in,
                  Activation, T alpha, T *value, T *slope);
  // in [inputs of the parts, n] = Wᵀ out, times slope if that is not null.
  void (*backward)(int n_out, int n_in, const Parts &, int n, const T *weight, const T *out, const T *slope,
                   T *in);
  // The layer with one output: energies [n] = weight·h + bias, and slope becomes slope * weight, [n_in, n].
  void (*finish)(int n_in, int n, const T *weight, T bias, const T *h, T *slope, T *energies);
  // sum [n_features, n] += values * factor, factor [n].
  void (*add)(int n_features, int n, const T *factor, const T *values, T *sum);
};

template <class T> struct NetworkFunctions {
  int width;
  bool (*are_few)(int n_atoms);    // which layout is faster
  LayerFunctions<T> wide, few;
  // to [n_columns, n_to] = from [n_rows, n_columns] transposed; n_to >= n_rows, the rest is 0.
  void (*turn)(int n_rows, int n_columns, int n_to, const T *from, T *to);
};

}    // namespace nnpal
