// Dual numbers: a value and its derivative along one direction, so that a formula written once for numbers
// also gives its directional derivative. The AEV's Jacobian-vector product and second derivatives thus use
// the formulas of its forward and backward pass.
#pragma once

#include "support/lane_math.h"
#include "support/lane_sums.h"
#include "support/thread_scratch.h"

namespace nnpal::NNPAL_ISA {

template <class T> struct DualLanes {
  using Scalar = T;
  static constexpr bool kIsDual = true;
  Lanes<T> v, d;

  NNPAL_INLINE DualLanes() = default;
  NNPAL_INLINE DualLanes(Lanes<T> value, Lanes<T> derivative) : v(value), d(derivative) {}
  NNPAL_INLINE DualLanes(T value) : v(value), d(T(0)) {}
};

template <class T> NNPAL_INLINE DualLanes<T> operator+(DualLanes<T> a, DualLanes<T> b)
{
  return {a.v + b.v, a.d + b.d};
}
template <class T> NNPAL_INLINE DualLanes<T> operator-(DualLanes<T> a, DualLanes<T> b)
{
  return {a.v - b.v, a.d - b.d};
}
template <class T> NNPAL_INLINE DualLanes<T> operator*(DualLanes<T> a, DualLanes<T> b)
{
  return {a.v * b.v, a.d * b.v + a.v * b.d};
}
template <class T> NNPAL_INLINE DualLanes<T> operator/(DualLanes<T> a, DualLanes<T> b)
{
  const Lanes<T> quotient = a.v / b.v;
  return {quotient, (a.d - quotient * b.d) / b.v};
}
template <class T> NNPAL_INLINE DualLanes<T> operator+(DualLanes<T> a, T b)
{
  return {a.v + b, a.d};
}
template <class T> NNPAL_INLINE DualLanes<T> operator-(DualLanes<T> a, T b)
{
  return {a.v - b, a.d};
}
template <class T> NNPAL_INLINE DualLanes<T> operator*(DualLanes<T> a, T b)
{
  return {a.v * b, a.d * b};
}
template <class T> NNPAL_INLINE DualLanes<T> operator-(T a, DualLanes<T> b)
{
  return {a - b.v, b.d * T(-1)};
}

template <class T> NNPAL_INLINE DualLanes<T> zero_from(DualLanes<T> a, T b, DualLanes<T> value)
{
  return {zero_from(a.v, b, value.v), zero_from(a.v, b, value.d)};
}
template <class T> NNPAL_INLINE DualLanes<T> lanes_within(DualLanes<T> value, int begin, int end)
{
  return {lanes_within(value.v, begin, end), lanes_within(value.d, begin, end)};
}
// Where the bound applies, the value is a constant.
template <class T> NNPAL_INLINE DualLanes<T> larger(DualLanes<T> a, T b)
{
  return {larger(a.v, b), {a.v.v <= b ? Lanes<T>(T(0)).v : a.d.v}};
}
template <class T> NNPAL_INLINE DualLanes<T> square_root(DualLanes<T> a)
{
  const Lanes<T> root = square_root(a.v);
  return {root, a.d * T(0.5) / root};
}
template <class T> NNPAL_INLINE DualLanes<T> exponential(DualLanes<T> a)
{
  const Lanes<T> value = exponential(a.v);
  return {value, a.d * value};
}
template <class T> NNPAL_INLINE DualLanes<T> power_of_two(DualLanes<T> a)
{
  const Lanes<T> value = power_of_two(a.v);
  return {value, a.d * value * T(kLn2)};
}
template <class T> NNPAL_INLINE DualLanes<T> binary_logarithm(DualLanes<T> a)
{
  return {binary_logarithm(a.v), a.d * T(kLog2E) / a.v};
}
template <class T> NNPAL_INLINE DualLanes<T> cosine_pi(DualLanes<T> a)
{
  return {cosine_pi(a.v), a.d * sine_pi(a.v) * T(-kPi)};
}
template <class T> NNPAL_INLINE DualLanes<T> sine_pi(DualLanes<T> a)
{
  return {sine_pi(a.v), a.d * cosine_pi(a.v) * T(kPi)};
}

// One quantity of many edges or pairs: its values and, for dual numbers, their derivatives.
template <class N> struct Row {
  typename N::Scalar *v = nullptr, *d = nullptr;
};

template <class N> std::size_t row_bytes(int n)
{
  return (N::kIsDual ? 2 : 1) * Scratch::bytes_for<typename N::Scalar>(n);
}
template <class N> Row<N> take_row(int n, Scratch &scratch)
{
  using T = typename N::Scalar;
  Row<N> row;
  row.v = scratch.take<T>(n);
  if constexpr (N::kIsDual) row.d = scratch.take<T>(n);
  return row;
}

template <class N> NNPAL_INLINE N load(const Row<N> &row, int i)
{
  if constexpr (N::kIsDual)
    return {load(row.v + i), load(row.d + i)};
  else
    return load(row.v + i);
}
template <class N> NNPAL_INLINE void store(const Row<N> &row, int i, N value)
{
  if constexpr (N::kIsDual) {
    store(row.v + i, value.v);
    store(row.d + i, value.d);
  } else
    store(row.v + i, value);
}
// Element i in every lane.
template <class N> NNPAL_INLINE N broadcast(const Row<N> &row, int i)
{
  using Plain = Lanes<typename N::Scalar>;
  if constexpr (N::kIsDual)
    return {Plain(row.v[i]), Plain(row.d[i])};
  else
    return Plain(row.v[i]);
}
// to[k] = the sum of rows[k], for dual numbers of its derivatives; k < n, a multiple of kLanes.
template <class N> NNPAL_INLINE void totals_of(const N *rows, int n, typename N::Scalar *to)
{
  using T = typename N::Scalar;
  if constexpr (N::kIsDual)
    for (int k = 0; k < n; ++k) to[k] = sum(rows[k].d);
  else
    for (int k = 0; k < n; k += kLanes<T>) sums_of(rows + k, to + k);
}
template <class N> NNPAL_INLINE void copy_element(const Row<N> &to, int i, const Row<N> &from, int j)
{
  to.v[i] = from.v[j];
  if constexpr (N::kIsDual) to.d[i] = from.d[j];
}

}    // namespace nnpal::NNPAL_ISA
