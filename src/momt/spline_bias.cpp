#include "spline_bias.h"

#include <algorithm>
#include <cmath>

namespace nnpal {

SplineBias::SplineBias(const std::vector<Axis> &axes) : axes_(axes)
{
  std::size_t size = 1;
  for (const auto &axis : axes_) size *= static_cast<std::size_t>(axis.n_bins + 3);
  coefficients_.assign(size, 0.0);
}

SplineBias::Basis SplineBias::basis(const Axis &axis, double s)
{
  const double width = axis.width();
  const double inside = std::clamp(s, axis.low, axis.high);
  const double u = (inside - axis.low) / width;
  Basis b;
  b.first = std::clamp(static_cast<int>(u), 0, axis.n_bins - 1);
  const double t = u - b.first, t2 = t * t, t3 = t2 * t, r = 1.0 - t;
  b.value[0] = r * r * r / 6.0;
  b.value[1] = (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0;
  b.value[2] = (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0;
  b.value[3] = t3 / 6.0;
  b.slope[0] = -0.5 * r * r / width;
  b.slope[1] = (1.5 * t2 - 2.0 * t) / width;
  b.slope[2] = (-1.5 * t2 + t + 0.5) / width;
  b.slope[3] = 0.5 * t2 / width;
  if (s != inside)
    for (int k = 0; k < 4; k++) b.value[k] += b.slope[k] * (s - inside);
  return b;
}

BiasValue SplineBias::evaluate(const Point &s) const
{
  BiasValue result;
  const Basis b0 = basis(axes_[0], s[0]);
  if (n_axes() == 1) {
    for (int k = 0; k < 4; k++) {
      const double c = coefficients_[b0.first + k];
      result.energy += c * b0.value[k];
      result.slope[0] += c * b0.slope[k];
    }
  } else {
    const Basis b1 = basis(axes_[1], s[1]);
    const std::size_t row = static_cast<std::size_t>(n_coefficients(1));
    for (int k = 0; k < 4; k++) {
      const double *c = &coefficients_[(b0.first + k) * row + b1.first];
      double value = 0.0, slope = 0.0;
      for (int l = 0; l < 4; l++) {
        value += c[l] * b1.value[l];
        slope += c[l] * b1.slope[l];
      }
      result.energy += b0.value[k] * value;
      result.slope[0] += b0.slope[k] * value;
      result.slope[1] += b0.value[k] * slope;
    }
  }
  for (int d = 0; d < n_axes(); d++) {
    const Axis &axis = axes_[d];
    double beyond = 0.0;
    if (axis.wall_low && s[d] < axis.low) beyond = s[d] - axis.low;
    if (axis.wall_high && s[d] > axis.high) beyond = s[d] - axis.high;
    if (beyond == 0.0) continue;
    const double bins = beyond / axis.width(), root = std::sqrt(1.0 + bins * bins);
    result.energy += axis.wall_slope * axis.width() * (root - 1.0);
    result.slope[d] += axis.wall_slope * bins / root;
  }
  return result;
}

void SplineBias::deposit(const Point &s, double amount)
{
  const Basis b0 = basis(axes_[0], s[0]);
  if (n_axes() == 1) {
    for (int k = 0; k < 4; k++) coefficients_[b0.first + k] += amount * b0.value[k];
    return;
  }
  const Basis b1 = basis(axes_[1], s[1]);
  const std::size_t row = static_cast<std::size_t>(n_coefficients(1));
  for (int k = 0; k < 4; k++)
    for (int l = 0; l < 4; l++)
      coefficients_[(b0.first + k) * row + b1.first + l] += amount * b0.value[k] * b1.value[l];
}

int SplineBias::bin(const Point &s) const
{
  int index = 0;
  for (int d = 0; d < n_axes(); d++) {
    const Axis &axis = axes_[d];
    if (!(s[d] >= axis.low && s[d] <= axis.high)) return -1;
    const int i = std::min(static_cast<int>((s[d] - axis.low) / axis.width()), axis.n_bins - 1);
    index = index * axis.n_bins + i;
  }
  return index;
}

}    // namespace nnpal
