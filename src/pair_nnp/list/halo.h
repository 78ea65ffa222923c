// Ghost atoms that models of several hops need: those within hops cutoffs of a rank's subdomain.
#pragma once

#include <string>
#include <vector>

namespace LAMMPS_NS {
class Comm;
class Domain;
}    // namespace LAMMPS_NS

namespace nnpal {

// Raises LAMMPS's communication cutoff while a pair style needs it.
class RaisedCutoff {
public:
  // Raise it to at least `needed` (distance units). Returns whether it changed. `others`, of sub-styles of
  // pair_style hybrid, may have raised it already: put_back then restores the value before theirs.
  bool raise(LAMMPS_NS::Comm &comm, double needed, const std::vector<const RaisedCutoff *> &others);
  // Restore the previous value, unless it has been set elsewhere since.
  void put_back(LAMMPS_NS::Comm &comm);

private:
  double before_ = 0.0, raised_ = 0.0;    // raised_ 0: not raised
};

// A complaint if communication cannot provide ghosts up to `needed` with any cutoff, or "".
std::string why_no_halo(const LAMMPS_NS::Comm &comm, const LAMMPS_NS::Domain &domain, double needed);

// A complaint if the present ghosts were acquired within less than `needed`, or "". Call it right after
// neighbor lists are built.
std::string missing_halo(const LAMMPS_NS::Comm &comm, const LAMMPS_NS::Domain &domain, double needed);

}    // namespace nnpal
