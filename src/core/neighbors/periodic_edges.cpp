#include "neighbors/periodic_edges.h"

#include "neighbors/bins.h"

namespace nnpal {

PeriodicEdges find_periodic_edges(const double *positions, std::int64_t n_atoms, const double (&cell)[3][3],
                                  const bool (&is_periodic)[3], double cutoff)
{
  const Basis basis(cell, is_periodic);
  const Bins bins = fill_bins(positions, n_atoms, basis, is_periodic, cutoff);
  PeriodicEdges edges;
  for (std::int64_t i = 0; i < n_atoms; ++i)
    bins.for_each_near(i, [&](std::int64_t j, const std::int64_t (&shift)[3]) {
      double vec[3], squared = 0.0;
      bool is_self = i == j;
      for (int c = 0; c < 3; ++c) vec[c] = positions[3 * j + c] - positions[3 * i + c];
      for (int k = 0; k < 3; ++k) {
        const std::int64_t m = shift[k] - bins.image[3 * j + k] + bins.image[3 * i + k];
        is_self = is_self && m == 0;
        if (m == 0) continue;
        for (int c = 0; c < 3; ++c) vec[c] += static_cast<double>(m) * basis.along[k].x[c];
      }
      for (const double one : vec) squared += one * one;
      if (is_self || squared >= cutoff * cutoff) return;
      edges.center.push_back(i);
      edges.neighbor.push_back(j);
      edges.vec.insert(edges.vec.end(), vec, vec + 3);
    });
  return edges;
}

}    // namespace nnpal
