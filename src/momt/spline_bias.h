// A bias on a grid of one or two variables: uniform cubic B-splines with knots at the bin edges, so twice
// continuously differentiable. Outside the grid each basis function goes on as its tangent at the edge: value
// and slope stay continuous, and the bias is linear there. A wall at an edge adds slope w (sqrt(1 + (x/w)^2)
// - 1), x the distance beyond the edge and w the bin's width: it leads back, and its slope has a limit, for a
// bias along the enthalpy multiplies all forces by 1 + slope, and a time step bears no more than that.
#pragma once

#include <array>
#include <vector>

namespace nnpal {

struct Axis {
  double low = 0.0, high = 1.0;
  int n_bins = 1;
  bool wall_low = false, wall_high = false;
  double wall_slope = 0.0;    // of a wall far beyond its edge, energy per unit of the axis
  double width() const { return (high - low) / n_bins; }
};

struct BiasValue {
  double energy = 0.0;
  std::array<double, 2> slope = {0.0, 0.0};    // along each axis
};

class SplineBias {
public:
  using Point = std::array<double, 2>;    // the second unused on one axis

  explicit SplineBias(const std::vector<Axis> &axes);

  int n_axes() const { return static_cast<int>(axes_.size()); }
  int n_coefficients(int axis) const { return axes_[axis].n_bins + 3; }
  std::vector<double> &coefficients() { return coefficients_; }    // [n_0 + 3, n_1 + 3], row major

  BiasValue evaluate(const Point &s) const;

  // Add `amount` times the product of the basis functions at s: c_kl += amount B_k(s_0) B_l(s_1).
  void deposit(const Point &s, double amount);

  // Flat index of the bin that holds s, or -1 outside the grid.
  int bin(const Point &s) const;

private:
  struct Basis {
    int first;    // index of the first of four basis functions
    double value[4], slope[4];
  };
  static Basis basis(const Axis &axis, double s);

  std::vector<Axis> axes_;
  std::vector<double> coefficients_;
};

}    // namespace nnpal
