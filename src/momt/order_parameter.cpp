#include "order_parameter.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace nnpal {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

// Of n and -n, the one whose first component that is not 0 is positive.
OrderParameter::IntVector leading(const OrderParameter::IntVector &n)
{
  for (int component : n)
    if (component != 0) return component > 0 ? n : OrderParameter::IntVector{-n[0], -n[1], -n[2]};
  return n;
}

int place_of(int value, std::vector<int> &values)
{
  if (value == 0) return -1;
  const auto found = std::find(values.begin(), values.end(), value);
  if (found != values.end()) return static_cast<int>(found - values.begin());
  values.push_back(value);
  return static_cast<int>(values.size()) - 1;
}

// Inverse of a lower triangular matrix of rows a, b, c.
void invert_box(const double *h, double *inverse)
{
  const double xx = 1.0 / h[0], yy = 1.0 / h[4], zz = 1.0 / h[8];
  inverse[0] = xx, inverse[1] = 0.0, inverse[2] = 0.0;
  inverse[3] = -h[3] * xx * yy, inverse[4] = yy, inverse[5] = 0.0;
  inverse[6] = (h[3] * h[7] - h[4] * h[6]) * xx * yy * zz, inverse[7] = -h[7] * yy * zz, inverse[8] = zz;
}

struct Complex {
  double re, im;
};

Complex operator*(Complex a, Complex b)
{
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

}    // namespace

OrderParameter::OrderParameter(const std::vector<IntVector> &vectors, long long n_atoms) :
    norm_(1.0 / (static_cast<double>(vectors.size()) * static_cast<double>(n_atoms)))
{
  std::map<IntVector, int> weights;
  for (const auto &n : vectors) weights[leading(n)]++;
  for (const auto &[n, weight] : weights) {
    Pair pair{n, weight, {}};
    for (int d = 0; d < 3; d++) pair.power[d] = place_of(std::abs(n[d]), powers_[d]);
    pairs_.push_back(pair);
  }
  sums_.resize(2 * pairs_.size());
  for (int d = 0; d < 3; d++) table_[d].resize(powers_[d].size());
}

void OrderParameter::add_atoms(const double *x, const int *mask, int groupbit, int n_local, const double *box)
{
  invert_box(box, inverse_box_);
  atoms_.clear();
  for (int i = 0; i < n_local; i++)
    if (mask[i] & groupbit) atoms_.push_back(i);
  phase_.resize(atoms_.size() * sums_.size());
  std::fill(sums_.begin(), sums_.end(), 0.0);

  const double *inverse = inverse_box_;

  double *phase = phase_.data();
  for (int i : atoms_) {
    const double *r = x + 3 * static_cast<std::size_t>(i);
    for (int d = 0; d < 3; d++) {
      if (powers_[d].empty()) continue;
      const double s = r[0] * inverse[d] + r[1] * inverse[3 + d] + r[2] * inverse[6 + d];
      for (std::size_t p = 0; p < powers_[d].size(); p++) {
        const double angle = kTwoPi * powers_[d][p] * s;
        table_[d][p] = {std::cos(angle), std::sin(angle)};
      }
    }
    double *sum = sums_.data();
    for (const auto &pair : pairs_) {
      Complex e{1.0, 0.0};
      for (int d = 0; d < 3; d++) {
        if (pair.power[d] < 0) continue;
        Complex factor{table_[d][pair.power[d]][0], table_[d][pair.power[d]][1]};
        if (pair.n[d] < 0) factor.im = -factor.im;
        e = e * factor;
      }
      phase[0] = e.re, phase[1] = e.im;
      sum[0] += e.re, sum[1] += e.im;
      phase += 2, sum += 2;
    }
  }
}

double OrderParameter::value() const
{
  double total = 0.0;
  for (std::size_t p = 0; p < pairs_.size(); p++)
    total += pairs_[p].weight * (sums_[2 * p] * sums_[2 * p] + sums_[2 * p + 1] * sums_[2 * p + 1]);
  return norm_ * total;
}

void OrderParameter::add_gradient(double factor, double *f) const
{
  const double *phase = phase_.data();
  const double *inverse = inverse_box_;
  const double scale = factor * 2.0 * kTwoPi * norm_;
  for (int i : atoms_) {
    double along[3] = {0.0, 0.0, 0.0};    // sum_g w n (Im S cos - Re S sin)
    for (std::size_t p = 0; p < pairs_.size(); p++, phase += 2) {
      const double slope = pairs_[p].weight * (sums_[2 * p + 1] * phase[0] - sums_[2 * p] * phase[1]);
      for (int d = 0; d < 3; d++) along[d] += pairs_[p].n[d] * slope;
    }
    double *force = f + 3 * static_cast<std::size_t>(i);
    for (int k = 0; k < 3; k++)
      force[k] +=
          scale * (inverse[3 * k] * along[0] + inverse[3 * k + 1] * along[1] + inverse[3 * k + 2] * along[2]);
  }
}

}    // namespace nnpal
