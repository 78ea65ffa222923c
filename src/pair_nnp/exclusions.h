// Atoms and pairs that `neigh_modify exclude` and `include`, `comm_modify group`, and LAMMPS's Monte Carlo
// fixes remove from the neighbor list.
//
// An atom that is excluded from all others is absent: it contributes nothing, as if it were deleted. Fix gcmc
// and similar fixes make trial deletions in this way. Any other exclusion removes neighbors from an
// environment that a many-body potential needs complete.
#pragma once

#include <mpi.h>
#include <string>
#include <vector>

namespace LAMMPS_NS {
class Atom;
class Comm;
class Group;
class Neighbor;
}    // namespace LAMMPS_NS

namespace nnpal {

class AbsentAtoms {
public:
  AbsentAtoms() = default;
  // `element_of_type` is negative for types that the model does not have.
  AbsentAtoms(const LAMMPS_NS::Neighbor &neighbor, const LAMMPS_NS::Group &group, const int *element_of_type,
              int n_types);

  bool possible() const { return bits_ != 0 || !types_.empty(); }
  bool contain(int mask, int type) const
  {
    return (mask & bits_) != 0 || (!types_.empty() && types_[static_cast<std::size_t>(type)]);
  }

private:
  int bits_ = 0;               // of groups that are excluded from group `all`
  std::vector<bool> types_;    // [n_types + 1] or empty; excluded from each type of the model
};

// Whether anything is removed from the neighbor list: "", "neigh_modify exclude" or "... include".
std::string left_out_of_list(const LAMMPS_NS::Neighbor &neighbor);

// The group to which `comm_modify group` restricts ghost atoms, or 0 (all).
int border_group(const LAMMPS_NS::Comm &comm);

// The command that removes some but not all neighbors of the model's atoms, or "". Collective: exclusions are
// the same on all ranks, and the affected atoms are counted over `world`.
std::string partial_exclusion(const LAMMPS_NS::Neighbor &neighbor, const LAMMPS_NS::Comm &comm,
                              const LAMMPS_NS::Atom &atom, const LAMMPS_NS::Group &group,
                              const AbsentAtoms &absent, const int *element_of_type, MPI_Comm world);

}    // namespace nnpal
