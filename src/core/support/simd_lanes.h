// Arithmetic on several numbers at a time, with the compiler's vector extensions: one source for every
// instruction set. Compiled once for each, with its name NNPAL_ISA, so that no two sets share a function, and
// the size of its registers, NNPAL_VECTOR_BYTES (gcc does larger vectors number by number).
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define NNPAL_INLINE inline __attribute__((always_inline))

namespace nnpal::NNPAL_ISA {

template <class T> struct LaneTypes;
template <> struct LaneTypes<float> {
  typedef float Vector __attribute__((vector_size(NNPAL_VECTOR_BYTES)));
  typedef std::int32_t Integers __attribute__((vector_size(NNPAL_VECTOR_BYTES)));
};
template <> struct LaneTypes<double> {
  typedef double Vector __attribute__((vector_size(NNPAL_VECTOR_BYTES)));
  typedef std::int64_t Integers __attribute__((vector_size(NNPAL_VECTOR_BYTES)));
};

template <class T> constexpr int kLanes = NNPAL_VECTOR_BYTES / static_cast<int>(sizeof(T));

// Plain numbers.
template <class T> struct Lanes {
  using Scalar = T;
  using Vector = typename LaneTypes<T>::Vector;
  using Integers = typename LaneTypes<T>::Integers;
  static constexpr bool kIsDual = false;
  Vector v;

  NNPAL_INLINE Lanes() = default;
  NNPAL_INLINE Lanes(Vector vector) : v(vector) {}
  NNPAL_INLINE Lanes(T value) : v(value - Vector{}) {}
};

template <class T> NNPAL_INLINE Lanes<T> operator+(Lanes<T> a, Lanes<T> b)
{
  return {a.v + b.v};
}
template <class T> NNPAL_INLINE Lanes<T> operator-(Lanes<T> a, Lanes<T> b)
{
  return {a.v - b.v};
}
template <class T> NNPAL_INLINE Lanes<T> operator*(Lanes<T> a, Lanes<T> b)
{
  return {a.v * b.v};
}
template <class T> NNPAL_INLINE Lanes<T> operator/(Lanes<T> a, Lanes<T> b)
{
  return {a.v / b.v};
}
template <class T> NNPAL_INLINE Lanes<T> operator+(Lanes<T> a, T b)
{
  return {a.v + b};
}
template <class T> NNPAL_INLINE Lanes<T> operator-(Lanes<T> a, T b)
{
  return {a.v - b};
}
template <class T> NNPAL_INLINE Lanes<T> operator*(Lanes<T> a, T b)
{
  return {a.v * b};
}
template <class T> NNPAL_INLINE Lanes<T> operator-(T a, Lanes<T> b)
{
  return {a - b.v};
}

// Maximum and minimum, for which the compiler does not use the instructions by itself: those of x86 return
// the second operand if either is NaN. The 512-bit forms without a mask cause a false warning of gcc 12.
#if defined(__SSE2__)
#if NNPAL_VECTOR_BYTES == 64
#define NNPAL_X86(name, a, b) _mm512_maskz_##name(-1, a, b)
#elif NNPAL_VECTOR_BYTES == 32
#define NNPAL_X86(name, a, b) _mm256_##name(a, b)
#else
#define NNPAL_X86(name, a, b) _mm_##name(a, b)
#endif
NNPAL_INLINE LaneTypes<float>::Vector larger_of(LaneTypes<float>::Vector a, LaneTypes<float>::Vector b)
{
  return NNPAL_X86(max_ps, a, b);
}
NNPAL_INLINE LaneTypes<double>::Vector larger_of(LaneTypes<double>::Vector a, LaneTypes<double>::Vector b)
{
  return NNPAL_X86(max_pd, a, b);
}
NNPAL_INLINE LaneTypes<float>::Vector smaller_of(LaneTypes<float>::Vector a, LaneTypes<float>::Vector b)
{
  return NNPAL_X86(min_ps, a, b);
}
NNPAL_INLINE LaneTypes<double>::Vector smaller_of(LaneTypes<double>::Vector a, LaneTypes<double>::Vector b)
{
  return NNPAL_X86(min_pd, a, b);
}
#undef NNPAL_X86
#else
template <class V> NNPAL_INLINE V larger_of(V a, V b)
{
  return a > b ? a : b;
}
template <class V> NNPAL_INLINE V smaller_of(V a, V b)
{
  return a < b ? a : b;
}
#endif

// Propagates NaN of a.
template <class T> NNPAL_INLINE Lanes<T> larger(Lanes<T> a, T b)
{
  return {larger_of(Lanes<T>(b).v, a.v)};
}
template <class T> NNPAL_INLINE Lanes<T> smaller(Lanes<T> a, T b)
{
  return {smaller_of(Lanes<T>(b).v, a.v)};
}

// 0 where a >= b, else value, also where a is NaN, which thus propagates
template <class T> NNPAL_INLINE Lanes<T> zero_from(Lanes<T> a, T b, Lanes<T> value)
{
  return {a.v >= b ? Lanes<T>(T(0)).v : value.v};
}

// Lanes from `begin` to before `end` of value, else 0.
template <class T> NNPAL_INLINE Lanes<T> lanes_within(Lanes<T> value, int begin, int end)
{
  typename Lanes<T>::Integers lane;
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  return {lane >= begin && lane < end ? value.v : Lanes<T>(T(0)).v};
}

template <class T> NNPAL_INLINE Lanes<T> load(const T *from)
{
  Lanes<T> to;
  std::memcpy(&to.v, from, sizeof(to.v));
  return to;
}
template <class T> NNPAL_INLINE void store(T *to, Lanes<T> from)
{
  std::memcpy(to, &from.v, sizeof(from.v));
}

template <class T> NNPAL_INLINE Lanes<T> square_root(Lanes<T> a)
{
  Lanes<T> root;
  for (int i = 0; i < kLanes<T>; ++i)
    if constexpr (sizeof(T) == 4)
      root.v[i] = __builtin_sqrtf(a.v[i]);
    else
      root.v[i] = __builtin_sqrt(a.v[i]);
  return root;
}

template <class T> NNPAL_INLINE Lanes<T> magnitude_of(Lanes<T> a)
{
  using Integers = typename Lanes<T>::Integers;
  const Integers sign = reinterpret_cast<Integers>(Lanes<T>(T(-0.0)).v);
  return {reinterpret_cast<typename Lanes<T>::Vector>(reinterpret_cast<Integers>(a.v) & ~sign)};
}

}    // namespace nnpal::NNPAL_ISA
