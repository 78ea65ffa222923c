// Angular terms of one center, see aev_center.h.
#pragma once

#include "aev/center_pairs.h"
#include "aev/radial_terms.h"

namespace nnpal::NNPAL_ISA {

template <class N> class AngularTerms {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;

  AngularTerms(const AEVTerms<T> &terms, int n_gradients) :
      terms_(terms),
      n_gradients_(n_gradients),
      n_factors_(terms.n_sections + terms.n_shifts),
      n_sums_(whole_vectors<T>(terms.n_shifts * terms.n_sections)),
      factor_(static_cast<T>(-kLog2E * terms.angular_eta)),
      reach_(terms.shifts, terms.n_shifts, terms.angular_eta)
  {
  }

  std::size_t bytes() const
  {
    return CenterPairs<N>::bytes() + PairGradients<N>::bytes(n_gradients_) +
           2 * Scratch::bytes_for<N>(n_factors_) + Scratch::bytes_for<N>(n_sums_) +
           Scratch::bytes_for<T>(n_sums_);
  }
  void take(Scratch &scratch)
  {
    pairs_.take(scratch);
    gradients_.take(n_gradients_, scratch);
    factors_ = scratch.take<N>(n_factors_);
    slopes_ = scratch.take<N>(n_factors_);
    sums_ = scratch.take<N>(n_sums_);
    totals_ = scratch.take<T>(n_sums_);
  }

  // Number of values of the pairs of two elements that are kept for the backward pass: for each vector of
  // pairs the factors of sections, then of shifts.
  std::size_t n_kept(const CenterEdges<N> &edges, int a, int b) const
  {
    const std::size_t n = edges.n_near[a], n_pairs = a == b ? n * (n - 1) / 2 : n * edges.n_near[b];
    static_assert(CenterPairs<N>::kMost % kWidth == 0);    // so at most one vector is partly filled
    const std::size_t n_vectors = n == 0 ? 0 : (n_pairs + kWidth - 1) / kWidth;
    return n_vectors * n_factors_;
  }

  // `kept` is null, or is advanced by n_kept.
  void forward(const CenterEdges<N> &edges, int a, int b, T *aev, N *&kept)
  {
    for (int k = 0; k < n_sums_; ++k) sums_[k] = N(T(0));
    const Shifts shifts = shifts_of(edges, a, b);
    pairs_.each(edges, a, b, terms_.angular_cutoff, [&] { add_pairs(shifts, kept); });
    totals_of(sums_, n_sums_, totals_);
    for (int k = 0; k < terms_.n_shifts * terms_.n_sections; ++k) aev[k] = totals_[k];
  }

  // Adds to the gradients with respect to unit vectors and distances.
  void backward(const CenterEdges<N> &edges, int a, int b, const T *gradients, std::int64_t stride, N *&kept,
                const EdgeGradients<N> &to)
  {
    const Shifts shifts = shifts_of(edges, a, b);
    pairs_.each(edges, a, b, terms_.angular_cutoff, [&] {
      if (kept)
        find_gradients<true>(shifts, gradients, stride, kept);
      else
        find_gradients<false>(shifts, gradients, stride, kept);
      for (int g = 0; g < n_gradients_; ++g)
        gradients_.pull_back(g, pairs_, edges, edges.group[b], edges.group[b] + edges.n_near[b], to);
    });
  }

private:
  const AEVTerms<T> &terms_;
  const int n_gradients_, n_factors_, n_sums_;
  const T factor_;
  const ShiftReach<T> reach_;
  CenterPairs<N> pairs_;
  PairGradients<N> gradients_;
  N *factors_, *slopes_, *sums_;
  T *totals_;

  // x_q from half the cosine and half the sine
  NNPAL_INLINE N half_angle_term(N half_cosine, N half_sine, int q) const
  {
    return larger(half_cosine * terms_.cosines[q] + (half_sine * terms_.sines[q] + T(0.5)),
                  Series<T>::kLeast);
  }
  // 2 x^ζ
  NNPAL_INLINE N angle_term(N x) const { return power_of_two(binary_logarithm(x) * terms_.zeta + T(1)); }

  // Shifts whose Gaussians matter for any of the pairs.
  Shifts shifts_of(const CenterEdges<N> &edges, int a, int b) const
  {
    return reach_.within(T(0.5) * (edges.nearest[a] + edges.nearest[b]),
                         T(0.5) * (edges.farthest[a] + edges.farthest[b]));
  }

  void add_pairs(Shifts shifts, N *&kept)
  {
    for (int p = 0; p < pairs_.n; p += kWidth) {
      const N cosine = load(pairs_.cosine, p), mean = load(pairs_.mean, p), weight = load(pairs_.weight, p);
      const N half_cosine = cosine * T(0.5), half_sine = square_root(T(1) - cosine * cosine) * T(0.5);
      N *const of_sections = kept ? kept : factors_, *const of_shifts = of_sections + terms_.n_sections;
      if (kept) kept += n_factors_;
      for (int q = 0; q < terms_.n_sections; ++q)
        of_sections[q] = angle_term(half_angle_term(half_cosine, half_sine, q));
      for (int k = shifts.begin; k < shifts.end; ++k) {
        of_shifts[k] = gaussian(mean - terms_.shifts[k], factor_);
        const N factor = weight * of_shifts[k];
        N *sums = sums_ + k * terms_.n_sections;
        for (int q = 0; q < terms_.n_sections; ++q) sums[q] = sums[q] + factor * of_sections[q];
      }
    }
  }

  template <bool has_kept>
  void find_gradients(Shifts shifts, const T *gradients, std::int64_t stride, N *&kept)
  {
    N *const section_slope = slopes_, *const shift_slope = slopes_ + terms_.n_sections;
    for (int p = 0; p < pairs_.n; p += kWidth) {
      const N cosine = load(pairs_.cosine, p), mean = load(pairs_.mean, p), weight = load(pairs_.weight, p);
      const N sine = square_root(T(1) - cosine * cosine);
      const N half_cosine = cosine * T(0.5), half_sine = sine * T(0.5);
      const N cotangent = cosine / sine * (T(-0.5) * terms_.zeta);
      N *const of_section = has_kept ? kept : factors_, *const of_shift = of_section + terms_.n_sections;
      if constexpr (has_kept) kept += n_factors_;
      for (int q = 0; q < terms_.n_sections; ++q) {
        const N x = half_angle_term(half_cosine, half_sine, q);
        if constexpr (!has_kept) of_section[q] = angle_term(x);
        section_slope[q] =
            of_section[q] / x * (cotangent * terms_.sines[q] + T(0.5) * terms_.zeta * terms_.cosines[q]);
      }
      for (int k = shifts.begin; k < shifts.end; ++k) {
        const N distance = mean - terms_.shifts[k];
        if constexpr (!has_kept) of_shift[k] = gaussian(distance, factor_);
        shift_slope[k] = of_shift[k] * distance;
      }
      for (int g = 0; g < n_gradients_; ++g) {
        const T *gradient = gradients + g * stride + shifts.begin * terms_.n_sections;
        N of_cosine(T(0)), of_mean(T(0)), of_weight(T(0));
        for (int k = shifts.begin; k < shifts.end; ++k, gradient += terms_.n_sections) {
          N value(T(0)), slope(T(0));
          for (int q = 0; q < terms_.n_sections; ++q) {
            value = value + of_section[q] * gradient[q];
            slope = slope + section_slope[q] * gradient[q];
          }
          of_weight = of_weight + value * of_shift[k];
          of_mean = of_mean + value * shift_slope[k];
          of_cosine = of_cosine + slope * of_shift[k];
        }
        store(gradients_.cosine[g], p, weight * of_cosine * T(0.95));
        store(gradients_.mean[g], p, weight * of_mean * -terms_.angular_eta);    // of (r_i + r_j)/2
        store(gradients_.weight[g], p, of_weight);
      }
    }
  }
};

}    // namespace nnpal::NNPAL_ISA
