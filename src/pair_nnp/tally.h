// Adds a model's results, in eV and Å, to LAMMPS's arrays, in its units: for single edges of a neighbor list,
// and for sums over atoms from cells.
#pragma once

#include <cstddef>

namespace nnpal {

// A virial in LAMMPS's orders: xx yy zz xy xz yz, or the same followed by yx zx zy.
struct OrderedVirial {
  double symmetric[6], full[9];

  // Of w = vec (x) force [3 * 3], row by row, in units of `unit`.
  OrderedVirial(const double *w, double unit) :
      symmetric{w[0] * unit,
                w[4] * unit,
                w[8] * unit,
                0.5 * (w[1] + w[3]) * unit,
                0.5 * (w[2] + w[6]) * unit,
                0.5 * (w[5] + w[7]) * unit},
      full{w[0] * unit, w[4] * unit, w[8] * unit, w[1] * unit, w[2] * unit,
           w[5] * unit, w[3] * unit, w[6] * unit, w[7] * unit}
  {
  }
};

// Arrays are null if LAMMPS does not request them.
struct Tally {
  double unit;    // LAMMPS energy unit per eV
  std::size_t n_members;
  double **forces;              // [n_local + n_ghost][3]
  double *energy;               // [1]
  double *atom_energies;        // [n_local]
  double *virial;               // [6]
  double **atom_virials;        // [n_local + n_ghost][6]
  double **centroid_virials;    // [n_local + n_ghost][9]
  double *member_energies;      // [n_members]
  double *member_forces;        // [(n_local + n_ghost) * n_members * 3]
  double *uq_energies;          // [n_local]

  bool wants_virials() const { return virial || atom_virials || centroid_virials; }

  void add_energy(double value) const
  {
    if (energy) *energy += value * unit;
  }
  void add_atom_energy(std::size_t i, double value) const
  {
    if (atom_energies) atom_energies[i] += value * unit;
  }
  void add_member_energy(std::size_t m, double value) const { member_energies[m] += value * unit; }
  void set_uq_energy(std::size_t i, double value) const { uq_energies[i] = value * unit; }

  void add_force(std::size_t i, const double *value) const
  {
    for (int k = 0; k < 3; ++k) forces[i][k] += value[k] * unit;
  }
  void add_member_force(std::size_t i, std::size_t m, const double *value) const
  {
    double *force = member_forces + 3 * (i * n_members + m);
    for (int k = 0; k < 3; ++k) force[k] += value[k] * unit;
  }

  void add_virial(const OrderedVirial &value) const
  {
    for (int k = 0; k < 6 && virial; ++k) virial[k] += value.symmetric[k];
  }
  void add_atom_virial(std::size_t i, const OrderedVirial &value) const
  {
    for (int k = 0; k < 6 && atom_virials; ++k) atom_virials[i][k] += value.symmetric[k];
    for (int k = 0; k < 9 && centroid_virials; ++k) centroid_virials[i][k] += value.full[k];
  }
};

}    // namespace nnpal
