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

#include "aev/aev_terms.h"
#include "support/dual_lanes.h"
#include "support/thread_scratch.h"

#include <initializer_list>

namespace nnpal::NNPAL_ISA {

// f(r) and f'(r); 0 from the cutoff on.
template <class N>
NNPAL_INLINE void cutoff_function(N r, typename N::Scalar cutoff, bool is_smooth, N &value, N &slope)
{
  using T = typename N::Scalar;
  const N u = r * (T(1) / cutoff);
  if (is_smooth) {    // exp(1 - 1/(1 - u²))
    const N rest = larger(T(1) - u * u, T(1e-10));
    const N inverse = N(T(1)) / rest;
    value = zero_from(r, cutoff, exponential(T(1) - inverse));
    slope = zero_from(rest * T(-1), T(-1e-10), value * u * inverse * inverse * (T(-2) / cutoff));
  } else {
    value = zero_from(r, cutoff, cosine_pi(u) * T(0.5) + T(0.5));
    slope = zero_from(r, cutoff, sine_pi(u) * T(-0.5 * kPi / cutoff));
  }
}

template <class N> class Center {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;
  static constexpr int kMostPairs = 256;    // computed at a time
  static constexpr int kSegments = kMostPairs + 1;

  // `most_edges` of any center, `n_gradients` to be pulled back at once (0: none).
  Center(const AEVTerms<T> &terms, const SortedEdges<T> &edges, int most_edges, int n_gradients,
         Scratch &scratch) :
      terms_(terms),
      edges_(edges),
      n_gradients_(n_gradients)
  {
    const int padded = most_edges + (terms.n_elements + 1) * kWidth;
    const int n_rows = 11 + 4 * n_gradients, n_pair_rows = 3 + 3 * n_gradients, n_parts = N::kIsDual ? 2 : 1;
    const int n_terms = largest(terms.n_radial, terms.n_shifts + terms.n_sections);
    const int n_sums = largest(terms.n_radial, terms.n_shifts * terms.n_sections);
    const std::size_t row = Scratch::bytes_for<T>(padded),
                      pair_row = Scratch::bytes_for<T>(kMostPairs + kWidth);
    scratch.reserve((n_rows * row + n_pair_rows * pair_row) * n_parts + 2 * Scratch::bytes_for<N>(n_terms) +
                    Scratch::bytes_for<N>(n_sums) + Scratch::bytes_for<std::int64_t>(padded) +
                    Scratch::bytes_for<int>(padded) + 4 * Scratch::bytes_for<int>(kSegments) +
                    2 * Scratch::bytes_for<int>(terms.n_elements + 1));
    const auto take_row = [&](int n) {
      Row<N> taken;
      taken.v = scratch.take<T>(n);
      if constexpr (N::kIsDual) taken.d = scratch.take<T>(n);
      return taken;
    };
    for (Row<N> *all :
         {&x_, &y_, &z_, &r_, &inverse_, &near_x_, &near_y_, &near_z_, &near_r_, &near_f_, &near_slope_})
      *all = take_row(padded);
    for (Row<N> *all : {&cosine_, &mean_, &weight_}) *all = take_row(kMostPairs + kWidth);
    const auto take_rows = [&](Rows &rows, int n) {
      rows.step = (Scratch::bytes_for<T>(n) / sizeof(T)) * n_parts;
      for (int g = 0; g < n_gradients; ++g) {
        const Row<N> taken = take_row(n);
        if (g == 0) rows.first = taken;
      }
    };
    for (Rows *all : {&gradient_x_, &gradient_y_, &gradient_z_, &gradient_r_}) take_rows(*all, padded);
    for (Rows *all : {&gradient_cosine_, &gradient_mean_, &gradient_weight_})
      take_rows(*all, kMostPairs + kWidth);
    value_ = scratch.take<N>(n_terms);
    slope_ = scratch.take<N>(n_terms);
    sums_ = scratch.take<N>(n_sums);
    edge_ = scratch.take<std::int64_t>(padded);
    near_ = scratch.take<int>(padded);
    segment_.i = scratch.take<int>(kSegments);
    segment_.j = scratch.take<int>(kSegments);
    segment_.n = scratch.take<int>(kSegments);
    segment_.pair = scratch.take<int>(kSegments);
    group_ = scratch.take<int>(terms.n_elements + 1);
    near_group_ = scratch.take<int>(terms.n_elements + 1);
  }

  // The AEV, or for dual numbers its derivative, [n_features].
  void forward(std::int64_t center, T *aev)
  {
    gather(center);
    for (int e = 0; e < terms_.n_elements; ++e) radial_forward(e, aev + e * terms_.n_radial);
    T *angular = aev + terms_.n_elements * terms_.n_radial;
    const int n_angular = terms_.n_shifts * terms_.n_sections;
    for_element_pairs([&](int a, int b, int pair) {
      for (int k = 0; k < n_angular; ++k) sums_[k] = N(T(0));
      for_pairs(a, b, [&](int n_pairs) { angular_forward(n_pairs); });
      for (int k = 0; k < n_angular; ++k) angular[pair * n_angular + k] = result(sums_[k]);
    });
  }

  // From ∂E/∂AEV (one `stride` after another) ∂E/∂vec of the center's edges, or for dual numbers its
  // derivative.
  void backward(std::int64_t center, const T *gradients, std::int64_t stride, T *edge_gradients)
  {
    gather(center);
    clear_gradients();
    const int n_angular = terms_.n_shifts * terms_.n_sections;
    const T *angular = gradients + terms_.n_elements * terms_.n_radial;
    for_element_pairs([&](int a, int b, int pair) {
      for_pairs(a, b, [&](int n_pairs) {
        angular_backward(n_pairs, angular + pair * n_angular, stride);
        for (int g = 0; g < n_gradients_; ++g) pull_back_pairs(g);
      });
    });
    spread_near_gradients();
    for (int e = 0; e < terms_.n_elements; ++e) radial_backward(e, gradients + e * terms_.n_radial, stride);
    for (int g = 0; g < n_gradients_; ++g) write_gradient(g, edge_gradients + 3 * edges_.n_edges * g);
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
  const SortedEdges<T> &edges_;
  const int n_gradients_;
  int n_edges_ = 0, n_near_ = 0, n_segments_ = 0;
  Row<N> x_, y_, z_, r_, inverse_;              // all edges, unit vectors; an element's begin at group_
  Row<N> near_x_, near_y_, near_z_, near_r_;    // those within the angular cutoff ...
  Row<N> near_f_, near_slope_;                  // ... and its cutoff function
  Row<N> cosine_, mean_, weight_;               // pairs
  Rows gradient_x_, gradient_y_, gradient_z_, gradient_r_;    // of unit vectors and distances
  Rows gradient_cosine_, gradient_mean_, gradient_weight_;    // of pairs
  struct {
    int *i, *j, *n, *pair;
  } segment_;    // pairs of near edge i with n from j on, from `pair` on
  N *value_, *slope_, *sums_;
  std::int64_t *edge_;    // which edge; -1 for padding
  int *near_, *group_, *near_group_;

  static int largest(int a, int b) { return a > b ? a : b; }

  static T result(N value)
  {
    if constexpr (N::kIsDual)
      return sum(value.d);
    else
      return sum(value);
  }

  // Edges of the center, the groups of elements padded to whole vectors by edges beyond every cutoff.
  void gather(std::int64_t center)
  {
    int n = 0;
    for (int e = 0; e < terms_.n_elements; ++e) {
      group_[e] = n;
      const std::int64_t *start = edges_.start + center * terms_.n_elements + e;
      for (std::int64_t k = start[0]; k < start[1]; ++k, ++n) {
        const std::int64_t edge = edges_.order[k];
        edge_[n] = edge;
        put(x_, n, edge, 0);
        put(y_, n, edge, 1);
        put(z_, n, edge, 2);
      }
      for (; n % kWidth != 0; ++n) {
        edge_[n] = -1;
        put(x_, n, T(2) * terms_.radial_cutoff);
        put(y_, n, T(0));
        put(z_, n, T(0));
      }
    }
    group_[terms_.n_elements] = n_edges_ = n;
    for (int b = 0; b < n; b += kWidth) {
      const N x = load(x_, b), y = load(y_, b), z = load(z_, b);
      const N r = square_root(x * x + y * y + z * z);
      const N inverse = N(T(1)) / r;
      store(r_, b, r);
      store(inverse_, b, inverse);
      store(x_, b, x * inverse);
      store(y_, b, y * inverse);
      store(z_, b, z * inverse);
    }
    gather_near();
  }

  void gather_near()
  {
    int n = 0;
    for (int e = 0; e < terms_.n_elements; ++e) {
      near_group_[e] = n;
      for (int k = group_[e]; k < group_[e + 1]; ++k)
        if (r_.v[k] < terms_.angular_cutoff) near_[n++] = k;
    }
    near_group_[terms_.n_elements] = n_near_ = n;
    for (int k = 0; k < n; ++k) {
      copy_element(near_x_, k, x_, near_[k]);
      copy_element(near_y_, k, y_, near_[k]);
      copy_element(near_z_, k, z_, near_[k]);
      copy_element(near_r_, k, r_, near_[k]);
    }
    const N zero(T(0));
    for (const Row<N> *row : {&near_x_, &near_y_, &near_z_}) store(*row, n, zero);
    store(near_r_, n, N(terms_.angular_cutoff));
    for (int b = 0; b < n; b += kWidth) {
      N value, slope;
      cutoff_function(load(near_r_, b), terms_.angular_cutoff, terms_.is_smooth, value, slope);
      store(near_f_, b, value);
      store(near_slope_, b, slope);
    }
    // Rows are read in whole vectors from any element on.
    store(near_f_, n, zero);
    store(near_slope_, n, zero);
  }

  void put(const Row<N> &row, int n, std::int64_t edge, int axis)
  {
    row.v[n] = edges_.vec[3 * edge + axis];
    if constexpr (N::kIsDual) row.d[n] = edges_.tangent[3 * edge + axis];
  }
  void put(const Row<N> &row, int n, T value)
  {
    row.v[n] = value;
    if constexpr (N::kIsDual) row.d[n] = T(0);
  }

  void radial_forward(int element, T *aev)
  {
    for (int k = 0; k < terms_.n_radial; ++k) sums_[k] = N(T(0));
    for (int b = group_[element]; b < group_[element + 1]; b += kWidth) {
      const N r = load(r_, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      for (int k = 0; k < terms_.n_radial; ++k) {
        const N distance = r - terms_.radial_shifts[k];
        sums_[k] = sums_[k] + f * exponential(distance * distance * -terms_.radial_eta);
      }
    }
    for (int k = 0; k < terms_.n_radial; ++k) aev[k] = T(0.25) * result(sums_[k]);
  }

  void radial_backward(int element, const T *gradients, std::int64_t stride)
  {
    for (int b = group_[element]; b < group_[element + 1]; b += kWidth) {
      const N r = load(r_, b);
      N f, slope;
      cutoff_function(r, terms_.radial_cutoff, terms_.is_smooth, f, slope);
      for (int k = 0; k < terms_.n_radial; ++k) {
        const N distance = r - terms_.radial_shifts[k];
        const N value = exponential(distance * distance * -terms_.radial_eta);
        value_[k] = slope * value + f * value * distance * (T(-2) * terms_.radial_eta);
      }
      for (int g = 0; g < n_gradients_; ++g) {
        N gradient(T(0));
        for (int k = 0; k < terms_.n_radial; ++k) gradient = gradient + value_[k] * gradients[g * stride + k];
        const Row<N> row = gradient_r_[g];
        store(row, b, load(row, b) + gradient * T(0.25));
      }
    }
  }

  template <class Do> void for_element_pairs(const Do &act)
  {
    int pair = 0;
    for (int a = 0; a < terms_.n_elements; ++a)
      for (int b = a; b < terms_.n_elements; ++b, ++pair) act(a, b, pair);
  }

  // Fill the rows of pairs of near edges of elements a and b, some at a time, and act on them.
  template <class Do> void for_pairs(int a, int b, const Do &act)
  {
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
    for (int i = near_group_[a]; i < near_group_[a + 1]; ++i) {
      const int end = near_group_[b + 1];
      for (int j = a == b ? i + 1 : near_group_[b]; j < end;) {
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
    const N x = broadcast(near_x_, i), y = broadcast(near_y_, i), z = broadcast(near_z_, i);
    const N r = broadcast(near_r_, i), f = broadcast(near_f_, i);
    for (int b = 0; b < n; b += kWidth) {
      store(cosine_, pair + b,
            (x * load(near_x_, j + b) + y * load(near_y_, j + b) + z * load(near_z_, j + b)) * T(0.95));
      store(mean_, pair + b, (r + load(near_r_, j + b)) * T(0.5));
      store(weight_, pair + b, f * load(near_f_, j + b));
    }
  }

  // 2 x_q^ζ and, where asked for, its derivative in cosθ.
  template <bool with_slope> NNPAL_INLINE N angle_term(N cosine, N sine, N cotangent, int q, N &slope)
  {
    const N x =
        larger((cosine * terms_.cosines[q] + sine * terms_.sines[q]) * T(0.5) + T(0.5), Series<T>::kLeast);
    const N value = exponential(logarithm(x) * terms_.zeta) * T(2);
    if constexpr (with_slope)
      slope = value / x * (terms_.cosines[q] - cotangent * terms_.sines[q]) * (T(0.5) * terms_.zeta);
    return value;
  }

  void angular_forward(int n_pairs)
  {
    N none;
    for (int p = 0; p < n_pairs; p += kWidth) {
      const N cosine = load(cosine_, p), mean = load(mean_, p), weight = load(weight_, p);
      const N sine = square_root(T(1) - cosine * cosine);
      for (int q = 0; q < terms_.n_sections; ++q)
        value_[q] = weight * angle_term<false>(cosine, sine, sine, q, none);
      for (int k = 0; k < terms_.n_shifts; ++k) {
        const N distance = mean - terms_.shifts[k];
        const N gaussian = exponential(distance * distance * -terms_.angular_eta);
        N *sums = sums_ + k * terms_.n_sections;
        for (int q = 0; q < terms_.n_sections; ++q) sums[q] = sums[q] + gaussian * value_[q];
      }
    }
  }

  void angular_backward(int n_pairs, const T *gradients, std::int64_t stride)
  {
    N *angle = value_, *angle_slope = slope_;
    N *gaussian = value_ + terms_.n_sections, *gaussian_slope = slope_ + terms_.n_sections;
    for (int p = 0; p < n_pairs; p += kWidth) {
      const N cosine = load(cosine_, p), mean = load(mean_, p), weight = load(weight_, p);
      const N sine = square_root(T(1) - cosine * cosine);
      const N cotangent = cosine / sine;
      for (int q = 0; q < terms_.n_sections; ++q)
        angle[q] = angle_term<true>(cosine, sine, cotangent, q, angle_slope[q]);
      for (int k = 0; k < terms_.n_shifts; ++k) {
        const N distance = mean - terms_.shifts[k];
        gaussian[k] = exponential(distance * distance * -terms_.angular_eta);
        gaussian_slope[k] = gaussian[k] * distance * (T(-2) * terms_.angular_eta);
      }
      for (int g = 0; g < n_gradients_; ++g) {
        const T *gradient = gradients + g * stride;
        N of_cosine(T(0)), of_mean(T(0)), of_weight(T(0));
        for (int k = 0; k < terms_.n_shifts; ++k, gradient += terms_.n_sections) {
          N value(T(0)), slope(T(0));
          for (int q = 0; q < terms_.n_sections; ++q) {
            value = value + angle[q] * gradient[q];
            slope = slope + angle_slope[q] * gradient[q];
          }
          of_weight = of_weight + value * gaussian[k];
          of_mean = of_mean + value * gaussian_slope[k];
          of_cosine = of_cosine + slope * gaussian[k];
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
      const N x = broadcast(near_x_, i), y = broadcast(near_y_, i), z = broadcast(near_z_, i);
      const N f = broadcast(near_f_, i), f_slope = broadcast(near_slope_, i);
      N sum_x(T(0)), sum_y(T(0)), sum_z(T(0)), sum_r(T(0));
      for (int b = 0; b < n; b += kWidth) {
        const int j = segment_.j[s] + b, p = segment_.pair[s] + b;
        const N cosine = first_lanes(load(of_cosine, p), n - b), mean = first_lanes(load(of_mean, p), n - b);
        const N weight = first_lanes(load(of_weight, p), n - b);
        sum_x = sum_x + cosine * load(near_x_, j);
        sum_y = sum_y + cosine * load(near_y_, j);
        sum_z = sum_z + cosine * load(near_z_, j);
        sum_r = sum_r + mean + weight * load(near_f_, j) * f_slope;
        store(gx, j, load(gx, j) + cosine * x);
        store(gy, j, load(gy, j) + cosine * y);
        store(gz, j, load(gz, j) + cosine * z);
        store(gr, j, load(gr, j) + mean + weight * f * load(near_slope_, j));
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
        for (int b = 0; b < n_edges_; b += kWidth) store(row, b, zero);
        store(row, n_edges_, zero);
      }
  }

  // The near edges' gradients stand together in front: move each to its edge's place. Its place never lies
  // before, so from the last to the first nothing is overwritten that is still needed.
  void spread_near_gradients()
  {
    for (int g = 0; g < n_gradients_; ++g)
      for (const Rows *rows : {&gradient_x_, &gradient_y_, &gradient_z_, &gradient_r_}) {
        const Row<N> row = (*rows)[g];
        for (int k = n_near_ - 1; k >= 0; --k) {
          if (near_[k] == k) break;    // and so are all before it
          copy_element(row, near_[k], row, k);
          put(row, k, T(0));
        }
      }
  }

  // ∂E/∂vec = g_r u + (g_u - (g_u·u) u)/r
  void write_gradient(int g, T *edge_gradient)
  {
    const Row<N> gx = gradient_x_[g], gy = gradient_y_[g];
    const Row<N> gz = gradient_z_[g], gr = gradient_r_[g];
    for (int b = 0; b < n_edges_; b += kWidth) {
      const N x = load(x_, b), y = load(y_, b), z = load(z_, b), inverse = load(inverse_, b);
      const N ux = load(gx, b), uy = load(gy, b), uz = load(gz, b);
      const N along = load(gr, b) - (ux * x + uy * y + uz * z) * inverse;
      store(gx, b, along * x + ux * inverse);
      store(gy, b, along * y + uy * inverse);
      store(gz, b, along * z + uz * inverse);
    }
    const T *px = N::kIsDual ? gx.d : gx.v, *py = N::kIsDual ? gy.d : gy.v, *pz = N::kIsDual ? gz.d : gz.v;
    for (int k = 0; k < n_edges_; ++k) {
      if (edge_[k] < 0) continue;
      T *to = edge_gradient + 3 * edge_[k];
      to[0] = px[k];
      to[1] = py[k];
      to[2] = pz[k];
    }
  }
};

}    // namespace nnpal::NNPAL_ISA
