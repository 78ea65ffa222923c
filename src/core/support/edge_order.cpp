#include "support/edge_order.h"

#include "support/expect.h"

namespace nnpal {

void EdgeOrder::sort(const GraphPointers &graph, int n_elements)
{
  const std::int64_t n_local = graph.n_local, n_edges = graph.n_edges, n_atoms = graph.n_atoms;
  const std::int64_t *element = graph.species, *center = graph.center, *neighbor = graph.neighbor;
  start.assign(n_local * n_elements + 1, 0);
  order.resize(n_edges);
  for (std::int64_t i = 0; i < n_atoms; ++i)
    expect(element[i] >= 0 && element[i] < n_elements, "species[", i, "] is ", element[i], ", expected 0 to ",
           n_elements - 1, ", the elements of the model");
  for (std::int64_t e = 0; e < n_edges; ++e) {
    if (center[e] == n_local && neighbor[e] == -1) continue;    // padding
    expect(center[e] >= 0 && center[e] < n_local, "edge_index[0, ", e, "] is ", center[e],
           ", expected a center from 0 to ", n_local - 1);
    expect(neighbor[e] >= 0 && neighbor[e] < n_atoms, "edge_index[1, ", e, "] is ", neighbor[e],
           ", expected an atom from 0 to ", n_atoms - 1);
    ++start[center[e] * n_elements + element[neighbor[e]] + 1];
  }
  for (std::size_t group = 1; group < start.size(); ++group) start[group] += start[group - 1];
  // Filling a group advances its start to its end, which is the next group's start.
  for (std::int64_t e = 0; e < n_edges; ++e)
    if (center[e] < n_local) order[start[center[e] * n_elements + element[neighbor[e]]]++] = e;
  for (std::size_t group = start.size() - 1; group > 0; --group) start[group] = start[group - 1];
  start[0] = 0;
}

}    // namespace nnpal
