// Gathers and sorts one center's edges.
#pragma once

#include "aev/aev_center_edges.h"

namespace nnpal::NNPAL_ISA {

// Fills CenterEdges from edges in the input order.
template <class N> class EdgeGatherer {
public:
  using T = typename N::Scalar;
  using Integers = typename Lanes<T>::Integers;
  static constexpr int kWidth = kLanes<T>;

  EdgeGatherer(const AEVTerms<T> &terms, const SortedEdges<T> &edges) :
      terms_(terms),
      edges_(edges),
      reach_(terms),
      per_length_(T(kBuckets) / terms.radial_cutoff)
  {
  }

  int n_edges(std::int64_t center) const
  {
    const std::int64_t *start = edges_.start + center * terms_.n_elements;
    return static_cast<int>(start[terms_.n_elements] - start[0]);
  }

  static std::size_t bytes(int most_edges)
  {
    return 4 * row_bytes<N>(most_edges + kWidth) + Scratch::bytes_for<int>(most_edges + kWidth);
  }

  void take(int most_edges, Scratch &scratch)
  {
    for (Row<N> *one : {&x_, &y_, &z_, &r_}) *one = take_row<N>(most_edges + kWidth, scratch);
    bucket_ = scratch.take<int>(most_edges + kWidth);
  }

  void gather(std::int64_t center, CenterEdges<N> &to)
  {
    const std::int64_t *start = edges_.start + center * terms_.n_elements;
    to.first = start[0];
    to.n = 0;
    for (int e = 0; e < terms_.n_elements; ++e) {
      to.group[e] = to.n;
      to.n_near[e] = 0;
      const int count = to.n_of_group[e] = static_cast<int>(start[e + 1] - start[e]);
      if (count == 0) continue;
      find(start[e], count);
      sort(e, static_cast<int>(start[e] - to.first), to);
      to.n += (count + kWidth - 1) / kWidth * kWidth;
    }
    to.group[terms_.n_elements] = to.n;
    for (int b = 0; b < to.n; b += kWidth) {
      const N inverse = N(T(1)) / load(to.r, b);
      for (const Row<N> *row : {&to.x, &to.y, &to.z}) store(*row, b, load(*row, b) * inverse);
    }
    for (int e = 0; e < terms_.n_elements; ++e) find_angular_cutoff(e, to);
  }

private:
  const AEVTerms<T> &terms_;
  const SortedEdges<T> &edges_;
  const RadialReach reach_;
  const T per_length_;                    // buckets
  Row<N> x_, y_, z_, r_;                  // of one element, in the input order: copies ...
  Row<N> found_x_, found_y_, found_z_;    // ... or in place
  int *bucket_;

  std::int64_t edge_at(std::int64_t k) const { return edges_.order ? edges_.order[k] : k; }

  static void put(const Row<N> &row, int k, const SortedEdges<T> &edges, std::int64_t at)
  {
    row.v[k] = edges.vec[at];
    if constexpr (N::kIsDual) row.d[k] = edges.tangent[at];
  }

  void look_up(std::int64_t first, int count)
  {
    found_x_ = x_;
    found_y_ = y_;
    found_z_ = z_;
    if (!edges_.order && edges_.step_of_edge == 1) {
      int axis = 0;
      for (Row<N> *row : {&found_x_, &found_y_, &found_z_}) {
        const std::int64_t at = first + axis++ * edges_.step_of_axis;
        row->v = const_cast<T *>(edges_.vec + at);    // only read
        if constexpr (N::kIsDual) row->d = const_cast<T *>(edges_.tangent + at);
      }
      return;
    }
    for (int k = 0; k < count; ++k) {
      const std::int64_t at = edge_at(first + k) * edges_.step_of_edge;
      put(x_, k, edges_, at);
      put(y_, k, edges_, at + edges_.step_of_axis);
      put(z_, k, edges_, at + 2 * edges_.step_of_axis);
    }
  }

  // Reads vectors and distances of `count` edges from `first` on, and finds their buckets, which are one
  // higher beyond the angular cutoff.
  void find(std::int64_t first, int count)
  {
    look_up(first, count);
    for (int b = 0; b < count; b += kWidth) {
      const N x = load(found_x_, b), y = load(found_y_, b), z = load(found_z_, b);
      store(r_, b, square_root(x * x + y * y + z * z));
    }
    const bool tells_distances = count > kWidth;
    for (int b = 0; b < count; b += kWidth) {
      const Lanes<T> r = load(r_.v + b);
      Integers bucket = r.v < terms_.angular_cutoff ? Integers{} : Integers{} + 1;
      if (tells_distances) bucket += buckets_of(r, per_length_);
      for (int lane = 0; lane < kWidth; ++lane) bucket_[b + lane] = static_cast<int>(bucket[lane]);
    }
  }

  // A stable counting sort by bucket. Edges that fit into one vector have only the buckets near and far.
  void sort(int element, int first, CenterEdges<N> &to)
  {
    const int count = to.n_of_group[element], n_buckets = count > kWidth ? kBuckets : 1;
    int place[kBuckets + 2] = {};
    for (int k = 0; k < count; ++k) ++place[bucket_[k] + 1];
    for (int k = 0; k <= n_buckets; ++k) place[k + 1] += place[k];
    for (int k = 0; k < count; ++k) {
      const int at = to.group[element] + place[bucket_[k]]++;
      copy_element(to.x, at, found_x_, k);
      copy_element(to.y, at, found_y_, k);
      copy_element(to.z, at, found_z_, k);
      copy_element(to.r, at, r_, k);
      to.place[at] = first + k;
    }
    find_near(element, to);
    find_shifts(element, to);
    // Padding beyond every cutoff, which the next element's edges overwrite.
    const N far(T(2) * terms_.radial_cutoff);
    const int end = to.group[element] + count;
    store(to.r, end, far);
    store(to.x, end, far);
    store(to.y, end, N(T(0)));
    store(to.z, end, N(T(0)));
  }

  // Near edges come first.
  void find_near(int element, CenterEdges<N> &to) const
  {
    const T *const r = to.r.v + to.group[element];
    const int count = to.n_of_group[element];
    T nearest = terms_.angular_cutoff, farthest = T(0);
    int near = 0;
    for (; near < count && r[near] < terms_.angular_cutoff; ++near) {
      nearest = r[near] < nearest ? r[near] : nearest;
      farthest = r[near] > farthest ? r[near] : farthest;
    }
    to.n_near[element] = near;
    to.nearest[element] = nearest;
    to.farthest[element] = farthest;
  }

  // From the buckets of a vector's first and last edge. Edges that fit into one vector get all shifts.
  void find_shifts(int element, CenterEdges<N> &to) const
  {
    const int begin = to.group[element], count = to.n_of_group[element];
    if (count <= kWidth) {
      to.shifts[begin / kWidth] = {0, terms_.n_radial};
      return;
    }
    for (int b = 0; b < count; b += kWidth) {
      const int last = b + kWidth < count ? b + kWidth - 1 : count - 1;
      to.shifts[(begin + b) / kWidth] = reach_.shifts(bucket_at(to, begin + b), bucket_at(to, begin + last));
    }
  }
  int bucket_at(const CenterEdges<N> &of, int k) const
  {
    return static_cast<int>(buckets_of(Lanes<T>(of.r.v[k]), per_length_)[0]);
  }

  void find_angular_cutoff(int element, CenterEdges<N> &to)
  {
    int b = to.group[element];
    for (; b < to.group[element] + to.n_near[element]; b += kWidth) {
      N value, derivative;
      cutoff_function(load(to.r, b), terms_.angular_cutoff, terms_.is_smooth, value, derivative);
      store(to.f, b, value);
      store(to.slope, b, derivative);
    }
    store(to.f, b, N(T(0)));    // read in whole vectors; the next element's are written later
    store(to.slope, b, N(T(0)));
  }
};

}    // namespace nnpal::NNPAL_ISA
