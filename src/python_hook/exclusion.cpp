#include "exclusion.h"

#include "atom.h"
#include "group.h"
#include "neighbor.h"

namespace nnpal {
namespace {

constexpr int kGroupAll = 0;    // LAMMPS's index of it

}    // namespace

bool Exclusion::any() const
{
  for (int pair = 0; pair < neighbor->nex_group; pair++)
    if (neighbor->ex1_group[pair] == kGroupAll || neighbor->ex2_group[pair] == kGroupAll) return true;
  return false;
}

bool Exclusion::holds(int i) const
{
  const int mask = atom->mask[i];
  for (int pair = 0; pair < neighbor->nex_group; pair++) {
    const int first = neighbor->ex1_group[pair], second = neighbor->ex2_group[pair];
    if (second == kGroupAll && (mask & group->bitmask[first])) return true;
    if (first == kGroupAll && (mask & group->bitmask[second])) return true;
  }
  return false;
}

}    // namespace nnpal
