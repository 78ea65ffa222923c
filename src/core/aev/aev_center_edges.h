// One center's edges in rows: by the neighbor's element, those within the angular cutoff first, and by
// distance, so that a vector of edges needs few of the Gaussians.
#pragma once

#include "aev/aev_reach.h"
#include "aev/aev_terms.h"
#include "support/dual_lanes.h"
#include "support/thread_scratch.h"

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

template <class N> class CenterEdges {
public:
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;
  // A row's length for some edges: elements begin at whole vectors, and rows are read in whole vectors from
  // any edge on.
  static int padded(int n_edges, int n_elements) { return n_edges + (n_elements + 1) * kWidth; }

  Row<N> x, y, z, r, inverse;    // unit vectors, distances and their inverse
  Row<N> f, slope;               // within the angular cutoff its cutoff function
  int *group;                    // [n_elements + 1] where elements begin
  int *n_of_group, *n_near;      // [n_elements] edges, and how many of these are within the angular cutoff
  int n = 0;                     // with the padding between elements

  CenterEdges(const AEVTerms<T> &terms, const SortedEdges<T> &edges) : terms_(terms), edges_(edges) {}

  static std::size_t bytes(int n_padded, int n_elements)
  {
    constexpr int kRows = 11, kParts = N::kIsDual ? 2 : 1;
    return kRows * kParts * Scratch::bytes_for<T>(n_padded) + Scratch::bytes_for<std::int64_t>(n_padded) +
           Scratch::bytes_for<int>(n_padded) + 3 * Scratch::bytes_for<int>(n_elements + 1);
  }

  template <class TakeRow> void take(int n_padded, int n_elements, Scratch &scratch, const TakeRow &take_row)
  {
    for (Row<N> *one : {&x, &y, &z, &r, &inverse, &f, &slope, &found_x_, &found_y_, &found_z_, &found_r_})
      *one = take_row(n_padded);
    edge_ = scratch.take<std::int64_t>(n_padded);
    bucket_ = scratch.take<int>(n_padded);
    for (int **one : {&group, &n_of_group, &n_near}) *one = scratch.take<int>(n_elements + 1);
  }

  void gather(std::int64_t center)
  {
    n = 0;
    for (int e = 0; e < terms_.n_elements; ++e) {
      const std::int64_t *start = edges_.start + center * terms_.n_elements + e;
      group[e] = n;
      n_of_group[e] = static_cast<int>(start[1] - start[0]);
      if (n_of_group[e] > 0) {
        find(start[0], n_of_group[e]);
        sort(e, start[0]);
      } else
        n_near[e] = 0;
      n += (n_of_group[e] + kWidth - 1) / kWidth * kWidth;
    }
    group[terms_.n_elements] = n;
    for (int b = 0; b < n; b += kWidth) {
      const N one = N(T(1)) / load(r, b);
      store(inverse, b, one);
      for (const Row<N> *row : {&x, &y, &z}) store(*row, b, load(*row, b) * one);
    }
    for (int e = 0; e < terms_.n_elements; ++e) {
      int b = group[e];
      for (; b < group[e] + n_near[e]; b += kWidth) {
        N value, derivative;
        cutoff_function(load(r, b), terms_.angular_cutoff, terms_.is_smooth, value, derivative);
        store(f, b, value);
        store(slope, b, derivative);
      }
      store(f, b, N(T(0)));    // read in whole vectors; the next element's are written later
      store(slope, b, N(T(0)));
    }
  }

  // The edge at place k, none of the padding.
  std::int64_t edge(int k) const { return edge_[k]; }

  // Distances of the edges in a vector, as buckets.
  Buckets buckets(int element, int b) const
  {
    if (n_of_group[element] <= kWidth) return {0, kBuckets - 1};
    const int last = group[element] + n_of_group[element] - 1;
    return {bucket_of(r.v[b], terms_), bucket_of(r.v[last < b + kWidth ? last : b + kWidth - 1], terms_)};
  }

private:
  const AEVTerms<T> &terms_;
  const SortedEdges<T> &edges_;
  Row<N> found_x_, found_y_, found_z_, found_r_;    // in the order given
  std::int64_t *edge_;
  int *bucket_;

  std::int64_t edge_at(std::int64_t k) const { return edges_.order ? edges_.order[k] : k; }

  void put(const Row<N> &row, int k, std::int64_t edge, int axis)
  {
    const std::int64_t at = edge * edges_.step_of_edge + axis * edges_.step_of_axis;
    row.v[k] = edges_.vec[at];
    if constexpr (N::kIsDual) row.d[k] = edges_.tangent[at];
  }

  // Vectors and distances of `count` edges from the first on; what bucket they belong to, those beyond the
  // angular cutoff one later than others of their distance.
  void find(std::int64_t first, int count)
  {
    for (int k = 0; k < count; ++k) {
      const std::int64_t edge = edge_at(first + k);
      put(found_x_, k, edge, 0);
      put(found_y_, k, edge, 1);
      put(found_z_, k, edge, 2);
    }
    for (int b = 0; b < count; b += kWidth) {
      const N vx = load(found_x_, b), vy = load(found_y_, b), vz = load(found_z_, b);
      const N distance = square_root(vx * vx + vy * vy + vz * vz);
      store(found_r_, b, distance);
    }
    if (count > kWidth)
      for (int k = 0; k < count; ++k)
        bucket_[k] = bucket_of(found_r_.v[k], terms_) + (found_r_.v[k] < terms_.angular_cutoff ? 0 : 1);
    else
      for (int k = 0; k < count; ++k) bucket_[k] = found_r_.v[k] < terms_.angular_cutoff ? 0 : 1;
  }

  // By counting, the order within a bucket kept. Edges that fill one vector have no other buckets than near
  // and far.
  void sort(int element, std::int64_t first)
  {
    const int count = n_of_group[element], n_buckets = count > kWidth ? kBuckets : 1;
    int place[kBuckets + 2] = {};
    for (int k = 0; k < count; ++k) ++place[bucket_[k] + 1];
    for (int k = 0; k <= n_buckets; ++k) place[k + 1] += place[k];
    int near = 0;
    for (int k = 0; k < count; ++k) {
      const int to = group[element] + place[bucket_[k]]++;
      copy_element(x, to, found_x_, k);
      copy_element(y, to, found_y_, k);
      copy_element(z, to, found_z_, k);
      copy_element(r, to, found_r_, k);
      edge_[to] = edge_at(first + k);
      near += found_r_.v[k] < terms_.angular_cutoff;
    }
    n_near[element] = near;
    const N far(T(2) * terms_.radial_cutoff);
    const int end = group[element] + count;    // what follows is written later
    store(r, end, far);
    store(x, end, far);
    store(y, end, N(T(0)));
    store(z, end, N(T(0)));
  }
};

}    // namespace nnpal::NNPAL_ISA
