// Energies of centers from those of edges, on a GPU.
#pragma once

#include "aev/aev_cuda.h"
#include "support/portable_kernel.h"

namespace nnpal::NNPAL_TWIN {

// Each center's sum in the order of its edges, so that it does not depend on the order of threads.
template <class T> struct SumOfCenter : Always {
  DeviceEdges<T> edges;
  const T *of_edges;
  T *energies;

  SumOfCenter(const DeviceEdges<T> &sorted, const T *from, T *to) :
      edges(sorted),
      of_edges(from),
      energies(to)
  {
  }

  NNPAL_KERNEL void operator()(std::int64_t center) const
  {
    double sum = 0.0;
    for (std::int64_t k = edges.start[center]; k < edges.start[center + 1]; ++k)
      sum += static_cast<double>(of_edges[*edges.is_unsorted ? edges.order[k] : k]);
    energies[center] = static_cast<T>(sum);
  }
};

}    // namespace nnpal::NNPAL_TWIN
