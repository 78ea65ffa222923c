// Crystalline order from reciprocal vectors:
//
//   O = 1/(N_g N) sum_g |S_g|^2,   S_g = sum_i exp(2 pi i n_g . s_i)
//
// s_i: fractional coordinates, n_g: integer multiples of the box's reciprocal vectors, N_g and N their number
// and the atoms'. A perfect crystal whose shortest reciprocal vectors are the n_g has O = N |F|^2 (F:
// structure factor per atom), a liquid O ~ 1. Y. Yoshimoto, J. Chem. Phys. 125, 184103 (2006),
// doi:10.1063/1.2363987.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace nnpal {

class OrderParameter {
public:
  using IntVector = std::array<int, 3>;

  // vectors: all n_g; of each pair n, -n only one is computed, because |S| is the same. n_atoms: N of all
  // ranks.
  OrderParameter(const std::vector<IntVector> &vectors, long long n_atoms);

  std::size_t n_sums() const { return 2 * pairs_.size(); }

  // This rank's share of the sums, [n_sums]: real and imaginary part of each S_g.
  // x: [n_local, 3]; mask: [n_local] group bits, atoms with groupbit count; box: [3, 3] rows a, b, c.
  void add_atoms(const double *x, const int *mask, int groupbit, int n_local, const double *box);
  double *sums() { return sums_.data(); }

  // O of the sums, which the caller has summed over ranks.
  double value() const;

  // f += factor dO/dr for the atoms of the latest add_atoms; f: [n_local, 3].
  void add_gradient(double factor, double *f) const;

private:
  struct Pair {
    IntVector n;
    int weight;                  // number of given vectors: 2 if both n and -n are given
    std::array<int, 3> power;    // index of |n_d| in the table of dimension d, -1 for 0
  };
  // Atoms are processed in blocks, with each quantity as an array over the block's atoms.
  static constexpr int kBlock = 64;
  struct Block {
    double cosine[kBlock], sine[kBlock];
  };
  void add_block(const double *x, int first, int n);
  void add_gradient_of_block(double factor, int first, int n, double *f) const;

  std::vector<Pair> pairs_;
  std::array<std::vector<int>, 3> powers_;    // the distinct |n_d| > 0
  double norm_;                               // 1 / (N_g N)
  double inverse_box_[9] = {};
  std::array<std::vector<Block>, 3> table_;    // exp(2 pi i |n_d| s_d) of the current block
  std::vector<int> atoms_;                     // local indices in the group
  std::vector<double> phase_;                  // for each block [n_pairs, 2, n_atoms of the block] cos, sin
  std::vector<double> sums_;                   // [n_pairs, 2]
};

}    // namespace nnpal
