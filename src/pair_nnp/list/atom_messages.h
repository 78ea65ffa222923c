// Messages about atoms.
#pragma once

#include <string>

namespace LAMMPS_NS {
class Atom;
}

namespace nnpal {

constexpr double kTooClose = 0.1;    // Å; closer than any two nuclei in a training set

// A complaint if atoms i and j, `distance` (Å) apart, are almost on top of each other, or "".
std::string too_close(const LAMMPS_NS::Atom &atom, int i, int j, double distance);

// A complaint that names the first of `n` atoms whose position is NaN or infinite, or "".
std::string non_finite_position(const LAMMPS_NS::Atom &atom, int n);

// "atom 17", by its tag, for messages.
std::string name_of(const LAMMPS_NS::Atom &atom, int i);

}    // namespace nnpal
