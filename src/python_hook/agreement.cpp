#include "agreement.h"

#include "collective.h"

#include <chrono>
#include <climits>
#include <thread>

namespace nnpal {

Verdict agree(std::string &complaint, MPI_Comm ranks, double patience)
{
  int n_ranks, rank;
  MPI_Comm_size(ranks, &n_ranks);
  if (n_ranks == 1) return complaint.empty() ? Verdict::kAllWell : Verdict::kAgreed;

  MPI_Comm_rank(ranks, &rank);
  int mine = complaint.empty() ? INT_MAX : rank, first = INT_MAX;
  MPI_Request request;
  MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, ranks, &request);
  if (complaint.empty()) {
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  } else {
    using clock = std::chrono::steady_clock;
    const auto deadline = clock::now() + std::chrono::duration<double>(patience);
    int all_came = 0;
    while (!all_came) {
      MPI_Test(&request, &all_came, MPI_STATUS_IGNORE);
      if (all_came) break;
      if (clock::now() > deadline) return Verdict::kOthersStuck;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  if (first == INT_MAX) return Verdict::kAllWell;
  complaint = agree_on_complaint(complaint, ranks);
  return Verdict::kAgreed;
}

}    // namespace nnpal
