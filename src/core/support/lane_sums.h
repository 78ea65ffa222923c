// Sums over the lanes of registers.
#pragma once

#include "support/simd_lanes.h"

#include <utility>

namespace nnpal::NNPAL_ISA {

// Halves of groups of `n` numbers in a row, of the one and the other in turn: lower halves or upper ones.
template <int n, bool upper, class V, int... lane>
NNPAL_INLINE V halves_of_groups(V a, V b, std::integer_sequence<int, lane...>)
{
  constexpr int kAll = sizeof...(lane), kHalf = n / 2;
  return __builtin_shufflevector(
      a, b, (lane / n * n + lane % kHalf + (upper ? kHalf : 0) + (lane % n >= kHalf ? kAll : 0))...);
}

// Of groups of `n` numbers, summands of one sum each, those of a and of b in turn as groups of n / 2.
template <int n, class T> NNPAL_INLINE Lanes<T> fold(Lanes<T> a, Lanes<T> b)
{
  constexpr auto lanes = std::make_integer_sequence<int, kLanes<T>>();
  return {halves_of_groups<n, false>(a.v, b.v, lanes) + halves_of_groups<n, true>(a.v, b.v, lanes)};
}

// The sums of rows[0], rows[step], ... in turn, each spread over n numbers.
template <int n, int step, class T> NNPAL_INLINE Lanes<T> folded(const Lanes<T> *rows)
{
  if constexpr (n == kLanes<T>)
    return rows[0];
  else
    return fold<2 * n>(folded<2 * n, 2 * step>(rows), folded<2 * n, 2 * step>(rows + step));
}

// to[k] = the sum of rows[k], k < kLanes.
template <class T> NNPAL_INLINE void sums_of(const Lanes<T> *rows, T *to)
{
  store(to, folded<1, 1>(rows));
}

template <class T> NNPAL_INLINE T sum(Lanes<T> a)
{
  T part[kLanes<T>];
  std::memcpy(part, &a.v, sizeof(part));
  T total = part[0];
  for (int i = 1; i < kLanes<T>; ++i) total += part[i];
  return total;
}

}    // namespace nnpal::NNPAL_ISA
