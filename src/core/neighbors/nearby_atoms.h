// Neighbors of given atoms, for programs without a neighbor list.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Search with bins, without periodicity: images are atoms, too. Memory is reused by the next search.
class NearbyAtoms {
public:
  // Find the atoms at `positions` [n_atoms * 3] that are closer than `cutoff` to each of the first n_centers.
  void find(const double *positions, std::int64_t n_centers, std::int64_t n_atoms, double cutoff);

  const int *number() const { return number_.data(); }             // [n_centers]
  const int *const *of_center() const { return first_.data(); }    // [n_centers] the first of each

private:
  std::vector<int> number_, atoms_;
  std::vector<const int *> first_;
};

}    // namespace nnpal
