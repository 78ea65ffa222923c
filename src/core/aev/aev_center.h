// One center's AEV and its products with derivatives, over plain or dual numbers.
//
//   radial   G_k   = 1/4 Σ_j exp(-η_R (r_j - s_k)²) f(r_j)
//   angular  G_kq  = Σ_{j<l} w 2 x_q^ζ exp(-η_A (m - s_k)²),  m = (r_j + r_l)/2,  w = f(r_j) f(r_l),
//            x_q   = (1 + cos(θ - θ_q))/2,  cos θ = 0.95 u_j·u_l   (u: unit vectors)
//
// of ANI (doi:10.1039/C6SC05720A, equations 3 and 4) with TorchANI's factors 1/4, 2 and 0.95; radial terms
// for each element of the neighbor, angular ones for each pair of elements. cos(θ - θ_q) = cosθ cosθ_q +
// sinθ sinθ_q needs no arc cosine.
#pragma once

#include "aev/aev_center_edges.h"
#include "aev/aev_columns.h"

namespace nnpal::NNPAL_ISA {

template <class N> class Center {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;
  static constexpr int kMostPairs = 256;    // computed at a time
  static constexpr int kSegments = kMostPairs + 1;

  // `most_edges` of any center, `n_gradients` to be pulled back at once (0: none).
  Center(const AEVTerms<T> &terms, int most_edges, int n_gradients) :
      terms_(terms),
      reach_(terms),
      n_gradients_(n_gradients),
      padded_(CenterEdges<N>::padded(most_edges, terms.n_elements)),
      n_terms_(largest(terms.n_radial, terms.n_shifts + terms.n_sections)),
      n_sums_(largest(terms.n_radial, terms.n_shifts * terms.n_sections))
  {
  }

  std::size_t bytes() const
  {
    return 4 * n_gradients_ * row_bytes<N>(padded_) +
           (3 + 3 * n_gradients_) * row_bytes<N>(kMostPairs + kWidth) + 2 * Scratch::bytes_for<N>(n_terms_) +
           Scratch::bytes_for<N>(n_sums_) + 4 * Scratch::bytes_for<int>(kSegments);
  }

  void take(Scratch &scratch)
  {
    for (Row<N> *one : {&cosine_, &mean_, &weight_}) *one = take_row<N>(kMostPairs + kWidth, scratch);
    const auto take_rows = [&](Rows &rows, int n) {
      rows.step = row_bytes<N>(n) / sizeof(T);
      for (int g = 0; g < n_gradients_; ++g) {
        const Row<N> taken = take_row<N>(n, scratch);
        if (g == 0) rows.first = taken;
      }
    };
    for (Rows *all : {&gradient_x_, &gradient_y_, &gradient_z_, &gradient_r_}) take_rows(*all, padded_);
    for (Rows *all : {&gradient_cosine_, &gradient_mean_, &gradient_weight_})
      take_rows(*all, kMostPairs + kWidth);
    value_ = scratch.take<N>(n_terms_);
    slope_ = scratch.take<N>(n_terms_);
    sums_ = scratch.take<N>(n_sums_);
    for (int **one : {&segment_.i, &segment_.j, &segment_.n, &segment_.pair})
      *one = scratch.take<int>(kSegments);
  }

  // How many numbers of pairs are worth keeping for the way back: factors of each section and each shift.
  std::size_t n_kept(const CenterEdges<N> &edges, const AEVColumns &columns) const
  {
    std::size_t n_vectors = 0;
    for_element_pairs([&](int a, int b, int pair) {
      const std::size_t n = edges.n_near[a], n_pairs = a == b ? n * (n - 1) / 2 : n * edges.n_near[b];
      if (columns.column[pair] >= 0 && n > 0) n_vectors += (n_pairs + kWidth - 1) / kWidth;
    });
    return n_vectors * (terms_.n_sections + terms_.n_shifts);
  }

  // The AEV's columns, or for dual numbers their derivatives. `kept` [n_kept] or null is for the way back.
  void forward(const CenterEdges<N> &edges, const AEVColumns &columns, T *aev, N *kept)
  {
    edges_ = &edges;
    kept_ = kept;
    for (int e = 0; e < terms_.n_elements; ++e)
      if (columns.column[e] >= 0) radial_forward(e, aev + columns.column[e]);
    const int n_angular = terms_.n_shifts * terms_.n_sections;
    for_element_pairs([&](int a, int b, int pair) {
      if (columns.column[pair] < 0) return;
      for (int k = 0; k < n_angular; ++k) sums_[k] = N(T(0));
      for_pairs(a, b, [&](int n_pairs) { angular_forward(n_pairs); });
      for (int k = 0; k < n_angular; ++k) aev[columns.column[pair] + k] = result(sums_[k]);
    });
  }

  // From ∂E/∂AEV (one `stride` after another) ∂E/∂vec of the center's edges, or for dual numbers its
  // derivative. `kept` is what the way there has kept, or null.
  void backward(const CenterEdges<N> &edges, const AEVColumns &columns, const T *gradients,
                std::int64_t stride, N *kept)
  {
    edges_ = &edges;
    kept_ = kept;
    clear_gradients();
    for_element_pairs([&](int a, int b, int pair) {
      if (columns.column[pair] < 0) return;
      for_pairs(a, b, [&](int n_pairs) {
        if (kept_)
          angular_backward<true>(n_pairs, gradients + columns.column[pair], stride);
        else
          angular_backward<false>(n_pairs, gradients + columns.column[pair], stride);
        for (int g = 0; g < n_gradients_; ++g) pull_back_pairs(g);
      });
    });
    for (int e = 0; e < terms_.n_elements; ++e)
      if (columns.column[e] >= 0) radial_backward(e, gradients + columns.column[e], stride);
    for (int g = 0; g < n_gradients_; ++g) finish_gradient(g);
  }

  // The axes of ∂E/∂vec of gradient g, place by place.
  const T *gradient(int g, int axis) const
  {
    const Row<N> row = axis == 0 ? gradient_x_[g] : axis == 1 ? gradient_y_[g] : gradient_z_[g];
    return N::kIsDual ? row.d : row.v;
  }

private:
  // The same row for each gradient.
  struct Rows {
    Row<N> first;
    std::size_t step = 0;

    Row<N> operator[](int g) const
    {
      Row<N> row{first.v + g * step, nullptr};
      if constexpr (N::kIsDual) row.d = first.d + g * step;
      return row;
    }
  };

  const AEVTerms<T> &terms_;
  const RadialReach reach_;
  const int n_gradients_, padded_, n_terms_, n_sums_;
  const CenterEdges<N> *edges_ = nullptr;
  N *kept_ = nullptr;    // of the pairs to come: of each vector, sections and then shifts
  int n_segments_ = 0;
  Row<N> cosine_, mean_, weight_;                             // pairs
  Rows gradient_x_, gradient_y_, gradient_z_, gradient_r_;    // of unit vectors and distances
  Rows gradient_cosine_, gradient_mean_, gradient_weight_;    // of pairs
  struct {
    int *i, *j, *n, *pair;
  } segment_;    // pairs of near edge i with n from j on, from `pair` on
  N *value_, *slope_, *sums_;
  static int largest(int a, int b) { return a > b ? a : b; }

  static T result(N value)
  {
    if constexpr (N::kIsDual)
      return sum(value.d);
    else
      return sum(value);
  }

  void radial_forward(int element, T *aev)
  {
    for (int k = 0; k < terms_.n_radial; ++k) sums_[k] = N(T(0));
    for (int b = edges_->group[element]; b < edges_->group[element + 1]; b += kWidth) {
      const N r = load(edges_->r, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      const Shifts shifts = reach_.shifts(edges_->buckets(element, b, terms_));
      for (int k = shifts.begin; k < shifts.end; ++k)
        sums_[k] = sums_[k] + f * gaussian(r - terms_.radial_shifts[k], terms_.radial_eta);
    }
    for (int k = 0; k < terms_.n_radial; ++k) aev[k] = T(0.25) * result(sums_[k]);
  }

  void radial_backward(int element, const T *gradients, std::int64_t stride)
  {
    for (int b = edges_->group[element]; b < edges_->group[element + 1]; b += kWidth) {
      const N r = load(edges_->r, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      const N twice = f * (T(-2) * terms_.radial_eta);
      const Shifts shifts = reach_.shifts(edges_->buckets(element, b, terms_));
      const auto derivative = [&](int k) {
        const N distance = r - terms_.radial_shifts[k];
        return (slope + twice * distance) * gaussian(distance, terms_.radial_eta);
      };
      if (n_gradients_ == 1) {
        N gradient(T(0));
        for (int k = shifts.begin; k < shifts.end; ++k) gradient = gradient + derivative(k) * gradients[k];
        add(gradient_r_[0], b, gradient * T(0.25));
        continue;
      }
      for (int k = shifts.begin; k < shifts.end; ++k) value_[k] = derivative(k);
      for (int g = 0; g < n_gradients_; ++g) {
        N gradient(T(0));
        for (int k = shifts.begin; k < shifts.end; ++k)
          gradient = gradient + value_[k] * gradients[g * stride + k];
        add(gradient_r_[g], b, gradient * T(0.25));
      }
    }
  }

  static NNPAL_INLINE N gaussian(N distance, T eta) { return decay(distance * distance * -eta); }

  static NNPAL_INLINE void add(const Row<N> &row, int i, N value) { store(row, i, load(row, i) + value); }

  template <class Do> void for_element_pairs(const Do &act) const
  {
    int pair = terms_.n_elements;
    for (int a = 0; a < terms_.n_elements; ++a)
      for (int b = a; b < terms_.n_elements; ++b, ++pair) act(a, b, pair);
  }

  // Fill the rows of pairs of near edges of elements a and b, some at a time, and act on them.
  template <class Do> void for_pairs(int a, int b, const Do &act)
  {
    if (edges_->n_near[a] == 0 || edges_->n_near[b] == 0) return;
    int n_pairs = 0;
    n_segments_ = 0;
    const auto flush = [&]() {
      if (n_pairs == 0) return;
      // Lanes beyond the last pair: no weight, and an angle where nothing is singular
      store(cosine_, n_pairs, N(T(0)));
      store(mean_, n_pairs, N(terms_.angular_cutoff));
      store(weight_, n_pairs, N(T(0)));
      act(n_pairs);
      n_pairs = n_segments_ = 0;
    };
    const int begin = edges_->group[b], end = begin + edges_->n_near[b];
    for (int i = edges_->group[a]; i < edges_->group[a] + edges_->n_near[a]; ++i) {
      for (int j = a == b ? i + 1 : begin; j < end;) {
        if (n_pairs == kMostPairs) flush();
        const int n = end - j < kMostPairs - n_pairs ? end - j : kMostPairs - n_pairs;
        fill_pairs(i, j, n, n_pairs);
        n_pairs += n;
        j += n;
      }
    }
    flush();
  }

  void fill_pairs(int i, int j, int n, int pair)
  {
    segment_.i[n_segments_] = i;
    segment_.j[n_segments_] = j;
    segment_.n[n_segments_] = n;
    segment_.pair[n_segments_++] = pair;
    const N x = broadcast(edges_->x, i), y = broadcast(edges_->y, i), z = broadcast(edges_->z, i);
    const N r = broadcast(edges_->r, i), f = broadcast(edges_->f, i);
    for (int b = 0; b < n; b += kWidth) {
      store(cosine_, pair + b,
            (x * load(edges_->x, j + b) + y * load(edges_->y, j + b) + z * load(edges_->z, j + b)) * T(0.95));
      store(mean_, pair + b, (r + load(edges_->r, j + b)) * T(0.5));
      store(weight_, pair + b, f * load(edges_->f, j + b));
    }
  }

  // x_q
  NNPAL_INLINE N half_angle_term(N cosine, N sine, int q) const
  {
    return larger((cosine * terms_.cosines[q] + sine * terms_.sines[q]) * T(0.5) + T(0.5), Series<T>::kLeast);
  }
  // 2 x^ζ
  NNPAL_INLINE N angle_term(N x) const { return decay(logarithm(x) * terms_.zeta) * T(2); }

  // Those whose Gaussians matter for any of the pairs.
  Shifts angular_shifts(int n_pairs) const
  {
    T low = mean_.v[0], high = low;
    for (int p = 1; p < n_pairs; ++p) {
      low = mean_.v[p] < low ? mean_.v[p] : low;
      high = mean_.v[p] > high ? mean_.v[p] : high;
    }
    return shifts_within(low, high, terms_.shifts, terms_.n_shifts, terms_.angular_eta);
  }

  void angular_forward(int n_pairs)
  {
    const Shifts shifts = angular_shifts(n_pairs);
    for (int p = 0; p < n_pairs; p += kWidth) {
      const N cosine = load(cosine_, p), mean = load(mean_, p), weight = load(weight_, p);
      const N sine = square_root(T(1) - cosine * cosine);
      N *const sections = kept_ ? kept_ : value_, *const of_shifts = sections + terms_.n_sections;
      for (int q = 0; q < terms_.n_sections; ++q) sections[q] = angle_term(half_angle_term(cosine, sine, q));
      if (kept_) kept_ += terms_.n_sections + terms_.n_shifts;
      for (int k = shifts.begin; k < shifts.end; ++k) {
        of_shifts[k] = gaussian(mean - terms_.shifts[k], terms_.angular_eta);
        const N factor = weight * of_shifts[k];
        N *sums = sums_ + k * terms_.n_sections;
        for (int q = 0; q < terms_.n_sections; ++q) sums[q] = sums[q] + factor * sections[q];
      }
    }
  }

  template <bool has_kept> void angular_backward(int n_pairs, const T *gradients, std::int64_t stride)
  {
    N *const angle_slope = slope_, *const radial_slope = slope_ + terms_.n_sections;
    const Shifts shifts = angular_shifts(n_pairs);
    for (int p = 0; p < n_pairs; p += kWidth) {
      const N cosine = load(cosine_, p), mean = load(mean_, p), weight = load(weight_, p);
      const N sine = square_root(T(1) - cosine * cosine);
      const N cotangent = cosine / sine;
      N *const angle = has_kept ? kept_ : value_, *const radial = angle + terms_.n_sections;
      if constexpr (has_kept) kept_ += terms_.n_sections + terms_.n_shifts;
      for (int q = 0; q < terms_.n_sections; ++q) {
        const N x = half_angle_term(cosine, sine, q);
        if constexpr (!has_kept) angle[q] = angle_term(x);
        angle_slope[q] =
            angle[q] / x * (terms_.cosines[q] - cotangent * terms_.sines[q]) * (T(0.5) * terms_.zeta);
      }
      for (int k = shifts.begin; k < shifts.end; ++k) {
        const N distance = mean - terms_.shifts[k];
        if constexpr (!has_kept) radial[k] = gaussian(distance, terms_.angular_eta);
        radial_slope[k] = radial[k] * distance * (T(-2) * terms_.angular_eta);
      }
      for (int g = 0; g < n_gradients_; ++g) {
        const T *gradient = gradients + g * stride + shifts.begin * terms_.n_sections;
        N of_cosine(T(0)), of_mean(T(0)), of_weight(T(0));
        for (int k = shifts.begin; k < shifts.end; ++k, gradient += terms_.n_sections) {
          N value(T(0)), slope(T(0));
          for (int q = 0; q < terms_.n_sections; ++q) {
            value = value + angle[q] * gradient[q];
            slope = slope + angle_slope[q] * gradient[q];
          }
          of_weight = of_weight + value * radial[k];
          of_mean = of_mean + value * radial_slope[k];
          of_cosine = of_cosine + slope * radial[k];
        }
        store(gradient_cosine_[g], p, weight * of_cosine * T(0.95));
        store(gradient_mean_[g], p, weight * of_mean * T(0.5));
        store(gradient_weight_[g], p, of_weight);
      }
    }
  }

  // From the pairs' gradients to those of the two edges' unit vectors and distances.
  void pull_back_pairs(int g)
  {
    const Row<N> gx = gradient_x_[g], gy = gradient_y_[g];
    const Row<N> gz = gradient_z_[g], gr = gradient_r_[g];
    const Row<N> of_cosine = gradient_cosine_[g];
    const Row<N> of_mean = gradient_mean_[g];
    const Row<N> of_weight = gradient_weight_[g];
    for (int s = 0; s < n_segments_; ++s) {
      const int i = segment_.i[s], n = segment_.n[s];
      const N x = broadcast(edges_->x, i), y = broadcast(edges_->y, i), z = broadcast(edges_->z, i);
      const N f = broadcast(edges_->f, i), f_slope = broadcast(edges_->slope, i);
      N sum_x(T(0)), sum_y(T(0)), sum_z(T(0)), sum_r(T(0));
      for (int b = 0; b < n; b += kWidth) {
        const int j = segment_.j[s] + b, p = segment_.pair[s] + b;
        const N cosine = first_lanes(load(of_cosine, p), n - b), mean = first_lanes(load(of_mean, p), n - b);
        const N weight = first_lanes(load(of_weight, p), n - b);
        sum_x = sum_x + cosine * load(edges_->x, j);
        sum_y = sum_y + cosine * load(edges_->y, j);
        sum_z = sum_z + cosine * load(edges_->z, j);
        sum_r = sum_r + mean + weight * load(edges_->f, j) * f_slope;
        store(gx, j, load(gx, j) + cosine * x);
        store(gy, j, load(gy, j) + cosine * y);
        store(gz, j, load(gz, j) + cosine * z);
        store(gr, j, load(gr, j) + mean + weight * f * load(edges_->slope, j));
      }
      add_sum(gx, i, sum_x);
      add_sum(gy, i, sum_y);
      add_sum(gz, i, sum_z);
      add_sum(gr, i, sum_r);
    }
  }

  void clear_gradients()
  {
    const N zero(T(0));
    for (int g = 0; g < n_gradients_; ++g)
      for (const Rows *rows : {&gradient_x_, &gradient_y_, &gradient_z_, &gradient_r_}) {
        const Row<N> row = (*rows)[g];
        for (int b = 0; b < edges_->n; b += kWidth) store(row, b, zero);
        store(row, edges_->n, zero);
      }
  }

  // ∂E/∂vec = g_r u + (g_u - (g_u·u) u)/r
  void finish_gradient(int g)
  {
    const Row<N> gx = gradient_x_[g], gy = gradient_y_[g];
    const Row<N> gz = gradient_z_[g], gr = gradient_r_[g];
    for (int b = 0; b < edges_->n; b += kWidth) {
      const N x = load(edges_->x, b), y = load(edges_->y, b), z = load(edges_->z, b);
      const N inverse = N(T(1)) / load(edges_->r, b);
      const N ux = load(gx, b), uy = load(gy, b), uz = load(gz, b);
      const N along = load(gr, b) - (ux * x + uy * y + uz * z) * inverse;
      store(gx, b, along * x + ux * inverse);
      store(gy, b, along * y + uy * inverse);
      store(gz, b, along * z + uz * inverse);
    }
  }
};

}    // namespace nnpal::NNPAL_ISA
