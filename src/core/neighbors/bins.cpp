#include "neighbors/bins.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace nnpal {
namespace {

Vector cross(const Vector &a, const Vector &b)
{
  return {{a.x[1] * b.x[2] - a.x[2] * b.x[1], a.x[2] * b.x[0] - a.x[0] * b.x[2],
           a.x[0] * b.x[1] - a.x[1] * b.x[0]}};
}

Vector times(const Vector &a, double factor)
{
  return {{a.x[0] * factor, a.x[1] * factor, a.x[2] * factor}};
}

// A unit vector orthogonal to all given ones.
Vector orthogonal_to(const std::vector<Vector> &given)
{
  if (given.size() == 2) {
    const Vector normal = cross(given[0], given[1]);
    return times(normal, 1.0 / normal.length());
  }
  Vector best{{1.0, 0.0, 0.0}};
  double longest = given.empty() ? 1.0 : 0.0;
  for (int k = 0; k < 3 && !given.empty(); ++k) {
    Vector axis{};
    axis.x[k] = 1.0;
    const Vector candidate = cross(given[0], axis);
    if (candidate.length() <= longest) continue;
    longest = candidate.length();
    best = candidate;
  }
  return times(best, 1.0 / best.length());
}

// Bins are as wide as the cutoff, or wider if there would be more bins than atoms.
void choose_bins(const Basis &basis, const bool (&is_periodic)[3], const double (&span)[3],
                 std::int64_t n_atoms, double cutoff, Bins &bins)
{
  const double most = std::max(64.0, static_cast<double>(n_atoms));
  double height[3], wanted[3];
  for (int k = 0; k < 3; ++k) {
    height[k] = (is_periodic[k] ? 1.0 : span[k]) / basis.inverse[k].length();
    wanted[k] = std::max(1.0, std::floor(height[k] / cutoff));
  }
  while (wanted[0] * wanted[1] * wanted[2] > most) {
    double *largest = std::max_element(wanted, wanted + 3);
    *largest = std::floor(*largest / 2);
  }
  for (int k = 0; k < 3; ++k) {
    bins.n[k] = static_cast<std::int64_t>(wanted[k]);
    bins.width[k] = (is_periodic[k] ? 1.0 : std::max(span[k], 1e-9)) / wanted[k];
    const double thickness = std::max(bins.width[k] / basis.inverse[k].length(), 1e-12);
    const double reach = std::floor(cutoff / thickness * (1.0 + 1e-9)) + 1.0;
    bins.reach[k] = static_cast<std::int64_t>(is_periodic[k] ? reach : std::min(reach, wanted[k]));
  }
}

}    // namespace

double Vector::length() const
{
  return std::sqrt(dot(*this));
}

Basis::Basis(const double (&cell)[3][3], const bool (&is_periodic)[3])
{
  std::vector<Vector> known;
  for (int k = 0; k < 3; ++k)
    if (is_periodic[k]) known.push_back(along[k] = {{cell[k][0], cell[k][1], cell[k][2]}});
  for (int k = 0; k < 3; ++k)
    if (!is_periodic[k]) known.push_back(along[k] = orthogonal_to(known));
  const double volume = along[0].dot(cross(along[1], along[2]));
  if (!(std::abs(volume) > 0.0) || !std::isfinite(1.0 / volume))
    throw std::invalid_argument("the periodic vectors of the cell do not span it");
  for (int k = 0; k < 3; ++k) inverse[k] = times(cross(along[(k + 1) % 3], along[(k + 2) % 3]), 1.0 / volume);
}

Bins fill_bins(const double *positions, std::int64_t n_atoms, const Basis &basis,
               const bool (&is_periodic)[3], double cutoff)
{
  Bins bins{};
  std::copy_n(is_periodic, 3, bins.is_periodic);
  std::vector<double> along(3 * n_atoms);
  bins.image.assign(3 * n_atoms, 0);
  double high[3] = {};
  for (int k = 0; k < 3; ++k)
    for (std::int64_t i = 0; i < n_atoms; ++i) {
      const double *r = positions + 3 * i;
      double s = Vector{{r[0], r[1], r[2]}}.dot(basis.inverse[k]);
      if (is_periodic[k]) {
        bins.image[3 * i + k] = static_cast<std::int64_t>(std::floor(s));
        s -= std::floor(s);
      }
      along[3 * i + k] = s;
      if (is_periodic[k]) continue;    // from 0 to 1
      bins.low[k] = i == 0 ? s : std::min(bins.low[k], s);
      high[k] = i == 0 ? s : std::max(high[k], s);
    }
  const double span[3] = {high[0] - bins.low[0], high[1] - bins.low[1], high[2] - bins.low[2]};
  choose_bins(basis, is_periodic, span, n_atoms, cutoff, bins);
  bins.of_atom.resize(3 * n_atoms);
  bins.start.assign(bins.n[0] * bins.n[1] * bins.n[2] + 1, 0);
  std::vector<std::int64_t> bin_of(n_atoms);
  for (std::int64_t i = 0; i < n_atoms; ++i) {
    std::int64_t b[3];
    for (int k = 0; k < 3; ++k) {
      const auto found = static_cast<std::int64_t>((along[3 * i + k] - bins.low[k]) / bins.width[k]);
      bins.of_atom[3 * i + k] = b[k] = std::clamp<std::int64_t>(found, 0, bins.n[k] - 1);
    }
    bin_of[i] = bins.index(b);
    ++bins.start[bin_of[i] + 1];
  }
  for (std::size_t k = 1; k < bins.start.size(); ++k) bins.start[k] += bins.start[k - 1];
  bins.atoms.resize(n_atoms);
  std::vector<std::int64_t> next(bins.start.begin(), bins.start.end() - 1);
  for (std::int64_t i = 0; i < n_atoms; ++i) bins.atoms[next[bin_of[i]]++] = i;
  return bins;
}

}    // namespace nnpal
