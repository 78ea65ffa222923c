// Agree over the ranks of one LAMMPS whether a Python call failed, without ever hanging.
#pragma once

#include <mpi.h>
#include <string>

namespace nnpal {

enum class Verdict { kAllWell, kAgreed, kOthersStuck };

// Every rank calls with its complaint ("" if all is well). kAgreed: `complaint` now holds that of the lowest
// failing rank, on every rank. kOthersStuck (on a failing rank alone): some rank did not come within
// `patience` seconds, as it waits in a collective call of the hook for this one; only MPI_Abort frees it.
Verdict agree(std::string &complaint, MPI_Comm ranks, double patience);

}    // namespace nnpal
