// Pairs of a center's edges within the angular cutoff, in rows.
#pragma once

#include "aev/edge_gradients.h"

namespace nnpal::NNPAL_ISA {

// One near edge i with n others from j on, in the rows from `pair` on.
struct Segment {
  int i, j, n, pair;
};

// Pairs of near edges of two elements, up to kMost at a time. Rows may be read in whole vectors from any pair
// on, and from kWidth numbers before the first.
template <class N> class CenterPairs {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;
  static constexpr int kMost = 256;    // at a time
  static constexpr int kRow = kMost + 2 * kWidth, kSegments = kMost + 1;

  Row<N> cosine, mean, weight;    // 0.95 u_i·u_j, (r_i + r_j)/2, f(r_i) f(r_j)
  Segment *segments;
  int n = 0, n_segments = 0;

  static std::size_t bytes() { return 3 * row_bytes<N>(kRow) + Scratch::bytes_for<Segment>(kSegments); }

  void take(Scratch &scratch)
  {
    for (Row<N> *one : {&cosine, &mean, &weight}) *one = beyond_margin(take_row<N>(kRow, scratch));
    segments = scratch.take<Segment>(kSegments);
  }

  static Row<N> beyond_margin(Row<N> row)
  {
    row.v += kWidth;
    if constexpr (N::kIsDual) row.d += kWidth;
    return row;
  }

  // Repeatedly fill the rows with pairs of elements a and b and act on them, until no pair is left.
  template <class Do> void each(const CenterEdges<N> &edges, int a, int b, T angular_cutoff, const Do &act)
  {
    n = n_segments = 0;
    if (edges.n_near[a] == 0 || edges.n_near[b] == 0) return;
    const auto flush = [&]() {
      if (n == 0) return;
      // Lanes beyond the last pair: no weight, and an angle where nothing is singular
      store(cosine, n, N(T(0)));
      store(mean, n, N(angular_cutoff));
      store(weight, n, N(T(0)));
      act();
      n = n_segments = 0;
    };
    const int begin = edges.group[b], end = begin + edges.n_near[b];
    for (int i = edges.group[a]; i < edges.group[a] + edges.n_near[a]; ++i) {
      for (int j = a == b ? i + 1 : begin; j < end;) {
        if (n == kMost) flush();
        const int more = end - j < kMost - n ? end - j : kMost - n;
        fill(edges, {i, j, more, n});
        j += more;
      }
    }
    flush();
  }

private:
  void fill(const CenterEdges<N> &edges, const Segment &segment)
  {
    segments[n_segments++] = segment;
    const int i = segment.i;
    const N x = broadcast(edges.x, i), y = broadcast(edges.y, i), z = broadcast(edges.z, i);
    const N r = broadcast(edges.r, i), f = broadcast(edges.f, i);
    for (int b = 0; b < segment.n; b += kWidth) {
      const int j = segment.j + b, p = segment.pair + b;
      store(cosine, p, (x * load(edges.x, j) + y * load(edges.y, j) + z * load(edges.z, j)) * T(0.95));
      store(mean, p, (r + load(edges.r, j)) * T(0.5));
      store(weight, p, f * load(edges.f, j));
    }
    n += segment.n;
  }
};

// Gradients with respect to the pairs' cosines, means and weights.
template <class N> struct PairGradients {
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;

  GradientRows<N> cosine, mean, weight;

  static std::size_t bytes(int n_gradients)
  {
    return 3 * GradientRows<N>::bytes(n_gradients, CenterPairs<N>::kRow);
  }
  void take(int n_gradients, Scratch &scratch)
  {
    for (GradientRows<N> *one : {&cosine, &mean, &weight}) {
      one->take(n_gradients, CenterPairs<N>::kRow, scratch);
      one->first = CenterPairs<N>::beyond_margin(one->first);
    }
  }

  // Add the pairs' contribution to gradient g with respect to unit vectors and distances of both edges.
  // Vectors of edges j, where the element begins at `begin`, stay in registers while all segments add to
  // them.
  void pull_back(int g, const CenterPairs<N> &pairs, const CenterEdges<N> &edges, int begin, int end,
                 const EdgeGradients<N> &to) const
  {
    const Row<N> gx = to.x[g], gy = to.y[g], gz = to.z[g], gr = to.r[g];
    const Row<N> of_cosine = cosine[g], of_mean = mean[g], of_weight = weight[g];
    for (int b = begin; b < end; b += kWidth) {
      const N jx = load(edges.x, b), jy = load(edges.y, b), jz = load(edges.z, b);
      const N jf = load(edges.f, b), j_slope = load(edges.slope, b);
      N sum_x(T(0)), sum_y(T(0)), sum_z(T(0)), sum_r(T(0));
      SumsOfEdges sums(gx, gy, gz, gr);
      for (const Segment *s = pairs.segments; s < pairs.segments + pairs.n_segments; ++s) {
        const int first = s->j - b, last = first + s->n;    // lanes
        if (last <= 0 || first >= kWidth) continue;
        const int i = s->i, p = s->pair - first;
        const N by_cosine = lanes_within(load(of_cosine, p), first, last);
        const N by_mean = lanes_within(load(of_mean, p), first, last);
        const N by_weight = lanes_within(load(of_weight, p), first, last);
        sum_x = sum_x + by_cosine * broadcast(edges.x, i);
        sum_y = sum_y + by_cosine * broadcast(edges.y, i);
        sum_z = sum_z + by_cosine * broadcast(edges.z, i);
        sum_r = sum_r + by_mean + by_weight * broadcast(edges.f, i) * j_slope;
        sums.add(i, by_cosine * jx, by_cosine * jy, by_cosine * jz,
                 by_mean + by_weight * jf * broadcast(edges.slope, i));
      }
      sums.finish();
      add(gx, b, sum_x);
      add(gy, b, sum_y);
      add(gz, b, sum_z);
      add(gr, b, sum_r);
    }
  }

private:
  // Adds sums over the lanes to the gradients of edges i, several edges at once.
  class SumsOfEdges {
  public:
    SumsOfEdges(const Row<N> &x, const Row<N> &y, const Row<N> &z, const Row<N> &r) : rows_{x, y, z, r} {}

    NNPAL_INLINE void add(int i, N x, N y, N z, N r)
    {
      const N values[kAxes] = {x, y, z, r};
      if constexpr (N::kIsDual) {
        for (int a = 0; a < kAxes; ++a) {
          rows_[a].v[i] += sum(values[a].v);
          rows_[a].d[i] += sum(values[a].d);
        }
      } else {
        for (int a = 0; a < kAxes; ++a) values_[a + kAxes * n_] = values[a];
        i_[n_++] = i;
        if (n_ == kEdges) finish();
      }
    }

    NNPAL_INLINE void finish()
    {
      if constexpr (!N::kIsDual) {
        if (n_ == 0) return;
        for (int k = kAxes * n_; k < kAxes * kEdges; ++k) values_[k] = N(T(0));
        T totals[kAxes * kEdges];
        totals_of(values_, kAxes * kEdges, totals);
        for (int k = 0; k < n_; ++k)
          for (int a = 0; a < kAxes; ++a) rows_[a].v[i_[k]] += totals[kAxes * k + a];
        n_ = 0;
      }
    }

  private:
    static constexpr int kAxes = 4, kEdges = kWidth > kAxes ? kWidth / kAxes : 1;

    Row<N> rows_[kAxes];
    N values_[kAxes * kEdges];
    int i_[kEdges], n_ = 0;
  };
};

}    // namespace nnpal::NNPAL_ISA
