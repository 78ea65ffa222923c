#include "order_parameter.h"

#include "unit_circle.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace nnpal {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

// Return n or -n, whichever has a positive first nonzero component.
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

// (re, im) *= (cosine, sign * sine), for each atom of a block
void rotate(double *re, double *im, const double *cosine, const double *sine, double sign, int n)
{
  for (int k = 0; k < n; k++) {
    const double c = cosine[k], s = sign * sine[k];
    const double turned = re[k] * c - im[k] * s;
    im[k] = re[k] * s + im[k] * c;
    re[k] = turned;
  }
}

double sum_of(const double *values, int n)
{
  double parts[4] = {0.0, 0.0, 0.0, 0.0};    // four independent chains of additions
  int k = 0;
  for (; k + 4 <= n; k += 4)
    for (int j = 0; j < 4; j++) parts[j] += values[k + j];
  for (; k < n; k++) parts[0] += values[k];
  return (parts[0] + parts[1]) + (parts[2] + parts[3]);
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

  const int n_atoms = static_cast<int>(atoms_.size());
  for (int first = 0; first < n_atoms; first += kBlock)
    add_block(x, first, std::min(kBlock, n_atoms - first));
}

void OrderParameter::add_block(const double *x, int first, int n)
{
  const double *inverse = inverse_box_;
  double fraction[3][kBlock];
  for (int k = 0; k < n; k++) {
    const double *r = x + 3 * static_cast<std::size_t>(atoms_[first + k]);
    for (int d = 0; d < 3; d++)
      fraction[d][k] = r[0] * inverse[d] + r[1] * inverse[3 + d] + r[2] * inverse[6 + d];
  }
  for (int d = 0; d < 3; d++)
    for (std::size_t p = 0; p < powers_[d].size(); p++) {
      Block &block = table_[d][p];
      const double power = powers_[d][p];
      for (int k = 0; k < n; k++) unit_circle(power * fraction[d][k], block.cosine[k], block.sine[k]);
    }

  double *re = phase_.data() + sums_.size() * first;
  double *sum = sums_.data();
  for (const auto &pair : pairs_) {
    double *im = re + n;
    std::fill(re, im, 1.0);
    std::fill(im, im + n, 0.0);
    for (int d = 0; d < 3; d++) {
      if (pair.power[d] < 0) continue;
      const Block &block = table_[d][pair.power[d]];
      rotate(re, im, block.cosine, block.sine, pair.n[d] < 0 ? -1.0 : 1.0, n);
    }
    sum[0] += sum_of(re, n);
    sum[1] += sum_of(im, n);
    re += 2 * n, sum += 2;
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
  const int n_atoms = static_cast<int>(atoms_.size());
  for (int first = 0; first < n_atoms; first += kBlock)
    add_gradient_of_block(factor, first, std::min(kBlock, n_atoms - first), f);
}

void OrderParameter::add_gradient_of_block(double factor, int first, int n, double *f) const
{
  double along[3][kBlock] = {};    // sum_g w n (Im S cos - Re S sin)
  const double *re = phase_.data() + sums_.size() * first;
  for (std::size_t p = 0; p < pairs_.size(); p++, re += 2 * n) {
    const double *im = re + n;
    const double real = pairs_[p].weight * sums_[2 * p], imaginary = pairs_[p].weight * sums_[2 * p + 1];
    const double nx = pairs_[p].n[0], ny = pairs_[p].n[1], nz = pairs_[p].n[2];
    for (int k = 0; k < n; k++) {
      const double slope = imaginary * re[k] - real * im[k];
      along[0][k] += nx * slope;
      along[1][k] += ny * slope;
      along[2][k] += nz * slope;
    }
  }
  const double *inverse = inverse_box_;
  const double scale = factor * 2.0 * kTwoPi * norm_;
  for (int k = 0; k < n; k++) {
    double *force = f + 3 * static_cast<std::size_t>(atoms_[first + k]);
    for (int d = 0; d < 3; d++)
      force[d] += scale * (inverse[3 * d] * along[0][k] + inverse[3 * d + 1] * along[1][k] +
                           inverse[3 * d + 2] * along[2][k]);
  }
}

}    // namespace nnpal
