// Radial terms of one center, see aev_center.h.
#pragma once

#include "aev/edge_gradients.h"

namespace nnpal::NNPAL_ISA {

// exp(-eta distance²), `factor` = -eta log2(e)
template <class N> NNPAL_INLINE N gaussian(N distance, typename N::Scalar factor)
{
  return power_of_two(distance * distance * factor);
}

template <class T> constexpr int whole_vectors(int n)
{
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

template <class N> class RadialTerms {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;

  explicit RadialTerms(const AEVTerms<T> &terms) :
      terms_(terms),
      factor_(static_cast<T>(-kLog2E * terms.radial_eta))
  {
  }

  std::size_t bytes() const
  {
    return 2 * Scratch::bytes_for<N>(whole_vectors<T>(terms_.n_radial)) +
           Scratch::bytes_for<T>(whole_vectors<T>(terms_.n_radial));
  }
  void take(Scratch &scratch)
  {
    const int n = whole_vectors<T>(terms_.n_radial);
    sums_ = scratch.take<N>(n);
    values_ = scratch.take<N>(n);
    totals_ = scratch.take<T>(n);
  }

  void forward(const CenterEdges<N> &edges, int element, T *aev)
  {
    const int n = whole_vectors<T>(terms_.n_radial);
    for (int k = 0; k < n; ++k) sums_[k] = N(T(0));
    for (int b = edges.group[element]; b < edges.group[element + 1]; b += kWidth) {
      const N r = load(edges.r, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      const Shifts shifts = edges.shifts[b / kWidth];
      for (int k = shifts.begin; k < shifts.end; ++k)
        sums_[k] = sums_[k] + f * gaussian(r - terms_.radial_shifts[k], factor_);
    }
    totals_of(sums_, n, totals_);
    for (int k = 0; k < terms_.n_radial; ++k) aev[k] = T(0.25) * totals_[k];
  }

  // Writes the gradients with respect to the distances of all of the element's edges.
  void backward(const CenterEdges<N> &edges, int element, int n_gradients, const T *gradients,
                std::int64_t stride, const GradientRows<N> &of_distances)
  {
    for (int b = edges.group[element]; b < edges.group[element + 1]; b += kWidth) {
      const N r = load(edges.r, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      f = f * (T(-0.5) * terms_.radial_eta);
      slope = slope * T(0.25);
      const Shifts shifts = edges.shifts[b / kWidth];
      if (n_gradients > 1)
        for (int k = shifts.begin; k < shifts.end; ++k)
          values_[k] = gaussian(r - terms_.radial_shifts[k], factor_);
      for (int g = 0; g < n_gradients; ++g) {
        const T *gradient = gradients + g * stride;
        N of_value(T(0)), of_distance(T(0));
        for (int k = shifts.begin; k < shifts.end; ++k) {
          const N distance = r - terms_.radial_shifts[k];
          const N part = (n_gradients > 1 ? values_[k] : gaussian(distance, factor_)) * gradient[k];
          of_value = of_value + part;
          of_distance = of_distance + part * distance;
        }
        store(of_distances[g], b, slope * of_value + f * of_distance);
      }
    }
  }

private:
  const AEVTerms<T> &terms_;
  const T factor_;
  N *sums_, *values_;
  T *totals_;
};

}    // namespace nnpal::NNPAL_ISA
