#include "model_file/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace nnpal {

double ForceRecipe::error(double uq_force, std::size_t element) const
{
  const double x = relative(uq_force, element);
  return error_at_knee[element] * std::pow(std::min(x, 1.0), exponent[element]) * std::max(1.0, x);
}

double EnergyRecipe::error(double deviation, double largest_relative,
                           const std::vector<double> &composition) const
{
  constexpr double kRounding = 1e-6;
  const double n_atoms = std::accumulate(composition.begin(), composition.end(), 0.0);
  const auto is_determined = [&](const std::vector<double> &direction) {
    return std::abs(std::inner_product(direction.begin(), direction.end(), composition.begin(), 0.0)) <=
           kRounding * n_atoms;
  };
  const bool is_inside = deviation <= n_atoms * largest_per_atom && largest_relative <= largest &&
                         std::all_of(undetermined.begin(), undetermined.end(), is_determined);
  return is_inside ? factor * deviation : std::numeric_limits<double>::infinity();
}

}    // namespace nnpal
