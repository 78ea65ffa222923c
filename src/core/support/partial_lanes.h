// Load and store part of a register, at the end of an array.
#pragma once

#include "support/simd_lanes.h"

namespace nnpal::NNPAL_ISA {

// Load `n` numbers, at most kLanes, and 0 in the other lanes.
template <class T> NNPAL_INLINE Lanes<T> load_first(const T *from, int n)
{
  if (n >= kLanes<T>) return load(from);
#if NNPAL_VECTOR_BYTES == 64 && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), from)};
  else
    return {_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1), from)};
#else
  Lanes<T> to(T(0));
  std::memcpy(&to.v, from, n * sizeof(T));
  return to;
#endif
}

// Store the first n numbers only.
template <class T> NNPAL_INLINE void store_first(T *to, Lanes<T> from, int n)
{
  if (n >= kLanes<T>) return store(to, from);
#if NNPAL_VECTOR_BYTES == 64 && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << n) - 1), from.v);
  else
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << n) - 1), from.v);
#else
  std::memcpy(to, &from.v, n * sizeof(T));
#endif
}

}    // namespace nnpal::NNPAL_ISA
