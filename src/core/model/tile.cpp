#include "model/tile.h"

#include <algorithm>
#include <cmath>

namespace nnpal {

int first_non_finite_atom(const Tile &tile, const TileResult &result)
{
  const auto is_wrong = [](double value) { return !std::isfinite(value); };
  const auto energy = std::find_if(result.energies.begin(), result.energies.end(), is_wrong);
  if (energy != result.energies.end())
    return static_cast<int>((energy - result.energies.begin()) % tile.n_centers);
  const auto gradient = std::find_if(result.gradient.begin(), result.gradient.end(), is_wrong);
  if (gradient != result.gradient.end())
    return static_cast<int>(tile.center[(gradient - result.gradient.begin()) / 3]);
  return -1;
}

void Tile::clear()
{
  n_centers = 0;
  species.clear();
  center.clear();
  neighbor.clear();
  edge_vec.clear();
}

}    // namespace nnpal
