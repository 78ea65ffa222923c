#include "exclusions.h"

#include "atom.h"
#include "comm.h"
#include "fmt/format.h"
#include "group.h"
#include "neighbor.h"

#include <functional>

namespace nnpal {

using LAMMPS_NS::Atom;
using LAMMPS_NS::Comm;
using LAMMPS_NS::Group;
using LAMMPS_NS::Neighbor;

namespace {

// Group creates `all` first. Neighbor builds its arrays of bits in an init() that runs after the pair
// style's.
constexpr int kGroupAll = 0;

// Gives access to protected members of Comm.
struct BorderGroup : Comm {
  static int of(const Comm &comm) { return comm.*(&BorderGroup::bordergroup); }
};

bool are_excluded(const Neighbor &neighbor, int a, int b)
{
  for (int m = 0; m < neighbor.nex_type; ++m) {
    const int first = neighbor.ex1_type[m], second = neighbor.ex2_type[m];
    if ((first == a && second == b) || (first == b && second == a)) return true;
  }
  return false;
}

}    // namespace

AbsentAtoms::AbsentAtoms(const Neighbor &neighbor, const Group &group, const int *element_of_type,
                         int n_types)
{
  // In a trial deletion an atom keeps only the bit of the fix's group and loses that of `all`, so the atoms
  // of a deleted molecule are still neighbors of each other in the list.
  for (int m = 0; m < neighbor.nex_group; ++m) {
    if (neighbor.ex1_group[m] == kGroupAll) bits_ |= group.bitmask[neighbor.ex2_group[m]];
    if (neighbor.ex2_group[m] == kGroupAll) bits_ |= group.bitmask[neighbor.ex1_group[m]];
  }
  for (int a = 1; a <= n_types && neighbor.nex_type > 0; ++a) {
    bool is_absent = element_of_type[a] >= 0;
    for (int b = 1; b <= n_types && is_absent; ++b)
      is_absent = element_of_type[b] < 0 || are_excluded(neighbor, a, b);
    if (!is_absent) continue;
    types_.resize(static_cast<std::size_t>(n_types) + 1, false);
    types_[static_cast<std::size_t>(a)] = true;
  }
}

std::string left_out_of_list(const Neighbor &neighbor)
{
  if (neighbor.nex_type > 0 || neighbor.nex_group > 0 || neighbor.nex_mol > 0) return "neigh_modify exclude";
  return neighbor.includegroup > 0 ? "neigh_modify include" : "";
}

int border_group(const Comm &comm)
{
  return BorderGroup::of(comm);
}

std::string partial_exclusion(const Neighbor &neighbor, const Comm &comm, const Atom &atom,
                              const Group &group, const AbsentAtoms &absent, const int *element_of_type,
                              MPI_Comm world)
{
  const auto is_ours = [&](int type) { return element_of_type[type] >= 0 && !absent.contain(0, type); };
  for (int m = 0; m < neighbor.nex_type; ++m) {
    const int a = neighbor.ex1_type[m], b = neighbor.ex2_type[m];
    if (is_ours(a) && is_ours(b)) return fmt::format("neigh_modify exclude type {} {}", a, b);
  }

  // Whether `takes` holds for any of the model's atoms that are present
  const auto any = [&](const std::function<bool(int)> &takes) {
    int found = 0, world_found = 0;
    for (int i = 0; i < atom.nlocal && !found; ++i)
      found = element_of_type[atom.type[i]] >= 0 && !absent.contain(atom.mask[i], atom.type[i]) &&
              takes(atom.mask[i]);
    MPI_Allreduce(&found, &world_found, 1, MPI_INT, MPI_MAX, world);
    return world_found != 0;
  };
  for (int m = 0; m < neighbor.nex_group; ++m) {
    const int first = neighbor.ex1_group[m], second = neighbor.ex2_group[m];
    if (first == kGroupAll || second == kGroupAll) continue;
    if (any([&](int mask) { return (mask & group.bitmask[first]) != 0; }) &&
        any([&](int mask) { return (mask & group.bitmask[second]) != 0; }))
      return fmt::format("neigh_modify exclude group {} {}", group.names[first], group.names[second]);
  }
  for (int m = 0; m < neighbor.nex_mol; ++m)
    if (any([&](int mask) { return (mask & group.bitmask[neighbor.ex_mol_group[m]]) != 0; }))
      return fmt::format("neigh_modify exclude molecule/{} {}", neighbor.ex_mol_intra[m] ? "intra" : "inter",
                         group.names[neighbor.ex_mol_group[m]]);
  const auto any_outside = [&](int igroup) {
    return igroup > 0 && any([&](int mask) { return (mask & group.bitmask[igroup]) == 0; });
  };
  if (any_outside(neighbor.includegroup))
    return fmt::format("neigh_modify include {}", group.names[neighbor.includegroup]);
  // Atoms outside that group do not become ghosts
  if (any_outside(border_group(comm)))
    return fmt::format("comm_modify group {}", group.names[border_group(comm)]);
  return "";
}

}    // namespace nnpal
