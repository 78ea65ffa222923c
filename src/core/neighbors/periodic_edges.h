// Edges between atoms and their periodic images, for programs that have no neighbor list.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Both directions of each pair, by center: vec = r_neighbor + shift of its image - r_center.
struct PeriodicEdges {
  std::vector<std::int64_t> center, neighbor;    // [n_edges]
  std::vector<double> vec;                       // [n_edges * 3] Å
};

// All pairs closer than `cutoff` (Å) of atoms at `positions` [n_atoms * 3], which need not lie in the cell.
// `cell`: rows are its vectors, of which those that are periodic span a volume, an area or a line; it may be
// shorter than the cutoff. Numbers are finite. Throws std::invalid_argument where periodic vectors span
// nothing.
PeriodicEdges find_periodic_edges(const double *positions, std::int64_t n_atoms, const double (&cell)[3][3],
                                  const bool (&is_periodic)[3], double cutoff);

}    // namespace nnpal
