#include "spline_bias.h"

#include <algorithm>
#include <cmath>

namespace nnpal {

SplineBias::SplineBias(const std::vector<Axis> &axes) : axes_(axes)
{
  std::size_t size = 1;
  for (int d = 0; d < n_axes(); d++) size *= static_cast<std::size_t>(n_coefficients(d));
  coefficients_.assign(size, 0.0);
}

SplineBias::Basis SplineBias::basis(const Axis &axis, double s)
{
  const double width = axis.width();
  const double u = (std::clamp(s, axis.low, axis.high) - axis.low) / width;
  // NaN cannot become an integer; it stays NaN in the values
  const int cell = u > 0.0 ? std::min(static_cast<int>(u), axis.n_bins - 1) : 0;
  const double t = u - cell, t2 = t * t, t3 = t2 * t, r = 1.0 - t;
  Basis b;
  for (int k = 0; k < 4; k++) {
    const int knot = cell - 1 + k;
    b.index[k] = knot < 0 ? -knot : knot > axis.n_bins ? 2 * axis.n_bins - knot : knot;
  }
  b.value[0] = r * r * r / 6.0;
  b.value[1] = (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0;
  b.value[2] = (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0;
  b.value[3] = t3 / 6.0;
  const bool is_inside = s > axis.low && s < axis.high;
  const double per_width = is_inside ? 1.0 / width : 0.0;
  b.slope[0] = -0.5 * r * r * per_width;
  b.slope[1] = (1.5 * t2 - 2.0 * t) * per_width;
  b.slope[2] = (-1.5 * t2 + t + 0.5) * per_width;
  b.slope[3] = 0.5 * t2 * per_width;
  return b;
}

void SplineBias::add_wall(const Axis &axis, double s, double &energy, double &slope)
{
  double beyond = 0.0;
  if (axis.wall_low && s < axis.low) beyond = s - axis.low;
  if (axis.wall_high && s > axis.high) beyond = s - axis.high;
  if (beyond == 0.0) return;
  const double b = beyond / axis.wall_length;
  const double root = axis.wall_slope_is_limited ? std::sqrt(1.0 + b * b) : 1.0;
  energy += axis.wall_energy * (axis.wall_slope_is_limited ? root - 1.0 : 0.5 * b * b);
  slope += axis.wall_energy * b / root / axis.wall_length;
}

BiasValue SplineBias::evaluate(const Point &s) const
{
  BiasValue result;
  const Basis b0 = basis(axes_[0], s[0]);
  if (n_axes() == 1) {
    for (int k = 0; k < 4; k++) {
      const double c = coefficients_[b0.index[k]];
      result.energy += c * b0.value[k];
      result.slope[0] += c * b0.slope[k];
    }
  } else {
    const Basis b1 = basis(axes_[1], s[1]);
    const std::size_t row = static_cast<std::size_t>(n_coefficients(1));
    for (int k = 0; k < 4; k++) {
      const double *c = &coefficients_[b0.index[k] * row];
      double value = 0.0, slope = 0.0;
      for (int l = 0; l < 4; l++) {
        value += c[b1.index[l]] * b1.value[l];
        slope += c[b1.index[l]] * b1.slope[l];
      }
      result.energy += b0.value[k] * value;
      result.slope[0] += b0.slope[k] * value;
      result.slope[1] += b0.value[k] * slope;
    }
  }
  for (int d = 0; d < n_axes(); d++) add_wall(axes_[d], s[d], result.energy, result.slope[d]);
  return result;
}

void SplineBias::deposit(const Point &s, double amount)
{
  const Basis b0 = basis(axes_[0], s[0]);
  if (n_axes() == 1) {
    for (int k = 0; k < 4; k++) coefficients_[b0.index[k]] += amount * b0.value[k];
    return;
  }
  const Basis b1 = basis(axes_[1], s[1]);
  const std::size_t row = static_cast<std::size_t>(n_coefficients(1));
  for (int k = 0; k < 4; k++)
    for (int l = 0; l < 4; l++)
      coefficients_[b0.index[k] * row + b1.index[l]] += amount * b0.value[k] * b1.value[l];
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
