#include "list/atom_messages.h"

#include "atom.h"
#include "fmt/format.h"

#include <cmath>

namespace nnpal {

std::string too_close(const LAMMPS_NS::Atom &atom, int i, int j, double distance)
{
  if (distance >= kTooClose) return "";
  return fmt::format(
      "{} and {} are {:.3g} Å apart, closer than {} Å; check the structure, the units or the timestep",
      name_of(atom, i), name_of(atom, j), distance, kTooClose);
}

std::string non_finite_position(const LAMMPS_NS::Atom &atom, int n)
{
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < 3; ++k)
      if (!std::isfinite(atom.x[i][k]))
        return fmt::format("{} has a non-finite coordinate, {} = {}", name_of(atom, i), "xyz"[k],
                           atom.x[i][k]);
  return "";
}

std::string name_of(const LAMMPS_NS::Atom &atom, int i)
{
  return atom.tag_enable ? fmt::format("atom {}", atom.tag[i]) : "an atom without ID";
}

}    // namespace nnpal
