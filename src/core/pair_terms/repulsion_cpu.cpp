// The device-independent kernel as a loop, which threads share.
#include "pair_terms/repulsion_cpu.h"

#include "pair_terms/repulsion_kernels.h"

#include <algorithm>
#include <vector>

namespace nnpal {
namespace {

constexpr std::int64_t kEdgesPerThread = 4096;    // fewer are not worth another thread

}    // namespace

EdgeCutoff edge_cutoff(const RepulsionArguments &arguments)
{
  return arguments.cutoff_function == "smooth"   ? EdgeCutoff::kSmooth
         : arguments.cutoff_function == "cosine" ? EdgeCutoff::kCosine
                                                 : EdgeCutoff::kNone;
}

template <class T>
RepulsionEdges<T> repulsion_edges(const RepulsionArguments &arguments, const GraphPointers &graph,
                                  const T *edge_vec, const T *parameters, T *of_edges, T *gradients)
{
  return {0,
          graph.n_local,
          graph.n_atoms,
          static_cast<int>(arguments.n_elements),
          edge_cutoff(arguments),
          static_cast<T>(arguments.cutoff),
          static_cast<T>(arguments.energy_scale),
          static_cast<T>(arguments.length_scale),
          parameters,
          edge_vec,
          graph.center,
          graph.neighbor,
          graph.species,
          of_edges,
          gradients};
}

template <class T>
void evaluate_repulsion(const RepulsionEdges<T> &edges, std::int64_t n_edges, T *energies,
                        const ParallelFor &in_parallel)
{
  static thread_local std::vector<double> sums;
  in_parallel(n_edges, kEdgesPerThread, [&](std::int64_t first, std::int64_t last) {
    auto own = edges;
    own.first = first;
    on_host::launch_items(on_host::EdgeRepulsion<T>(own), last - first, nullptr);
  });
  sums.assign(edges.n_local + 1, 0.0);    // the last one for padding edges
  for (std::int64_t edge = 0; edge < n_edges; ++edge)
    sums[edges.center[edge]] += static_cast<double>(edges.energies[edge]);
  std::copy_n(sums.begin(), edges.n_local, energies);
}

template RepulsionEdges<float> repulsion_edges(const RepulsionArguments &, const GraphPointers &,
                                               const float *, const float *, float *, float *);
template RepulsionEdges<double> repulsion_edges(const RepulsionArguments &, const GraphPointers &,
                                                const double *, const double *, double *, double *);
template void evaluate_repulsion(const RepulsionEdges<float> &, std::int64_t, float *, const ParallelFor &);
template void evaluate_repulsion(const RepulsionEdges<double> &, std::int64_t, double *, const ParallelFor &);

}    // namespace nnpal
