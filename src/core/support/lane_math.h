// Mathematical functions of several numbers at a time.
#pragma once

#include "support/erfcx_series.h"
#include "support/simd_lanes.h"

namespace nnpal::NNPAL_ISA {

template <class T, int n> struct Coefficients {
  T value[n];
};

template <class T, int n> NNPAL_INLINE Lanes<T> polynomial(const T (&coefficients)[n], Lanes<T> x)
{
  Lanes<T> value(coefficients[n - 1]);
  for (int i = n - 2; i >= 0; --i) value = value * x + coefficients[i];
  return value;
}

// What differs between float and double: bits, and lengths of the series. kExp, kPower and kLog: polynomials
// of exp(x) for |x| <= ln 2 / 2, of 2^x for |x| <= 1/2, and of 2 log2(e) atanh(s)/s in s² for |s| <= (√2 -
// 1)/(√2 + 1), own fits at Chebyshev nodes with relative errors of 3e-9, 3e-9 and 7e-10 (float), 4e-18, 4e-18
// and 1e-18 (double).
template <class T> struct Series;
template <> struct Series<float> {
  static constexpr int kMantissa = 23, kSine = 7;
  static constexpr std::int32_t kRootOfHalf = 0x3f3504f3;    // the bits of √½
  // Adding 1.5 2^23 rounds to an integer; with the exponent's bias added, too, the bits of the sum, shifted
  // to the exponent's position, are those of 2^n.
  static constexpr float kRound = 12582912.0F + 127.0F;
  static constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  static constexpr float kLeastExponent = -87.0F, kLargestExponent = 88.0F, kLeast = 1e-30F;
  static constexpr float kLeastPower = -126.0F, kFarOut = 11.3F;    // see `normal`
  static constexpr float kExp[] = {1.0F,          1.0000000377F, 0.5000000047F, 0.1666641542F,
                                   0.0416663528F, 0.0083751348F, 0.0013941119F};
  static constexpr float kPower[] = {1.0F,
                                     0.693147206703F,
                                     0.240226509223F,
                                     0.0555032722667F,
                                     0.0096180566785F,
                                     0.0013400428178F,
                                     0.00015461444699F};
  static constexpr float kLog[] = {2.885390079758F, 0.961798845465F, 0.576714443932F, 0.431737880775F};
};
template <> struct Series<double> {
  static constexpr int kMantissa = 52, kSine = 11;
  static constexpr std::int64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kRound = 6755399441055744.0 + 1023.0;
  static constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kLeastExponent = -700.0, kLargestExponent = 700.0, kLeast = 1e-200;
  static constexpr double kLeastPower = -1010.0, kFarOut = 37.0;
  static constexpr double kExp[] = {
      0.99999999999999999693,   0.99999999999999999976,    0.50000000000000184039,
      0.1666666666666668082,    0.04166666666648795252,    0.0083333333333195896163,
      0.0013888888952352862866, 0.00019841269890076402829, 0.000024801485441561312966,
      2.7557240887229868596e-6, 2.763265472252779189e-7,   2.5110049204818659793e-8};
  static constexpr double kPower[] = {
      0.99999999999999999693,    0.69314718055994530925,     0.24022650695910159567,
      0.055504108664821627039,   0.0096181291075872566681,   0.0013333558146406470697,
      0.00015403530463724354209, 0.000015252733841556772589, 1.3215432535912376166e-6,
      1.0178057087733941105e-7,  7.0741942972885210056e-9,   4.455817908336064493e-10};
  static constexpr double kLog[] = {2.88539008177792681143,  0.961796693925989829466, 0.577078016345458610276,
                                    0.412198585854862954996, 0.320598533422746526825, 0.262334433572846780241,
                                    0.220910914237026199229, 0.213681639096966742817};
};

constexpr double kPi = 3.14159265358979323846, kLog2E = 1.44269504088896340736, kLn2 = 1 / kLog2E;

// Series of sin(pi t)/t (first = 1) or cos(pi t) (first = 0) in t^2.
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

// 2^x for x from kLeastPower to about 0, or a multiple of it, from its polynomial for |x| <= 1/2.
template <class T, int n> NNPAL_INLINE Lanes<T> power_by(const T (&coefficients)[n], Lanes<T> x)
{
  using S = Series<T>;
  const Lanes<T> rounded = x + S::kRound, rest = x - (rounded - S::kRound);
  const auto power = reinterpret_cast<typename Lanes<T>::Integers>(rounded.v) << S::kMantissa;
  return polynomial(coefficients, rest) * Lanes<T>(reinterpret_cast<typename Lanes<T>::Vector>(power));
}

// 2^x for x up to about 0, but at least 2^kLeastPower.
template <class T> NNPAL_INLINE Lanes<T> power_of_two(Lanes<T> x)
{
  return power_by(Series<T>::kPower, larger(x, Series<T>::kLeastPower));
}

template <class T> NNPAL_INLINE Lanes<T> exponential(Lanes<T> x)
{
  using S = Series<T>;
  x = larger(smaller(x, S::kLargestExponent), S::kLeastExponent);
  const Lanes<T> rounded = x * T(kLog2E) + S::kRound, n = rounded - S::kRound;
  const Lanes<T> rest = (x - n * S::kLn2High) - n * S::kLn2Low;
  const auto power = reinterpret_cast<typename Lanes<T>::Integers>(rounded.v) << S::kMantissa;
  return polynomial(S::kExp, rest) * Lanes<T>(reinterpret_cast<typename Lanes<T>::Vector>(power));
}

// log2(x) of normal numbers x > 0. Unspecified for NaN.
template <class T> NNPAL_INLINE Lanes<T> binary_logarithm(Lanes<T> x)
{
  using S = Series<T>;
  using Integers = typename Lanes<T>::Integers;
  using Vector = typename Lanes<T>::Vector;
  const Integers bits = reinterpret_cast<Integers>(x.v);
  const Integers power = (bits - S::kRootOfHalf) >> S::kMantissa;    // x = m 2^power, m from √½ to √2
  const Lanes<T> m(reinterpret_cast<Vector>(bits - (power << S::kMantissa)));
  const Lanes<T> exponent(__builtin_convertvector(power, Vector));
  const Lanes<T> s = (m - T(1)) / (m + T(1));
  return s * polynomial(S::kLog, s * s) + exponent;
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

template <class T, int n> constexpr Coefficients<T, n> scaled(const T (&coefficients)[n], double factor)
{
  Coefficients<T, n> result{};
  for (int i = 0; i < n; ++i) result.value[i] = static_cast<T>(factor * coefficients[i]);
  return result;
}

// Integral and density of the normal distribution at -magnitude. magnitude is min(|x|, kFarOut), where both
// are negligible in any sum, but 2^(-magnitude² / (2 ln 2)) is not denormal.
template <class T>
NNPAL_INLINE void normal(Lanes<T> x, Lanes<T> &magnitude, Lanes<T> &tail, Lanes<T> &density)
{
  using S = ErfcxSeries<T>;
  constexpr double kRootOfHalf = 0.70710678118654752440, kDensityAt0 = 0.39894228040143267794;
  constexpr auto power_series = scaled(Series<T>::kPower, kDensityAt0);
  constexpr auto tail_series = scaled(S::kCoefficients, 0.5 / kDensityAt0);
  static_assert(Series<T>::kFarOut * kRootOfHalf < S::kLargest);
  magnitude = smaller(magnitude_of(x), Series<T>::kFarOut);
  const Lanes<T> t = Lanes<T>(T(1)) / (magnitude * T(kErfcxScale * kRootOfHalf) + T(1));
  density = power_by(power_series.value, magnitude * magnitude * T(-0.5 * kLog2E));
  tail = polynomial(tail_series.value, t * S::kSlope - S::kOffset) * (t * density);
}

}    // namespace nnpal::NNPAL_ISA
