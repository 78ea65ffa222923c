#include "support/edge_order.h"

namespace nnpal {

void EdgeOrder::sort(const at::Tensor &species, std::int64_t n_local, const at::Tensor &edge_index,
                     int n_elements)
{
  const std::int64_t n_edges = edge_index.size(1), n_atoms = species.size(0);
  const auto *element = species.const_data_ptr<std::int64_t>();
  const auto *center = edge_index.const_data_ptr<std::int64_t>();
  const std::int64_t *neighbor = center + n_edges;
  start.assign(n_local * n_elements + 1, 0);
  order.resize(n_edges);
  for (std::int64_t i = 0; i < n_atoms; ++i)
    TORCH_CHECK_VALUE(element[i] >= 0 && element[i] < n_elements, "species[", i, "] is ", element[i],
                      ", expected 0 to ", n_elements - 1, ", the elements of the model");
  for (std::int64_t e = 0; e < n_edges; ++e) {
    if (center[e] == n_local && neighbor[e] == -1) continue;    // belongs to nothing
    TORCH_CHECK_VALUE(center[e] >= 0 && center[e] < n_local, "edge_index[0, ", e, "] is ", center[e],
                      ", expected a center from 0 to ", n_local - 1);
    TORCH_CHECK_VALUE(neighbor[e] >= 0 && neighbor[e] < n_atoms, "edge_index[1, ", e, "] is ", neighbor[e],
                      ", expected an atom from 0 to ", n_atoms - 1);
    ++start[center[e] * n_elements + element[neighbor[e]] + 1];
  }
  for (std::size_t group = 1; group < start.size(); ++group) start[group] += start[group - 1];
  // Filling a group moves its start on to its end, which is the next one's start.
  for (std::int64_t e = 0; e < n_edges; ++e)
    if (center[e] < n_local) order[start[center[e] * n_elements + element[neighbor[e]]]++] = e;
  for (std::size_t group = start.size() - 1; group > 0; --group) start[group] = start[group - 1];
  start[0] = 0;
}

}    // namespace nnpal
