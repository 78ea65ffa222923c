#include "calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nnpal {

double ForceRecipe::error(double uq_force, std::size_t element) const
{
  const double x = relative(uq_force, element);
  return error_at_knee[element] * std::pow(std::min(x, 1.0), exponent[element]) * std::max(1.0, x);
}

double EnergyRecipe::error(double deviation, double n_atoms, double largest_relative) const
{
  const bool is_inside = deviation <= n_atoms * largest_per_atom && largest_relative <= largest;
  return is_inside ? factor * deviation : std::numeric_limits<double>::infinity();
}

}    // namespace nnpal
