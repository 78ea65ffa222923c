// A graph and the terms of its AEVs in a GPU's memory, as aev_cuda.h wants them.
#pragma once

#include "aev/aev.h"
#include "aev/aev_cuda.h"

namespace nnpal {

#ifdef NNPAL_CUDA
namespace twin = on_cuda;
#else
namespace twin = on_host;    // tests of the kernels without a GPU
#endif

// The stream that torch uses now on a tensor's device.
twin::Stream current_stream(const at::Tensor &on);

// Points into tensors that it holds, and into the graph's.
template <class T> class DeviceGraph {
public:
  // Throws c10::ValueError for what is beyond the kernels' limits.
  DeviceGraph(const AEVArguments &arguments, const Graph &graph, const at::Tensor *tangent);
  DeviceGraph(const DeviceGraph &) = delete;
  DeviceGraph &operator=(const DeviceGraph &) = delete;

  AEVTerms<T> terms;
  DeviceEdges<T> edges;
  twin::Stream stream;

private:
  at::Tensor numbers_, start_, counts_, order_, is_unsorted_, near_, near_by_element_;

  void place_terms(const AEVArguments &arguments, const at::Tensor &on);
};

}    // namespace nnpal
