#include "agreement.h"

#include "collective.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

namespace nnpal {
namespace {

constexpr double kRounding = 1e-10;          // of sums in another order; relative, and absolute below 1
constexpr double kNotMeasured = 1.25e300;    // for NaN, whose comparison MPI does not define

double comparable(double value)
{
  return std::isnan(value) ? kNotMeasured : value;
}

bool differ(double low, double high)
{
  if (std::isinf(low) || std::isinf(high)) return low != high;
  return high - low > kRounding * std::max({1.0, std::fabs(low), std::fabs(high)});
}

// Name a rank whose value differs from that of rank 0 (collective).
std::string who_differs(const std::string &name, double value, MPI_Comm ranks)
{
  int n_ranks;
  MPI_Comm_size(ranks, &n_ranks);
  std::vector<double> all(n_ranks);
  MPI_Allgather(&value, 1, MPI_DOUBLE, all.data(), 1, MPI_DOUBLE, ranks);
  for (int rank = 1; rank < n_ranks; rank++) {
    const double first = comparable(all[0]), other = comparable(all[rank]);
    if (!differ(std::min(first, other), std::max(first, other))) continue;
    char text[256];
    std::snprintf(
        text, sizeof(text),
        "%s is %.17g on rank 0 and %.17g on rank %d; it must be the same on every rank: sum over ranks by "
        "context.comm.allreduce",
        name.c_str(), all[0], all[rank], rank);
    return text;
  }
  return name + " differs by rank; it must be the same on every rank";
}

// Wait at most `patience` seconds for a reduction. Returns whether it completed.
bool ends_within(MPI_Request &request, double patience)
{
  using clock = std::chrono::steady_clock;
  const auto deadline = clock::now() + std::chrono::duration<double>(patience);
  int is_done = 0;
  while (true) {
    MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
    if (is_done) return true;
    if (clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}    // namespace

Verdict agree(std::string &complaint, std::vector<double> &values,
              const std::function<std::string(std::size_t)> &name_of, MPI_Comm ranks, double patience)
{
  int n_ranks, rank;
  MPI_Comm_size(ranks, &n_ranks);
  if (n_ranks == 1) return complaint.empty() ? Verdict::kAllWell : Verdict::kAgreed;

  // A single reduction: the lowest failing rank, and the minimum of each value and of its negative (the
  // maximum)
  MPI_Comm_rank(ranks, &rank);
  const std::size_t n = values.size();
  std::vector<double> mine(1 + 2 * n), least(1 + 2 * n);
  mine[0] = complaint.empty() ? n_ranks : rank;
  for (std::size_t i = 0; i < n; i++) {
    mine[1 + i] = comparable(values[i]);
    mine[1 + n + i] = -mine[1 + i];
  }
  MPI_Request request;
  MPI_Iallreduce(mine.data(), least.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_MIN, ranks,
                 &request);
  if (complaint.empty())
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  else if (!ends_within(request, patience))
    return Verdict::kOthersStuck;

  if (least[0] < n_ranks) {
    complaint = agree_on_complaint(complaint, ranks);
    return Verdict::kAgreed;
  }
  for (std::size_t i = 0; i < n; i++) {
    if (!differ(least[1 + i], -least[1 + n + i])) continue;
    complaint = who_differs(name_of(i), values[i], ranks);
    return Verdict::kAgreed;
  }
  for (std::size_t i = 0; i < n; i++)
    if (!std::isnan(values[i])) values[i] = least[1 + i];
  return Verdict::kAllWell;
}

}    // namespace nnpal
