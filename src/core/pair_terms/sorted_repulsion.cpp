#include "pair_terms/sorted_repulsion.h"

#include "pair_terms/repulsion_cpu.h"
#include "pair_terms/repulsion_kernels.h"
#include "support/denormals.h"

#include <cmath>

namespace nnpal {
namespace {

constexpr std::int64_t kCentersPerThread = 64;    // fewer are not worth another thread

template <class T>
void add_to_center(const SortedRepulsion<T> &of, const on_host::PairRepulsion<T> &repulsion,
                   std::int64_t center)
{
  const std::int64_t n_elements = of.arguments.n_elements, n_edges = of.edges.n_edges;
  const std::int64_t *const start = of.edges.start + center * n_elements;
  const T *const x = of.edges.vec, *const y = x + n_edges, *const z = y + n_edges;
  double sum = 0.0;
  for (std::int64_t element = 0; element < n_elements; ++element) {
    const std::int64_t pair = of.elements[center] * n_elements + element;
    for (std::int64_t e = start[element]; e < start[element + 1]; ++e) {
      T energy, slope_by_r;
      repulsion(pair, std::sqrt(x[e] * x[e] + y[e] * y[e] + z[e] * z[e]), energy, slope_by_r);
      sum += static_cast<double>(energy);
      for (std::int64_t g = 0; g < of.n_gradients; ++g) {
        T *const gradient = of.gradients + 3 * g * n_edges + e;
        gradient[0] += slope_by_r * x[e];
        gradient[n_edges] += slope_by_r * y[e];
        gradient[2 * n_edges] += slope_by_r * z[e];
      }
    }
  }
  for (std::int64_t m = 0; m < of.n_members; ++m)
    of.energies[m * of.n_centers + center] += static_cast<T>(sum);
}

}    // namespace

template <class T> void add_repulsion(const SortedRepulsion<T> &of, const ParallelFor &in_parallel)
{
  const RepulsionArguments &arguments = of.arguments;
  const on_host::PairRepulsion<T> repulsion{edge_cutoff(arguments),
                                            static_cast<T>(arguments.cutoff),
                                            static_cast<T>(arguments.energy_scale),
                                            static_cast<T>(arguments.length_scale),
                                            arguments.n_elements * arguments.n_elements,
                                            of.parameters};
  in_parallel(of.n_centers, kCentersPerThread, [&](std::int64_t first, std::int64_t last) {
    const FlushDenormals flushed;
    for (std::int64_t center = first; center < last; ++center) add_to_center(of, repulsion, center);
  });
}

template void add_repulsion(const SortedRepulsion<float> &, const ParallelFor &);
template void add_repulsion(const SortedRepulsion<double> &, const ParallelFor &);

}    // namespace nnpal
