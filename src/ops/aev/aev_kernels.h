// The AEV and its products with derivatives, one center per block of threads; equations in aev_center.h. Sums
// have a fixed order, so that results are reproducible.
#pragma once

#include "aev/aev_nearby_edges.h"

namespace nnpal::NNPAL_TWIN {

NNPAL_KERNEL int larger_of(int a, int b)
{
  return a > b ? a : b;
}
NNPAL_KERNEL int smaller_of(int a, int b)
{
  return a < b ? a : b;
}

// 2 x_q^ζ and, if requested, its derivative with respect to cosθ.
template <bool with_slope, class N, class T>
NNPAL_KERNEL N angle_term(const AEVTerms<T> &terms, N cosine, N sine, N cotangent, int q, N &slope)
{
  const T cosine_q = terms.cosines[q], sine_q = terms.sines[q];
  const N x = larger((cosine * cosine_q + sine * sine_q) * T(0.5) + T(0.5), kSmallest<T>);
  const N value = exponential(logarithm(x) * terms.zeta) * T(2);
  if constexpr (with_slope)
    slope = quotient(value, x) * (cosine_q - cotangent * sine_q) * (T(0.5) * terms.zeta);
  return value;
}

template <class N> NNPAL_KERNEL N cosine_between(const EdgeNumbers<N> &a, const EdgeNumbers<N> &b)
{
  return (a.x * b.x + a.y * b.y + a.z * b.z) * Scalar<N>(0.95);
}

// Sums [n_groups][n] of parts, in shared memory or, if that is too small, in the row itself.
template <class N> struct AEVForward {
  using T = Scalar<N>;
  static constexpr int kSums = 512, kTerms = kMostAngularTerms;

  struct Shared {
    NearEdges<N> near;
    T sums[kSums];
    N term[kTerms];    // of a batch of pairs: weighted angles, Gaussians
    struct {
      N r, f;
    } edge[kThreads];    // of a batch
    int element[kThreads];
  };

  AEVTerms<T> terms;
  DeviceEdges<T> edges;
  const std::int64_t *centers;
  T *aev;

  NNPAL_KERNEL void operator()(const Block &block, Shared &shared) const
  {
    AEVForward{terms, with_known_order(edges), centers, aev}.run(block, shared);
  }

private:
  NNPAL_KERNEL void run(const Block &block, Shared &shared) const
  {
    const std::int64_t center = centers ? centers[block.index] : block.index;
    const std::int64_t begin = edges.start[center], end = edges.start[center + 1];
    T *row = aev + block.index * terms.n_features;
    radial(block, shared, begin, end, row);
    shared.near.gather(block, edges, terms, begin, end);
    angular(block, shared, begin, row + terms.n_elements * terms.n_radial);
  }

  // Each thread handles one shift and a stride of the edges.
  NNPAL_KERNEL void radial(const Block &block, Shared &shared, std::int64_t begin, std::int64_t end,
                           T *row) const
  {
    const int n_radial = terms.n_radial, n = terms.n_elements * n_radial;
    const int n_groups = larger_of(1, smaller_of(kThreads / n_radial, kSums / n));
    T *sums = n_groups * n <= kSums ? shared.sums : row;
    block.each([&](int thread) {
      for (int k = thread; k < n_groups * n; k += kThreads) sums[k] = T(0);
    });
    for (std::int64_t batch = begin; batch < end; batch += kThreads) {
      block.each([&](int thread) {
        if (batch + thread >= end) return;
        const EdgeNumbers<N> e =
            numbers_of<N>(edges, edge_at(edges, batch + thread), terms.radial_cutoff, terms.is_smooth);
        shared.edge[thread].r = e.r;
        shared.edge[thread].f = e.f;
        shared.element[thread] = e.element;
      });
      const int n_batch = end - batch < kThreads ? static_cast<int>(end - batch) : kThreads;
      block.each([&](int thread) {
        for (int work = thread; work < n_groups * n_radial; work += kThreads) {
          const int group = work / n_radial, k = work - group * n_radial;
          const T shift = terms.radial_shifts[k];
          T *own = sums + group * n + k, sum = T(0);
          const auto term = [&](int e) {
            return result(shared.edge[e].f * gaussian(shared.edge[e].r - shift, terms.radial_eta));
          };
          if (terms.n_elements == 1) {
            for (int e = group; e < n_batch; e += n_groups) sum += term(e);
            own[0] += sum;
            continue;
          }
          int element = -1;
          for (int e = group; e < n_batch; e += n_groups) {
            if (shared.element[e] != element) {
              if (element >= 0) own[element * n_radial] += sum;
              element = shared.element[e];
              sum = T(0);
            }
            sum += term(e);
          }
          if (element >= 0) own[element * n_radial] += sum;
        }
      });
    }
    block.each([&](int thread) {
      for (int k = thread; k < n; k += kThreads) {
        T sum = sums[k];
        for (int group = 1; group < n_groups; ++group) sum += sums[group * n + k];
        row[k] = T(0.25) * sum;
      }
    });
  }

  NNPAL_KERNEL void angular(const Block &block, Shared &shared, std::int64_t begin, T *row) const
  {
    const int n_angular = terms.n_shifts * terms.n_sections;
    for (int a = 0; a < terms.n_elements; ++a)
      for (int b = a; b < terms.n_elements; ++b, row += n_angular) {
        const int first_a = shared.near.first_of_element[a],
                  n_a = shared.near.first_of_element[a + 1] - first_a;
        const int first_b = shared.near.first_of_element[b],
                  n_b = shared.near.first_of_element[b + 1] - first_b;
        const std::int64_t n_pairs =
            a == b ? static_cast<std::int64_t>(n_a) * (n_a - 1) / 2 : static_cast<std::int64_t>(n_a) * n_b;
        element_pair(block, shared, begin, row, n_pairs, [=](std::int64_t pair, int &i, int &j) {
          if (a != b) {
            i = static_cast<int>(pair / n_b);
            j = static_cast<int>(pair - static_cast<std::int64_t>(i) * n_b);
          } else
            triangular(pair, i, j);
          i += first_a;
          j += first_b;
        });
      }
  }

  // pair = i (i - 1) / 2 + j, j < i
  static NNPAL_KERNEL void triangular(std::int64_t pair, int &i, int &j)
  {
    i = static_cast<int>((1.0F + square_root(1.0F + 8.0F * static_cast<float>(pair))) * 0.5F);
    while (static_cast<std::int64_t>(i) * (i - 1) / 2 > pair) --i;
    while (static_cast<std::int64_t>(i) * (i + 1) / 2 <= pair) ++i;
    j = static_cast<int>(pair - static_cast<std::int64_t>(i) * (i - 1) / 2);
  }

  // Each thread first computes a pair's terms, then handles one feature and a stride of the pairs.
  template <class Decode>
  NNPAL_KERNEL void element_pair(const Block &block, Shared &shared, std::int64_t begin, T *row,
                                 std::int64_t n_pairs, const Decode &decode) const
  {
    const int n_sections = terms.n_sections, n_angular = terms.n_shifts * n_sections;
    const int n_groups = larger_of(1, kThreads / n_angular), n_sums = n_groups * n_angular;
    // Odd row length: threads that read one column of different rows then read different banks
    const int longest = smaller_of(kThreads + 1, kTerms / (terms.n_shifts + n_sections));
    const int step = longest % 2 == 0 ? longest - 1 : longest, at_once = smaller_of(kThreads, step);
    T *sums = n_sums <= kSums ? shared.sums : row;
    block.each([&](int thread) {
      for (int k = thread; k < n_sums; k += kThreads) sums[k] = T(0);
    });
    for (std::int64_t batch = 0; batch < n_pairs; batch += at_once) {
      const int n_batch = n_pairs - batch < at_once ? static_cast<int>(n_pairs - batch) : at_once;
      block.each([&](int thread) {
        if (thread >= n_batch) return;
        int i, j;
        decode(batch + thread, i, j);
        pair_terms(shared.near.at(edges, terms, begin, i), shared.near.at(edges, terms, begin, j),
                   shared.term + thread, step);
      });
      block.each([&](int thread) {
        for (int work = thread; work < n_sums; work += kThreads) {
          const int group = work / n_angular, feature = work - group * n_angular;
          const int k = feature / n_sections, q = feature - k * n_sections;
          const N *angle = shared.term + q * step, *radial = shared.term + (n_sections + k) * step;
          T sum = T(0);
          for (int pair = group; pair < n_batch; pair += n_groups) sum += result(angle[pair] * radial[pair]);
          sums[work] += sum;
        }
      });
    }
    block.each([&](int thread) {
      for (int k = thread; k < n_angular; k += kThreads) {
        T sum = sums[k];
        for (int group = 1; group < n_groups; ++group) sum += sums[group * n_angular + k];
        row[k] = sum;
      }
    });
  }

  NNPAL_KERNEL void pair_terms(const EdgeNumbers<N> &a, const EdgeNumbers<N> &b, N *to, int step) const
  {
    const N cosine = cosine_between(a, b), sine = square_root(T(1) - cosine * cosine);
    const N mean = (a.r + b.r) * T(0.5), weight = a.f * b.f;
    N none;
    for (int q = 0; q < terms.n_sections; ++q, to += step)
      *to = weight * angle_term<false>(terms, cosine, sine, sine, q, none);
    for (int k = 0; k < terms.n_shifts; ++k, to += step)
      *to = gaussian(mean - terms.shifts[k], terms.angular_eta);
  }
};

// From kGradients ∂E/∂AEV computes ∂E/∂vec of the center's edges, or for dual numbers its derivative.
template <class N, int kGradients> struct AEVBackward {
  using T = Scalar<N>;
  static constexpr int kShare = 4, kEdges = kThreads / kShare;    // threads that share an edge's pairs
  static constexpr int kSections = 4;                             // at once

  static constexpr int kStagedGradients = 512;    // of the angular terms

  struct Shared {
    NearEdges<N> near;
    N sums[4 * kGradients][kThreads];
    alignas(16) T angular[kStagedGradients];    // [kGradients][n_angular] if they fit
  };

  AEVTerms<T> terms;
  DeviceEdges<T> edges;
  const std::int64_t *centers;
  const T *gradients;
  std::int64_t stride;
  T *edge_gradients;

  NNPAL_KERNEL void operator()(const Block &block, Shared &shared) const
  {
    AEVBackward{terms, with_known_order(edges), centers, gradients, stride, edge_gradients}.run(block,
                                                                                                shared);
  }

private:
  // A center's gradients with respect to its angular terms; that of gradient g begins at g * stride.
  struct AngularGradients {
    const T *first;
    std::int64_t stride;
    bool is_aligned;
  };

  NNPAL_KERNEL void run(const Block &block, Shared &shared) const
  {
    const std::int64_t center = centers ? centers[block.index] : block.index;
    const std::int64_t begin = edges.start[center], end = edges.start[center + 1];
    const T *row = gradients + block.index * terms.n_features;
    const AngularGradients angular = stage(block, shared, row + terms.n_elements * terms.n_radial);
    block.each([&](int thread) {
      for (std::int64_t k = begin + thread; k < end; k += kThreads) radial(edge_at(edges, k), row);
    });
    shared.near.gather(block, edges, terms, begin, end);
    for (int first = 0; first < shared.near.n; first += kEdges) {
      block.each([&](int thread) {
        const int own = first + thread / kShare;
        Sums sums;
        for (int g = 0; g < kGradients; ++g) sums.x[g] = sums.y[g] = sums.z[g] = sums.r[g] = N(T(0));
        if (own < shared.near.n) {
          const EdgeNumbers<N> e = shared.near.at(edges, terms, begin, own);
          for (int other = thread % kShare; other < shared.near.n; other += kShare)
            if (other != own) add_pair(e, shared.near.at(edges, terms, begin, other), angular, sums);
        }
        for (int g = 0; g < kGradients; ++g) {
          shared.sums[4 * g][thread] = sums.x[g];
          shared.sums[4 * g + 1][thread] = sums.y[g];
          shared.sums[4 * g + 2][thread] = sums.z[g];
          shared.sums[4 * g + 3][thread] = sums.r[g];
        }
      });
      block.each([&](int thread) {
        const int own = first + thread;
        if (thread < kEdges && own < shared.near.n)
          add_to_edge(shared.near.at(edges, terms, begin, own), edges.near_by_element[begin + own], shared,
                      thread * kShare);
      });
    }
  }

  NNPAL_KERNEL AngularGradients stage(const Block &block, Shared &shared, const T *from) const
  {
    const int n = terms.n_elements * (terms.n_elements + 1) / 2 * terms.n_shifts * terms.n_sections;
    if (n * kGradients > kStagedGradients) return {from, stride, false};
    block.each([&](int thread) {
      for (int g = 0; g < kGradients; ++g)
        for (int k = thread; k < n; k += kThreads) shared.angular[g * n + k] = from[g * stride + k];
    });
    return {shared.angular, n, terms.n_sections % kSections == 0};
  }

  struct Sums {
    N x[kGradients], y[kGradients], z[kGradients], r[kGradients];    // of the unit vector and distance
  };

  NNPAL_KERNEL T *gradient_of(std::int64_t edge, int g) const
  {
    return edge_gradients + 3 * (g * edges.n_edges + edge);
  }

  NNPAL_KERNEL void radial(std::int64_t edge, const T *row) const
  {
    const EdgeNumbers<N> e = numbers_of<N>(edges, edge, terms.radial_cutoff, terms.is_smooth);
    const T *gradient = row + e.element * terms.n_radial;
    N sums[kGradients];
    for (int g = 0; g < kGradients; ++g) sums[g] = N(T(0));
    for (int k = 0; k < terms.n_radial; ++k) {
      const N distance = e.r - terms.radial_shifts[k];
      const N value = gaussian(distance, terms.radial_eta);
      const N slope = e.slope * value + e.f * value * distance * (T(-2) * terms.radial_eta);
      for (int g = 0; g < kGradients; ++g) sums[g] = sums[g] + slope * gradient[g * stride + k];
    }
    for (int g = 0; g < kGradients; ++g) {
      const N of_r = sums[g] * T(0.25);
      T *to = gradient_of(edge, g);
      to[0] = result(of_r * e.x);
      to[1] = result(of_r * e.y);
      to[2] = result(of_r * e.z);
    }
  }

  // Load the factors of several sections, 0 beyond the last one; in one load if aligned.
  NNPAL_KERNEL static void load(const AngularGradients &angular, std::int64_t from, int n, T *factor)
  {
    struct alignas(16) Whole {
      T value[kSections];
    };
    if (angular.is_aligned) {
      const Whole whole = *reinterpret_cast<const Whole *>(angular.first + from);
      for (int q = 0; q < kSections; ++q) factor[q] = whole.value[q];
    } else
      for (int q = 0; q < kSections; ++q) factor[q] = q < n ? angular.first[from + q] : T(0);
  }

  NNPAL_KERNEL void add_pair(const EdgeNumbers<N> &own, const EdgeNumbers<N> &other,
                             const AngularGradients &angular, Sums &sums) const
  {
    const int a = smaller_of(own.element, other.element), b = larger_of(own.element, other.element);
    const int n_sections = terms.n_sections;
    const int of_elements = (a * (2 * terms.n_elements - a + 1) / 2 + b - a) * terms.n_shifts * n_sections;
    const N cosine = cosine_between(own, other), sine = square_root(T(1) - cosine * cosine);
    const N cotangent = quotient(cosine, sine), mean = (own.r + other.r) * T(0.5), weight = own.f * other.f;
    N of_cosine[kGradients], of_mean[kGradients], of_weight[kGradients];
    for (int g = 0; g < kGradients; ++g) of_cosine[g] = of_mean[g] = of_weight[g] = N(T(0));
    for (int first = 0; first < n_sections; first += kSections) {
      N angle[kSections], angle_slope[kSections];
      for (int q = 0; q < kSections; ++q) {
        angle[q] = angle_slope[q] = N(T(0));
        if (first + q < n_sections)
          angle[q] = angle_term<true>(terms, cosine, sine, cotangent, first + q, angle_slope[q]);
      }
      for (int k = 0; k < terms.n_shifts; ++k) {
        const N distance = mean - terms.shifts[k];
        const N radial = gaussian(distance, terms.angular_eta);
        const N radial_slope = radial * distance * (T(-2) * terms.angular_eta);
        for (int g = 0; g < kGradients; ++g) {
          T factor[kSections];
          load(angular, g * angular.stride + of_elements + k * n_sections + first, n_sections - first,
               factor);
          N value(T(0)), slope(T(0));
          for (int q = 0; q < kSections; ++q) {
            value = value + angle[q] * factor[q];
            slope = slope + angle_slope[q] * factor[q];
          }
          of_weight[g] = of_weight[g] + value * radial;
          of_mean[g] = of_mean[g] + value * radial_slope;
          of_cosine[g] = of_cosine[g] + slope * radial;
        }
      }
    }
    for (int g = 0; g < kGradients; ++g) {
      const N along = weight * of_cosine[g] * T(0.95);
      sums.x[g] = sums.x[g] + along * other.x;
      sums.y[g] = sums.y[g] + along * other.y;
      sums.z[g] = sums.z[g] + along * other.z;
      sums.r[g] = sums.r[g] + weight * of_mean[g] * T(0.5) + of_weight[g] * other.f * own.slope;
    }
  }

  // ∂E/∂vec = g_r u + (g_u - (g_u·u) u)/r, from the sums of threads `from` and following
  NNPAL_KERNEL void add_to_edge(const EdgeNumbers<N> &e, std::int64_t edge, const Shared &shared,
                                int from) const
  {
    const N inverse = N(T(1)) / e.r;
    for (int g = 0; g < kGradients; ++g) {
      N sum[4];
      for (int k = 0; k < 4; ++k) {
        sum[k] = shared.sums[4 * g + k][from];
        for (int other = 1; other < kShare; ++other) sum[k] = sum[k] + shared.sums[4 * g + k][from + other];
      }
      const N along = sum[3] - (sum[0] * e.x + sum[1] * e.y + sum[2] * e.z) * inverse;
      T *to = gradient_of(edge, g);
      to[0] += result(along * e.x + sum[0] * inverse);
      to[1] += result(along * e.y + sum[1] * inverse);
      to[2] += result(along * e.z + sum[2] * inverse);
    }
  }
};

}    // namespace nnpal::NNPAL_TWIN
