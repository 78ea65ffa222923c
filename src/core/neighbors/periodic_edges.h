// Edges between atoms and their periodic images, for programs without a neighbor list.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Both directions of each pair, sorted by center: vec = r_neighbor + shift of its image - r_center.
struct PeriodicEdges {
  std::vector<std::int64_t> center, neighbor;    // [n_edges]
  std::vector<double> vec;                       // [n_edges * 3] Å
};

// All pairs closer than `cutoff` (Å) of atoms at `positions` [n_atoms * 3], which may be outside the cell.
// `cell`: rows are its vectors, of which the periodic ones span a volume, an area or a line; it may be
// smaller than the cutoff. All values must be finite. Throws std::invalid_argument if the periodic vectors
// are linearly dependent.
PeriodicEdges find_periodic_edges(const double *positions, std::int64_t n_atoms, const double (&cell)[3][3],
                                  const bool (&is_periodic)[3], double cutoff);

}    // namespace nnpal
