#include "neighbors/nearby_atoms.h"

#include "neighbors/bins.h"

namespace nnpal {

void NearbyAtoms::find(const double *positions, std::int64_t n_centers, std::int64_t n_atoms, double cutoff)
{
  constexpr double kNoCell[3][3] = {};
  constexpr bool kNoPeriods[3] = {};
  number_.assign(n_centers, 0);
  first_.resize(n_centers);
  atoms_.clear();
  if (n_centers == 0) return;
  const Bins bins = fill_bins(positions, n_atoms, Basis(kNoCell, kNoPeriods), kNoPeriods, cutoff);
  for (std::int64_t i = 0; i < n_centers; ++i)
    bins.for_each_near(i, [&](std::int64_t j, const std::int64_t (&)[3]) {
      double squared = 0.0;
      for (int c = 0; c < 3; ++c) {
        const double along = positions[3 * j + c] - positions[3 * i + c];
        squared += along * along;
      }
      if (i == j || squared >= cutoff * cutoff) return;
      atoms_.push_back(static_cast<int>(j));
      ++number_[i];
    });
  const int *next = atoms_.data();
  for (std::int64_t i = 0; i < n_centers; ++i) {
    first_[i] = next;
    next += number_[i];
  }
}

}    // namespace nnpal
