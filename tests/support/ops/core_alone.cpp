// Evaluates an ensemble for random atoms by the core alone and writes energies and gradients, which
// test_aarch64.py compares between processors.
#include "ensemble/ensemble_cpu.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

// Pseudorandom numbers from 0 to 1, equal on all processors.
class Random {
public:
  double operator()()
  {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) / 9007199254740992.0;
  }

private:
  std::uint64_t state_ = 1;
};

const nnpal::EnsembleArguments kArguments{{2,
                                           {5.1, 19.7},
                                           {0.9, 1.5, 2.1, 2.7, 3.3},
                                           {3.5, 12.5, 14.1},
                                           {0.8, 1.5, 2.2},
                                           {0.4, 1.2, 2.0},
                                           "cosine"},
                                          {{33, 18, 1}, {20, 1}},
                                          2,
                                          nnpal::Activation::kGELU,
                                          0.1,
                                          27.2};

template <class T> void evaluate(int n_atoms)
{
  Random random;
  std::vector<std::array<double, 3>> x(n_atoms);
  std::vector<std::int64_t> species(n_atoms), center, neighbor;
  std::vector<T> vec, weights(kArguments.n_weights());
  for (int i = 0; i < n_atoms; ++i) {
    for (double &one : x[i]) one = 2.0 * random();
    x[i][2] += 1.0 * i;
    species[i] = random() < 0.5;
  }
  for (int i = 0; i < n_atoms; ++i)
    for (int j = 0; j < n_atoms; ++j) {
      const double d[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      if (i == j || d[0] * d[0] + d[1] * d[1] + d[2] * d[2] > 5.1 * 5.1) continue;
      center.push_back(i);
      neighbor.push_back(j);
      for (const double one : d) vec.push_back(static_cast<T>(one));
    }
  for (T &weight : weights) weight = static_cast<T>(0.4 * random() - 0.2);
  const auto n_edges = static_cast<std::int64_t>(center.size());
  const std::vector<T> coefficients(2, T(0.5));
  std::vector<T> energies(2 * n_atoms), gradients(3 * n_edges);
  nnpal::evaluate_ensemble<T>(
      nnpal::EnsembleCall<T>{kArguments,
                             {n_atoms, n_atoms, n_edges, species.data(), center.data(), neighbor.data()},
                             vec.data(),
                             weights.data(),
                             2,
                             1,
                             coefficients.data(),
                             {2, 1, 0},
                             energies.data(),
                             gradients.data()},
      [](std::int64_t n, std::int64_t, const nnpal::RangeAction &act) { act(0, n); });
  for (const T one : energies) std::printf("%.17g\n", static_cast<double>(one));
  for (const T one : gradients) std::printf("%.17g\n", static_cast<double>(one));
}

}    // namespace

int main()
{
  for (const int n_atoms : {3, 40}) evaluate<float>(n_atoms);
  for (const int n_atoms : {3, 40}) evaluate<double>(n_atoms);
}
