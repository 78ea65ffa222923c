// Arithmetic on several numbers at a time, with the compiler's vector extensions: one source for every
// instruction set. Compiled once for each, with its name NNPAL_ISA, so that no two sets share a function, and
// the size of its registers, NNPAL_VECTOR_BYTES (gcc does larger vectors number by number).
#pragma once

#include "support/erfcx_series.h"

#include <cstdint>
#include <cstring>

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

// NaN of a comes through.
template <class T> NNPAL_INLINE Lanes<T> smaller(Lanes<T> a, T b)
{
  return {a.v > b ? Lanes<T>(b).v : a.v};
}
template <class T> NNPAL_INLINE Lanes<T> larger(Lanes<T> a, T b)
{
  return {a.v < b ? Lanes<T>(b).v : a.v};
}

// 0 where a >= b, else value: also where a is NaN, which so comes through
template <class T> NNPAL_INLINE Lanes<T> zero_from(Lanes<T> a, T b, Lanes<T> value)
{
  return {a.v >= b ? Lanes<T>(T(0)).v : value.v};
}

// The first n lanes of value, else 0.
template <class T> NNPAL_INLINE Lanes<T> first_lanes(Lanes<T> value, int n)
{
  typename Lanes<T>::Integers lane;
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  return {lane < n ? value.v : Lanes<T>(T(0)).v};
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

template <class T> NNPAL_INLINE T sum(Lanes<T> a)
{
  T part[kLanes<T>];
  std::memcpy(part, &a.v, sizeof(part));
  for (int width = kLanes<T> / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
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

template <class T, int n> NNPAL_INLINE Lanes<T> polynomial(const T (&coefficients)[n], Lanes<T> x)
{
  Lanes<T> value(coefficients[n - 1]);
  for (int i = n - 2; i >= 0; --i) value = value * x + coefficients[i];
  return value;
}

// What differs between float and double: bits, and lengths of the series.
// What differs between float and double: bits, and lengths of the series. kExp and kLog: polynomials of
// exp(x) for |x| <= ln 2 / 2 and of atanh(s)/s in s² for |s| <= (√2 - 1)/(√2 + 1), fits of our own at
// Chebyshev nodes with relative errors of 3e-9 and 7e-10 (float), 4e-18 and 1e-18 (double).
template <class T> struct Series;
template <> struct Series<float> {
  static constexpr int kMantissa = 23, kSine = 7;
  static constexpr std::int32_t kRootOfHalf = 0x3f3504f3;    // the bits of √½
  // 1.5 2^23, to which adding rounds to an integer, and the exponent's bias: bits of the sum are those of 2^n
  // once they are shifted into the exponent's place.
  static constexpr float kRound = 12582912.0F + 127.0F;
  static constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  static constexpr float kLeastExponent = -87.0F, kLargestExponent = 88.0F, kLeast = 1e-30F;
  static constexpr float kExp[] = {1.0F,          1.0000000377F, 0.5000000047F, 0.1666641542F,
                                   0.0416663528F, 0.0083751348F, 0.0013941119F};
  static constexpr float kLog[] = {0.9999999993F, 0.3333340790F, 0.1998739954F, 0.1496289474F};
};
template <> struct Series<double> {
  static constexpr int kMantissa = 52, kSine = 11;
  static constexpr std::int64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kRound = 6755399441055744.0 + 1023.0;
  static constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kLeastExponent = -700.0, kLargestExponent = 700.0, kLeast = 1e-200;
  static constexpr double kExp[] = {
      0.99999999999999999693,   0.99999999999999999976,    0.50000000000000184039,
      0.1666666666666668082,    0.04166666666648795252,    0.0083333333333195896163,
      0.0013888888952352862866, 0.00019841269890076402829, 0.000024801485441561312966,
      2.7557240887229868596e-6, 2.763265472252779189e-7,   2.5110049204818659793e-8};
  static constexpr double kLog[] = {0.99999999999999999886,  0.33333333333333826319, 0.19999999999649033497,
                                    0.14285714380804740562,  0.11111098476681507396, 0.090918186497404502937,
                                    0.076561888679157295904, 0.074056412838745137929};
};

constexpr double kPi = 3.14159265358979323846;

template <class T, int n> struct Coefficients {
  T value[n];
};

// Of sin(pi t)/t (first = 1) or cos(pi t) (first = 0) in t^2.
template <class T> constexpr Coefficients<T, Series<T>::kSine> sine_series(int first)
{
  Coefficients<T, Series<T>::kSine> c{};
  double term = first == 1 ? kPi : 1.0;
  for (int k = 0; k < Series<T>::kSine; ++k) {
    c.value[k] = static_cast<T>(term);
    term *= -kPi * kPi / ((2 * k + first + 1) * (2 * k + first + 2));
  }
  return c;
}

// exp(x) of x <= 0, or a little above.
template <class T> NNPAL_INLINE Lanes<T> decay(Lanes<T> x)
{
  using S = Series<T>;
  x = larger(x, S::kLeastExponent);
  const Lanes<T> rounded = x * T(1.44269504088896340736) + S::kRound, n = rounded - S::kRound;
  const Lanes<T> rest = (x - n * S::kLn2High) - n * S::kLn2Low;
  const auto power = reinterpret_cast<typename Lanes<T>::Integers>(rounded.v) << S::kMantissa;
  return polynomial(S::kExp, rest) * Lanes<T>(reinterpret_cast<typename Lanes<T>::Vector>(power));
}
template <class T> NNPAL_INLINE Lanes<T> exponential(Lanes<T> x)
{
  return decay(smaller(x, Series<T>::kLargestExponent));
}

// log(x) of x from kLeast on; NaN comes through.
template <class T> NNPAL_INLINE Lanes<T> logarithm(Lanes<T> x)
{
  using S = Series<T>;
  using Integers = typename Lanes<T>::Integers;
  using Vector = typename Lanes<T>::Vector;
  x = larger(x, S::kLeast);
  const Integers bits = reinterpret_cast<Integers>(x.v);
  const Integers power = (bits - S::kRootOfHalf) >> S::kMantissa;    // x = m 2^power, m from √½ to √2
  const Lanes<T> m(reinterpret_cast<Vector>(bits - (power << S::kMantissa)));
  const Lanes<T> exponent(__builtin_convertvector(power, Vector));
  const Lanes<T> s = (m - T(1)) / (m + T(1));
  const Lanes<T> of_mantissa = s * T(2) * polynomial(S::kLog, s * s);
  const Lanes<T> value = of_mantissa + exponent * S::kLn2Low + exponent * S::kLn2High;
  return {x.v == x.v ? value.v : x.v};    // the bits of NaN are those of a number
}

// cos(pi u) and sin(pi u) for u from 0 to 1.
template <class T> NNPAL_INLINE Lanes<T> cosine_pi(Lanes<T> u)
{
  constexpr auto series = sine_series<T>(1);
  const Lanes<T> t = T(0.5) - u;
  return t * polynomial(series.value, t * t);
}
template <class T> NNPAL_INLINE Lanes<T> sine_pi(Lanes<T> u)
{
  constexpr auto series = sine_series<T>(0);
  const Lanes<T> t = T(0.5) - u;
  return polynomial(series.value, t * t);
}

// Phi(x), the normal distribution's integral, and its density phi(x).
template <class T> NNPAL_INLINE void normal(Lanes<T> x, Lanes<T> &integral, Lanes<T> &density)
{
  using S = ErfcxSeries<T>;
  const Lanes<T> magnitude = magnitude_of(x);
  const Lanes<T> z = smaller(magnitude * T(0.70710678118654752440), S::kLargest);
  const Lanes<T> t = Lanes<T>(T(1)) / (z * T(kErfcxScale) + T(1));
  const Lanes<T> at = t * S::kSlope - S::kOffset;
  const Lanes<T> gaussian = decay(magnitude * magnitude * T(-0.5));
  const Lanes<T> tail = t * polynomial(S::kCoefficients, at) * gaussian * T(0.5);    // Phi(-|x|)
  integral = {x.v < T(0) ? tail.v : (T(1) - tail).v};
  density = gaussian * T(0.39894228040143267794);
}

}    // namespace nnpal::NNPAL_ISA
