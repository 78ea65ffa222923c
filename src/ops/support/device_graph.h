// A graph and the terms of its AEVs in GPU memory, as arguments of aev_cuda.h.
#pragma once

#include "aev/aev.h"
#include "aev/aev_cuda.h"

namespace nnpal {

#ifdef NNPAL_CUDA
namespace twin = on_cuda;
#else
namespace twin = on_host;    // tests of the kernels without a GPU
#endif

// torch's current stream on a tensor's device.
twin::Stream current_stream(const at::Tensor &on);

// A graph's edges, checked and grouped by center, without memory for those within an angular cutoff. Points
// to tensors that it holds, and to the graph's.
template <class T> class GroupedEdges {
public:
  // Throws c10::ValueError beyond the kernels' limits.
  GroupedEdges(std::int64_t n_elements, const Graph &graph, const at::Tensor *tangent);
  GroupedEdges(const GroupedEdges &) = delete;
  GroupedEdges &operator=(const GroupedEdges &) = delete;

  DeviceEdges<T> edges;
  twin::Stream stream;

private:
  at::Tensor start_, counts_, order_, is_unsorted_;
};

template <class T> class DeviceGraph : public GroupedEdges<T> {
public:
  // Throws c10::ValueError beyond the kernels' limits.
  DeviceGraph(const AEVArguments &arguments, const Graph &graph, const at::Tensor *tangent);

  AEVTerms<T> terms;

private:
  at::Tensor numbers_, near_, near_by_element_;

  void place_terms(const AEVArguments &arguments, const at::Tensor &on);
};

}    // namespace nnpal
