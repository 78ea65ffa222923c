// Small collective operations over the ranks of one LAMMPS world.
#pragma once

#include <mpi.h>
#include <string>

namespace nnpal {

// Return, on every rank, the complaint of the lowest rank that has one, or "". Every rank must call.
std::string agree_on_complaint(const std::string &complaint, MPI_Comm world);

// Read a file on rank 0 and broadcast its bytes. Returns false on every rank if it cannot be read, with the
// system's reason in `bytes`.
bool read_file_everywhere(const std::string &path, std::string &bytes, MPI_Comm world);

// Return the text of rank 0 on every rank.
std::string broadcast(std::string text, MPI_Comm world);

// Index of this rank among the ranks of its node.
int rank_on_node(MPI_Comm world);

}    // namespace nnpal
