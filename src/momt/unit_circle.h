// exp(2 pi i t), inline and without branches, so that a loop over atoms becomes vector instructions; several
// times faster than the library's cos and sin.
#pragma once

namespace nnpal {

// cos and sin of 2 pi turns for |turns| < 1e9, each within 2e-15 (plus the error from rounding `turns`). r =
// turns - nearest integer, |r| <= 1/2; series at a = 2 pi r / 4, |a| <= pi/4, truncated below the last digit;
// then the angle is doubled twice: cos 2a = 1 - 2 sin^2 a, sin 2a = 2 sin a cos a.
inline void unit_circle(double turns, double &cosine, double &sine)
{
  constexpr double kRounder = 6755399441055744.0;    // 1.5 * 2^52: adding it rounds to an integer
  const double angle = 1.5707963267948966192313216916398 * (turns - ((turns + kRounder) - kRounder));
  const double a = angle * angle;
  const double s =
      angle *
      (1.0 + a * (-1.0 / 6 +
                  a * (1.0 / 120 +
                       a * (-1.0 / 5040 + a * (1.0 / 362880 +
                                               a * (-1.0 / 39916800 + a * (1.0 / 6227020800.0 -
                                                                           a * (1.0 / 1307674368000.0))))))));
  const double c =
      1.0 + a * (-1.0 / 2 +
                 a * (1.0 / 24 +
                      a * (-1.0 / 720 + a * (1.0 / 40320 + a * (-1.0 / 3628800 +
                                                                a * (1.0 / 479001600.0 +
                                                                     a * (-1.0 / 87178291200.0 +
                                                                          a * (1.0 / 20922789888000.0))))))));
  const double twice = 2.0 * s * c, remainder = 1.0 - 2.0 * s * s;
  sine = 2.0 * twice * remainder;
  cosine = 1.0 - 2.0 * twice * twice;
}

}    // namespace nnpal
