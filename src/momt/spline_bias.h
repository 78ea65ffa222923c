// A bias on a grid of one or two variables: uniform cubic B-splines at the bin edges, mirrored at the grid's
// edges, so that the slope there is 0. Beyond them, the bias keeps its value at the edge: it and its slope
// are continuous everywhere, and states outside are sampled without bias, which along the enthalpy leads
// back.
//
// Walls lead back if that is not enough. With b = (distance beyond the edge) / (the wall's length l) they add
// e b^2 / 2 or, along the enthalpy, where the slope multiplies all forces, e (sqrt(1 + b^2) - 1), whose slope
// never reaches e / l. Neither depends on the bins; both begin with slope 0 and curvature e / l^2.
#pragma once

#include <array>
#include <vector>

namespace nnpal {

struct Axis {
  double low = 0.0, high = 1.0;
  int n_bins = 1;
  bool wall_low = false, wall_high = false;
  double wall_energy = 0.0;    // e
  double wall_length = 1.0;    // l, in the variable's own units
  bool wall_slope_is_limited = false;
  double width() const { return (high - low) / n_bins; }
};

struct BiasValue {
  double energy = 0.0;
  std::array<double, 2> slope = {0.0, 0.0};    // along each axis
};

class SplineBias {
public:
  using Point = std::array<double, 2>;    // the second is unused for one axis

  explicit SplineBias(const std::vector<Axis> &axes);

  int n_axes() const { return static_cast<int>(axes_.size()); }
  int n_coefficients(int axis) const { return axes_[axis].n_bins + 1; }    // one at each bin edge
  std::vector<double> &coefficients() { return coefficients_; }            // [n_0 + 1, n_1 + 1], row major

  BiasValue evaluate(const Point &s) const;

  // Add `amount` times the product of the basis functions at s: c_kl += amount B_k(s_0) B_l(s_1).
  void deposit(const Point &s, double amount);

  // Flat index of the bin that contains s, or -1 outside the grid.
  int bin(const Point &s) const;

private:
  struct Basis {
    int index[4];    // of the coefficients, mirrored into the grid
    double value[4], slope[4];
  };
  static Basis basis(const Axis &axis, double s);
  static void add_wall(const Axis &axis, double s, double &energy, double &slope);

  std::vector<Axis> axes_;
  std::vector<double> coefficients_;
};

}    // namespace nnpal
