// Steps of an update on the CPU. Compiled once for each instruction set.
#include "training/training_cpu.h"

#include "networks/activation_lanes.h"
#include "support/lane_sums.h"

#include <algorithm>

namespace nnpal::NNPAL_ISA {
namespace {

// Numbers of a row: whole registers, and a part of one at its end.
struct Whole {};
struct Part {
  int n;
};

template <class T> NNPAL_INLINE Lanes<T> get(const T *from, Whole)
{
  return load(from);
}
template <class T> NNPAL_INLINE Lanes<T> get(const T *from, Part part)
{
  Lanes<T> to(T(0));
  std::memcpy(&to.v, from, part.n * sizeof(T));
  return to;
}
template <class T> NNPAL_INLINE void put(T *to, Lanes<T> from, Whole)
{
  store(to, from);
}
template <class T> NNPAL_INLINE void put(T *to, Lanes<T> from, Part part)
{
  std::memcpy(to, &from.v, part.n * sizeof(T));
}

template <class T, class Act> NNPAL_INLINE void each(std::int64_t n, const Act &act)
{
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) act(i, Whole{});
  if (i < n) act(i, Part{static_cast<int>(n - i)});
}

template <bool curved, class T, class A>
void activate_by(const A &activation, std::int64_t n_rows, int n, const T *bias, T *z, T *slope, T *curvature)
{
  for (std::int64_t row = 0; row < n_rows; ++row, z += n, slope += n, curvature += curved ? n : 0)
    each<T>(n, [&](std::int64_t i, auto part) __attribute__((always_inline)) {
      const Lanes<T> at = bias ? get(z + i, part) + get(bias + i, part) : get(z + i, part);
      Lanes<T> value, first, second;
      activation(at, value, first, second);
      put(z + i, value, part);
      put(slope + i, first, part);
      if constexpr (curved) put(curvature + i, second, part);
    });
}

template <class T>
void activate(Activation kind, T alpha, std::int64_t n_rows, int n, const T *bias, T *z, T *slope,
              T *curvature)
{
  const auto by = [&](const auto &activation) {
    if (curvature)
      activate_by<true>(activation, n_rows, n, bias, z, slope, curvature);
    else
      activate_by<false>(activation, n_rows, n, bias, z, slope, curvature);
  };
  if (kind == Activation::kGELU)
    by(GELU<T>{});
  else
    by(CELU<T>{alpha});
}

template <class T>
void scale(std::int64_t n_rows, int n, const T *values, std::int64_t stride, const T *slope, T *curvature,
           T *out)
{
  for (std::int64_t row = 0; row < n_rows; ++row, values += stride, slope += n, out += n) {
    each<T>(n, [&](std::int64_t i, auto part) __attribute__((always_inline)) {
      const Lanes<T> value = get(values + i, part);
      put(out + i, value * get(slope + i, part), part);
      if (curvature) put(curvature + i, value * get(curvature + i, part), part);
    });
    if (curvature) curvature += n;
  }
}

template <class T>
void combine(std::int64_t n_rows, int n, std::int64_t stride, const T *slope, const T *curvature, T *values,
             T *sums)
{
  std::fill_n(sums, n, T(0));
  for (std::int64_t row = 0; row < n_rows; ++row, slope += stride, curvature += stride, values += stride)
    each<T>(n, [&](std::int64_t i, auto part) __attribute__((always_inline)) {
      const Lanes<T> value = get(values + i, part) * get(slope + i, part) + get(curvature + i, part);
      put(values + i, value, part);
      put(sums + i, get(sums + i, part) + value, part);
    });
}

constexpr int kRowsAtOnce = 8;

template <int n_rows, class T>
NNPAL_INLINE void pull_rows(std::int64_t width, const T *rows, const T *gradient, T *product)
{
  Lanes<T> factors[n_rows];
  for (int r = 0; r < n_rows; ++r) factors[r] = Lanes<T>(gradient[r]);
  each<T>(width, [&](std::int64_t i, auto part) __attribute__((always_inline)) {
    Lanes<T> total = get(product + i, part);
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; ++r) total = total + factors[r] * get(rows + r * width + i, part);
    put(product + i, total, part);
  });
}

template <class T> void pull(const Derivatives<T> &own, const T *gradient, T *product)
{
  std::fill_n(product, own.width, T(0));
  std::int64_t row = 0;
  for (; row + kRowsAtOnce <= own.n_rows; row += kRowsAtOnce)
    pull_rows<kRowsAtOnce>(own.width, own.values + row * own.width, gradient + row, product);
  for (; row < own.n_rows; ++row)
    pull_rows<1>(own.width, own.values + row * own.width, gradient + row, product);
}

template <int n_rows, class T>
NNPAL_INLINE void push_rows(std::int64_t width, const T *rows, const T *slopes, T *direction)
{
  Lanes<T> totals[n_rows];
  for (int r = 0; r < n_rows; ++r) totals[r] = Lanes<T>(T(0));
  each<T>(width, [&](std::int64_t i, auto part) __attribute__((always_inline)) {
    const Lanes<T> slope = get(slopes + i, part);
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; ++r) totals[r] = totals[r] + slope * get(rows + r * width + i, part);
  });
  for (int r = 0; r < n_rows; ++r) direction[r] = sum(totals[r]);
}

template <class T>
void push(const Derivatives<T> &own, const T *slopes, const Derivatives<T> &next, T *direction)
{
  constexpr std::int64_t kLine = 64 / sizeof(T);
  const std::int64_t n_next = next.n_rows * next.width, n_own = own.n_rows * own.width;
  std::int64_t fetched = 0;
  const auto fetch_to = [&](std::int64_t row) {
    const std::int64_t end = std::min(n_next, n_own > 0 ? row * own.width : n_next);
    for (; fetched < end; fetched += kLine) __builtin_prefetch(next.values + fetched, 0, 2);
  };
  std::int64_t row = 0;
  for (; row + kRowsAtOnce <= own.n_rows; row += kRowsAtOnce) {
    fetch_to(row + kRowsAtOnce);
    push_rows<kRowsAtOnce>(own.width, own.values + row * own.width, slopes, direction + row);
  }
  for (; row < own.n_rows; ++row)
    push_rows<1>(own.width, own.values + row * own.width, slopes, direction + row);
}

template <class T>
constexpr TrainingFunctions<T> kFunctions{activate<T>, scale<T>, combine<T>, pull<T>, push<T>};

}    // namespace

const TrainingFunctions<float> &training_functions(float)
{
  return kFunctions<float>;
}
const TrainingFunctions<double> &training_functions(double)
{
  return kFunctions<double>;
}

}    // namespace nnpal::NNPAL_ISA
