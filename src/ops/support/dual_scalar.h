// Functions of single numbers, plain or dual, for portable_kernel.h; dual_lanes.h has those for vectors. With
// dual numbers (a value and its derivative along one direction), a formula also gives its directional
// derivative.
#pragma once

#include "support/portable_kernel.h"

#include <cmath>

namespace nnpal::NNPAL_TWIN {

template <class T> struct DualScalar {
  T v, d;

  DualScalar() = default;
  NNPAL_KERNEL DualScalar(T value) : v(value), d(0) {}
  NNPAL_KERNEL DualScalar(T value, T derivative) : v(value), d(derivative) {}
};

template <class N> struct ScalarOf {
  using Type = N;
};
template <class T> struct ScalarOf<DualScalar<T>> {
  using Type = T;
};
template <class N> using Scalar = typename ScalarOf<N>::Type;
template <class N> constexpr bool kIsDual = false;
template <class T> constexpr bool kIsDual<DualScalar<T>> = true;

template <class T> constexpr T kSmallest = T(1e-30);    // argument of a logarithm
template <> inline constexpr double kSmallest<double> = 1e-200;
constexpr double kPi = 3.14159265358979323846;

// The result of a kernel: the number, or for dual numbers its derivative.
template <class N> NNPAL_KERNEL Scalar<N> result(N a)
{
  if constexpr (kIsDual<N>)
    return a.d;
  else
    return a;
}
template <class N> NNPAL_KERNEL Scalar<N> value_of(N a)
{
  if constexpr (kIsDual<N>)
    return a.v;
  else
    return a;
}

template <class T> NNPAL_KERNEL DualScalar<T> operator+(DualScalar<T> a, DualScalar<T> b)
{
  return {a.v + b.v, a.d + b.d};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator-(DualScalar<T> a, DualScalar<T> b)
{
  return {a.v - b.v, a.d - b.d};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator*(DualScalar<T> a, DualScalar<T> b)
{
  return {a.v * b.v, a.d * b.v + a.v * b.d};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator/(DualScalar<T> a, DualScalar<T> b)
{
  const T quotient = a.v / b.v;
  return {quotient, (a.d - quotient * b.d) / b.v};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator+(DualScalar<T> a, T b)
{
  return {a.v + b, a.d};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator-(DualScalar<T> a, T b)
{
  return {a.v - b, a.d};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator*(DualScalar<T> a, T b)
{
  return {a.v * b, a.d * b};
}
template <class T> NNPAL_KERNEL DualScalar<T> operator-(T a, DualScalar<T> b)
{
  return {a - b.v, -b.d};
}

NNPAL_KERNEL float square_root(float a)
{
  return std::sqrt(a);
}
NNPAL_KERNEL double square_root(double a)
{
  return std::sqrt(a);
}
template <class T> NNPAL_KERNEL DualScalar<T> square_root(DualScalar<T> a)
{
  const T root = square_root(a.v);
  return {root, a.d * T(0.5) / root};
}
NNPAL_KERNEL float exponential(float a)
{
  return std::exp(a);
}
NNPAL_KERNEL double exponential(double a)
{
  return std::exp(a);
}
template <class T> NNPAL_KERNEL DualScalar<T> exponential(DualScalar<T> a)
{
  const T value = exponential(a.v);
  return {value, a.d * value};
}
// exp(-eta d²). A GPU's own power of two is as accurate as the rounding of its exponent allows.
NNPAL_KERNEL float gaussian(float d, float eta)
{
  const float power = d * d * (eta * -1.44269504088896340736F);
#ifdef __CUDACC__
  float value;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(value) : "f"(power));
  return value;
#else
  return std::exp2(power);
#endif
}
NNPAL_KERNEL double gaussian(double d, double eta)
{
  return std::exp(d * d * -eta);
}
template <class T> NNPAL_KERNEL DualScalar<T> gaussian(DualScalar<T> d, T eta)
{
  const T value = gaussian(d.v, eta);
  return {value, value * d.v * d.d * (T(-2) * eta)};
}
// a / b, accurate to the last or second-to-last digit.
NNPAL_KERNEL float quotient(float a, float b)
{
#ifdef __CUDACC__
  return __fdividef(a, b);
#else
  return a / b;
#endif
}
NNPAL_KERNEL double quotient(double a, double b)
{
  return a / b;
}
template <class T> NNPAL_KERNEL DualScalar<T> quotient(DualScalar<T> a, DualScalar<T> b)
{
  const T value = quotient(a.v, b.v);
  return {value, quotient(a.d - value * b.d, b.v)};
}
NNPAL_KERNEL float logarithm(float a)
{
  return std::log(a);
}
NNPAL_KERNEL double logarithm(double a)
{
  return std::log(a);
}
template <class T> NNPAL_KERNEL DualScalar<T> logarithm(DualScalar<T> a)
{
  return {logarithm(a.v), a.d / a.v};
}

// cos(pi u) and sin(pi u).
template <class T> NNPAL_KERNEL void circle(T u, T &cosine, T &sine)
{
#ifdef __CUDACC__
  if constexpr (sizeof(T) == 4)
    sincospif(u, &sine, &cosine);
  else
    sincospi(u, &sine, &cosine);
#else
  cosine = std::sin(T(kPi) * (T(0.5) - u));
  sine = std::sin(T(kPi) * u);
#endif
}
template <class T> NNPAL_KERNEL void circle(DualScalar<T> u, DualScalar<T> &cosine, DualScalar<T> &sine)
{
  circle(u.v, cosine.v, sine.v);
  cosine.d = u.d * sine.v * T(-kPi);
  sine.d = u.d * cosine.v * T(kPi);
}

// The larger of the two, a constant if it is b. Propagates NaN of a.
template <class T> NNPAL_KERNEL T larger(T a, T b)
{
  return a <= b ? b : a;
}
template <class T> NNPAL_KERNEL DualScalar<T> larger(DualScalar<T> a, T b)
{
  return a.v <= b ? DualScalar<T>(b) : a;
}

// f(r) and f'(r) of TorchANI's cutoff functions; 0 from the cutoff on. Propagates NaN.
template <class N>
NNPAL_KERNEL void cutoff_function(N r, Scalar<N> cutoff, bool is_smooth, N &value, N &slope)
{
  using T = Scalar<N>;
  value = slope = N(T(0));
  if (value_of(r) >= cutoff) return;
  const N u = r * (T(1) / cutoff);
  if (is_smooth) {    // exp(1 - 1/(1 - u²))
    const N rest = larger(T(1) - u * u, T(1e-10));
    const N inverse = N(T(1)) / rest;
    value = exponential(T(1) - inverse);
    if (value_of(rest) > T(1e-10)) slope = value * u * inverse * inverse * (T(-2) / cutoff);
  } else {
    N cosine, sine;
    circle(u, cosine, sine);
    value = cosine * T(0.5) + T(0.5);
    slope = sine * T(-0.5 * kPi / static_cast<double>(cutoff));
  }
}

}    // namespace nnpal::NNPAL_TWIN
