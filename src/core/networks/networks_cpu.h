// Functions of networks_cpu.cpp for each instruction set. Plain weights have the same layout forward and
// backward; packed ones have one for each direction.
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

// Packed weights of a layer for both directions; null: only the plain weights. With packed ones, the parts
// must be the whole.
struct PackedLayer {
  const std::uint16_t *forward, *backward;
};

// Layers of a block of atoms, in one of two layouts:
//   wide  feature by feature: row f [n] has feature f of all atoms, n their number padded to a multiple of
//         NetworkFunctions::width; loops run over atoms
//   few   atom by atom: [n, features], n their number; loops run over features
// so [features, n] below means [n, features] for few atoms.
template <class T> struct LayerFunctions {
  // value [n_out, n] = a(W in + bias), slope its derivative; W [n_out, n_in] and in [inputs of the parts, n].
  // alpha: of CELU.
  void (*forward)(int n_out, int n_in, const Parts &, int n, const T *weight, const PackedLayer &,
                  const T *bias, const T *in, Activation, T alpha, T *value, T *slope);
  // in [inputs of the parts, n] = Wᵀ out, times slope if that is not null.
  void (*backward)(int n_out, int n_in, const Parts &, int n, const T *weight, const PackedLayer &,
                   const T *out, const T *slope, T *in);
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
  // Size of packed weights, and packing: the weight of a result and an operand is at
  // weight[result * of_result + operand * of_operand]. Null if this instruction set does not pack weights.
  std::int64_t (*packed_size)(int n_results, int n_operands);
  void (*pack)(int n_results, int n_operands, std::int64_t of_result, std::int64_t of_operand,
               const T *weight, std::uint16_t *packed);
};

}    // namespace nnpal
