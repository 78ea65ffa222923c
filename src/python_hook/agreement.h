// Agree over the ranks of one LAMMPS whether a Python call failed, without ever hanging.
#pragma once

#include <functional>
#include <mpi.h>
#include <string>
#include <vector>

namespace nnpal {

enum class Verdict { kAllWell, kAgreed, kOthersStuck };

// Every rank calls with its complaint ("" if all is well). kAgreed: `complaint` now holds that of the lowest
// failing rank, on every rank. kOthersStuck (on a failing rank alone): some rank did not come within
// `patience` seconds, as it waits in a collective call of the hook for this one; only MPI_Abort frees it.
//
// `values` (as many on every rank) must be the same on all ranks but for rounding; where no rank has a
// complaint and they are not, that is one (`name_of` names the place of a value). With kAllWell they are the
// same to the last bit: ranks that accept a move by other bits of an energy would part for good.
Verdict agree(std::string &complaint, std::vector<double> &values,
              const std::function<std::string(std::size_t)> &name_of, MPI_Comm ranks, double patience);

}    // namespace nnpal
