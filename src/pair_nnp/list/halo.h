// The ghost atoms that messages over several hops need: those within hops cutoffs of a rank's subdomain.
#pragma once

#include <string>
#include <vector>

namespace LAMMPS_NS {
class Comm;
class Domain;
}    // namespace LAMMPS_NS

namespace nnpal {

// LAMMPS's communication cutoff, raised as long as a pair style needs it.
class RaisedCutoff {
public:
  // To at least `needed` (distance units). Returns whether that changed anything. `others`, of sub-styles of
  // pair_style hybrid, may have raised it already: what is put back is then what was there before theirs.
  bool raise(LAMMPS_NS::Comm &comm, double needed, const std::vector<const RaisedCutoff *> &others);
  // To what it was before, unless somebody has set it since.
  void put_back(LAMMPS_NS::Comm &comm);

private:
  double before_ = 0.0, raised_ = 0.0;    // raised_ 0: not raised
};

// A complaint where communication cannot provide ghosts out to `needed`, whatever its cutoff, or "".
std::string why_no_halo(const LAMMPS_NS::Comm &comm, const LAMMPS_NS::Domain &domain, double needed);

// A complaint where the ghosts at hand were acquired within less than `needed`, or "". To be asked when
// neighbor lists have just been built.
std::string missing_halo(const LAMMPS_NS::Comm &comm, const LAMMPS_NS::Domain &domain, double needed);

}    // namespace nnpal
