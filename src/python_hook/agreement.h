// Agree among the ranks of one LAMMPS whether a Python call failed, without ever hanging.
#pragma once

#include <functional>
#include <mpi.h>
#include <string>
#include <vector>

namespace nnpal {

enum class Verdict { kAllWell, kAgreed, kOthersStuck };

// Every rank calls with its complaint ("" if none). kAgreed: `complaint` is now that of the lowest failing
// rank, on every rank. kOthersStuck (only on a failing rank): some rank did not arrive within `patience`
// seconds, because it waits for this one in a collective call of the hook; only MPI_Abort ends it.
//
// `values` (the same number on every rank) must be equal on all ranks up to rounding; otherwise this is a
// complaint, if no rank has another (`name_of` names a value by index). After kAllWell they are bitwise
// equal: ranks that decide on a move with different bits of an energy would diverge.
Verdict agree(std::string &complaint, std::vector<double> &values,
              const std::function<std::string(std::size_t)> &name_of, MPI_Comm ranks, double patience);

}    // namespace nnpal
