// Functions of training_cpu.cpp for each instruction set: steps of an update that torch cannot do in a single
// pass.
#pragma once

#include "networks/activation.h"

#include <cstdint>

namespace nnpal {

// Derivatives of the AEVs of one configuration, [n_rows, width], one row for each feature of each atom.
template <class T> struct Derivatives {
  std::int64_t n_rows, width;
  const T *values;
};

template <class T> struct TrainingFunctions {
  // z [n_rows, n] becomes a(z + bias), slope a', curvature a''; bias and curvature may be null. alpha: of
  // CELU.
  void (*activate)(Activation, T alpha, std::int64_t n_rows, int n, const T *bias, T *z, T *slope,
                   T *curvature);
  // out = values * slope, and curvature *= values if it is not null. Row r of values begins at r * stride;
  // values may be `out`.
  void (*scale)(std::int64_t n_rows, int n, const T *values, std::int64_t stride, const T *slope,
                T *curvature, T *out);
  // values = values * slope + curvature, and their sums over rows, for n columns of rows `stride` apart.
  void (*combine)(std::int64_t n_rows, int n, std::int64_t stride, const T *slope, const T *curvature,
                  T *values, T *sums);
  // product [width] = Dᵀ gradient, gradient [n_rows].
  void (*pull)(const Derivatives<T> &, const T *gradient, T *product);
  // direction [n_rows] = D slopes, slopes [width]; meanwhile `next` is prefetched.
  void (*push)(const Derivatives<T> &, const T *slopes, const Derivatives<T> &next, T *direction);
};

}    // namespace nnpal
