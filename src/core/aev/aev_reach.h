// Selects the Gaussians that matter at a distance. Those below e^-kReach are omitted: e^-23 = 1e-10 for
// float32, e^-69 = 1e-30 for float64. An AEV, sums of Gaussians times factors of at most 2, changes by less
// than that for each edge or pair, far below the rounding of a feature of the size of one neighbor's.
#pragma once

#include "aev/aev_terms.h"
#include "support/simd_lanes.h"

namespace nnpal::NNPAL_ISA {

template <class T> constexpr double kReach = sizeof(T) == 4 ? 23.0 : 69.0;

constexpr int kBuckets = 64;    // of distances, up to the radial cutoff

// Consecutive shifts [begin, end).
struct Shifts {
  int begin, end;
};

// `per_length`: buckets per length. NaN belongs to the first bucket.
template <class T> NNPAL_INLINE typename Lanes<T>::Integers buckets_of(Lanes<T> r, T per_length)
{
  using Integers = typename Lanes<T>::Integers;
  const Lanes<T> at = smaller(r * per_length, T(kBuckets - 1));
  const Integers bucket = __builtin_convertvector(at.v, Integers);
  return at.v > T(0) ? bucket : Integers{};
}

// Finds the shifts whose Gaussians matter between two distances; all of them unless shifts are ascending.
template <class T> class ShiftReach {
public:
  ShiftReach(const T *shifts, int n, T eta) :
      shifts_(shifts),
      n_(n),
      reach_(static_cast<T>(__builtin_sqrt(kReach<T> / static_cast<double>(eta))))
  {
    for (int k = 1; k < n; ++k) is_ascending_ = is_ascending_ && shifts[k] >= shifts[k - 1];
  }

  Shifts within(T low, T high) const
  {
    Shifts found{0, n_};
    if (!is_ascending_) return found;
    while (found.begin < n_ && shifts_[found.begin] + reach_ < low) ++found.begin;
    while (found.end > 0 && shifts_[found.end - 1] - reach_ > high) --found.end;
    return found;
  }

private:
  const T *shifts_;
  int n_;
  T reach_;
  bool is_ascending_ = true;
};

// The radial shifts that matter in each bucket.
class RadialReach {
public:
  template <class T> explicit RadialReach(const AEVTerms<T> &terms)
  {
    const ShiftReach<T> reach(terms.radial_shifts, terms.n_radial, terms.radial_eta);
    const T width = terms.radial_cutoff / T(kBuckets);
    for (int b = 0; b < kBuckets; ++b) {
      // Rounding may put a distance in the next bucket.
      const T low = T(b) * width - T(0.01) * width, high = T(b + 1) * width + T(0.01) * width;
      of_bucket_[b] = reach.within(low, high);
    }
    of_bucket_[0] = {0, terms.n_radial};    // NaN belongs to it, and must propagate
  }

  // Of all buckets from first to last: both ends ascend with the bucket.
  Shifts shifts(int first, int last) const { return {of_bucket_[first].begin, of_bucket_[last].end}; }

private:
  Shifts of_bucket_[kBuckets];
};

}    // namespace nnpal::NNPAL_ISA
