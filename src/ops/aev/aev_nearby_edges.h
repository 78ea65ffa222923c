// One center's edges for the kernels of aev_kernels.h: each edge's values, and the edges within the angular
// cutoff, sorted by the neighbor's element.
#pragma once

#include "aev/aev_cuda.h"
#include "support/dual_scalar.h"

namespace nnpal::NNPAL_TWIN {

constexpr int kStaged = 64;    // near edges in shared memory; others are recomputed when needed

// An edge's unit vector and length and, within the angular cutoff, its cutoff function.
template <class N> struct EdgeNumbers {
  N x, y, z, r, f, slope;
  int element;
};

// Always the same value, wherever it is computed.
template <class T> NNPAL_KERNEL T length(const T *vec)
{
#ifdef __CUDACC__
  if constexpr (sizeof(T) == 4)
    return __fsqrt_rn(__fmaf_rn(vec[0], vec[0], __fmaf_rn(vec[1], vec[1], __fmul_rn(vec[2], vec[2]))));
  else
    return __dsqrt_rn(__fma_rn(vec[0], vec[0], __fma_rn(vec[1], vec[1], __dmul_rn(vec[2], vec[2]))));
#else
  return std::sqrt(std::fma(vec[0], vec[0], std::fma(vec[1], vec[1], vec[2] * vec[2])));
#endif
}

// The same edges, without `order` if they were sorted by center, because it was then not written.
template <class T> NNPAL_KERNEL DeviceEdges<T> with_known_order(DeviceEdges<T> edges)
{
  if (!*edges.is_unsorted) edges.order = nullptr;
  return edges;
}

// The k-th of all edges sorted by center.
template <class T> NNPAL_KERNEL std::int64_t edge_at(const DeviceEdges<T> &edges, std::int64_t k)
{
  return edges.order ? edges.order[k] : k;
}

template <class N, class T>
NNPAL_KERNEL EdgeNumbers<N> numbers_of(const DeviceEdges<T> &edges, std::int64_t edge, T cutoff,
                                       bool is_smooth)
{
  N vec[3];
  for (int k = 0; k < 3; ++k)
    if constexpr (kIsDual<N>)
      vec[k] = N(edges.vec[3 * edge + k], edges.tangent[3 * edge + k]);
    else
      vec[k] = edges.vec[3 * edge + k];
  EdgeNumbers<N> e;
  e.r = square_root(vec[0] * vec[0] + vec[1] * vec[1] + vec[2] * vec[2]);
  const N inverse = N(T(1)) / e.r;
  e.x = vec[0] * inverse;
  e.y = vec[1] * inverse;
  e.z = vec[2] * inverse;
  cutoff_function(e.r, cutoff, is_smooth, e.f, e.slope);
  e.element = edges.n_elements > 1 ? static_cast<int>(edges.species[edges.neighbor[edge]]) : 0;
  return e;
}

template <class N> struct NearEdges {
  using T = Scalar<N>;

  Votes are_near;
  int n;
  int first_of_element[kMostElements + 1];
  N x[kStaged], y[kStaged], z[kStaged], r[kStaged], f[kStaged], slope[kStaged];
  int element[kStaged];

  // Threads test consecutive edges in parallel and record the near ones, in order.
  NNPAL_KERNEL void gather(const Block &block, const DeviceEdges<T> &edges, const AEVTerms<T> &terms,
                           std::int64_t begin, std::int64_t end)
  {
    std::int32_t *to = edges.near + begin;
    for (std::int64_t batch = begin; batch < end; batch += kThreads) {
      const auto edge_of = [&](int thread) { return edge_at(edges, batch + thread); };
      block.vote(
          [&](int thread) {
            return batch + thread < end && length(edges.vec + 3 * edge_of(thread)) < terms.angular_cutoff;
          },
          are_near);
      std::int32_t *const from = to;
      to += are_near.count_all();
      block.each([&](int thread) {
        if (are_near.has(thread))
          from[are_near.count_before(thread)] = static_cast<std::int32_t>(edge_of(thread));
      });
    }
    block.each([&](int thread) {
      if (thread == 0) n = static_cast<int>(to - (edges.near + begin));
    });
    if (terms.n_elements > 1)
      sort_by_element(block, edges, terms, begin);
    else
      block.each([&](int thread) {
        if (thread == 0) first_of_element[0] = 0;
        if (thread == 1) first_of_element[1] = n;
      });
    block.each([&](int thread) {
      for (int k = thread; k < n && k < kStaged; k += kThreads) {
        const EdgeNumbers<N> e = computed(edges, terms, begin, k);
        x[k] = e.x;
        y[k] = e.y;
        z[k] = e.z;
        r[k] = e.r;
        f[k] = e.f;
        slope[k] = e.slope;
        element[k] = e.element;
      }
    });
  }

  // The k-th near edge.
  NNPAL_KERNEL EdgeNumbers<N> at(const DeviceEdges<T> &edges, const AEVTerms<T> &terms, std::int64_t begin,
                                 int k) const
  {
    if (k >= kStaged) return computed(edges, terms, begin, k);
    return {x[k], y[k], z[k], r[k], f[k], slope[k], element[k]};
  }

private:
  static NNPAL_KERNEL EdgeNumbers<N> computed(const DeviceEdges<T> &edges, const AEVTerms<T> &terms,
                                              std::int64_t begin, int k)
  {
    return numbers_of<N>(edges, edges.near_by_element[begin + k], terms.angular_cutoff, terms.is_smooth);
  }

  // Each edge's place is the number of edges before it; they are few, so all are compared.
  NNPAL_KERNEL void sort_by_element(const Block &block, const DeviceEdges<T> &edges, const AEVTerms<T> &terms,
                                    std::int64_t begin)
  {
    const auto element_of = [&](int k) {
      return static_cast<int>(edges.species[edges.neighbor[edges.near[begin + k]]]);
    };
    block.each([&](int thread) {
      for (int k = thread; k < n && k < kStaged; k += kThreads) element[k] = element_of(k);
    });
    const auto known_element_of = [&](int k) { return k < kStaged ? element[k] : element_of(k); };
    block.each([&](int thread) {
      for (int k = thread; k < n; k += kThreads) {
        const int own = known_element_of(k);
        int place = 0;
        for (int other = 0; other < n; ++other) {
          const int its = known_element_of(other);
          place += its < own || (its == own && other < k);
        }
        edges.near_by_element[begin + place] = edges.near[begin + k];
      }
      for (int e = thread; e <= terms.n_elements; e += kThreads) {
        int before = 0;
        for (int k = 0; k < n; ++k) before += known_element_of(k) < e;
        first_of_element[e] = before;
      }
    });
  }
};

}    // namespace nnpal::NNPAL_TWIN
