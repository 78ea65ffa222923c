// Atoms in bins with the shape of the cell. Pairs are found in the bins around the center's, which repeat
// along periodic vectors; a bin may be visited several times, as different images.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

struct Vector {
  double x[3];

  double dot(const Vector &other) const { return x[0] * other.x[0] + x[1] * other.x[1] + x[2] * other.x[2]; }
  double length() const;
};

struct Basis {
  Vector along[3], inverse[3];    // along[k]·inverse[l] = 1 where k = l, else 0

  // Nonperiodic vectors become orthogonal to all others. Throws std::invalid_argument if the periodic ones
  // are linearly dependent.
  Basis(const double (&cell)[3][3], const bool (&is_periodic)[3]);
};

struct Bins {
  bool is_periodic[3];
  double low[3], width[3];    // in coordinates along the basis
  std::int64_t n[3], reach[3];
  std::vector<std::int64_t> start, atoms, of_atom;    // of_atom [n_atoms * 3]
  std::vector<std::int64_t> image;                    // [n_atoms * 3] cell that contains the atom

  std::int64_t index(const std::int64_t (&b)[3]) const { return (b[0] * n[1] + b[1]) * n[2] + b[2]; }

  // Call act(j, shift) for the atoms, including i, of every bin that may contain some within the cutoff of
  // atom i; shift [3] is the number of cells between the bins.
  template <class Act> void for_each_near(std::int64_t i, const Act &act) const
  {
    const std::int64_t *own = of_atom.data() + 3 * i;
    std::int64_t step[3], b[3], shift[3];
    const auto enter = [&](int k) {    // whether there is a bin k steps from the center's
      const std::int64_t to = own[k] + step[k];
      shift[k] = to >= 0 ? to / n[k] : -((n[k] - 1 - to) / n[k]);
      b[k] = to - shift[k] * n[k];
      return is_periodic[k] || shift[k] == 0;
    };
    for (step[0] = -reach[0]; step[0] <= reach[0]; ++step[0]) {
      if (!enter(0)) continue;
      for (step[1] = -reach[1]; step[1] <= reach[1]; ++step[1]) {
        if (!enter(1)) continue;
        for (step[2] = -reach[2]; step[2] <= reach[2]; ++step[2]) {
          if (!enter(2)) continue;
          const std::int64_t bin = index(b);
          for (std::int64_t at = start[bin]; at < start[bin + 1]; ++at) act(atoms[at], shift);
        }
      }
    }
  }
};

// Bins of atoms at `positions` [n_atoms * 3], which may be outside the cell.
Bins fill_bins(const double *positions, std::int64_t n_atoms, const Basis &basis,
               const bool (&is_periodic)[3], double cutoff);

}    // namespace nnpal
