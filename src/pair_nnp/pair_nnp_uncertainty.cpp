// What fix pair and compute pair read: the spread of the members.
#include "pair_nnp.h"

#include "list/atoms_to_tile.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "modify.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace LAMMPS_NS;

void PairNNP::finish_uq_force()
{
  nnpal::PairNNPState &s = *state_;
  comm->reverse_comm(this);
  const int n_members = s.model->n_members();
  s.uq_force.resize(std::max(atom->nlocal, 1));
  for (int i = 0; i < atom->nlocal; ++i) {
    const double *force = &s.member_force[3 * static_cast<std::size_t>(i) * n_members];
    double variance = 0.0;
    for (int k = 0; k < 3; ++k) {
      double mean = 0.0;
      for (int m = 0; m < n_members; ++m) mean += force[3 * m + k] / n_members;
      for (int m = 0; m < n_members; ++m) {
        const double deviation = force[3 * m + k] - mean;
        variance += deviation * deviation / n_members;
      }
    }
    s.uq_force[i] = std::sqrt(variance);
  }
  s.has_uq_force = true;
}

// What compute pair shows of values that are not computed: infinite and not NaN, for each comparison with NaN
// is false, so that a fix halt on it would never stop, and `compute reduce max` leaves NaN out.
void PairNNP::forget_summary()
{
  std::fill_n(pvector, nextra, comm->me == 0 ? std::numeric_limits<double>::infinity() : 0.0);
}

// Returns a complaint for the user, or "". Maxima pass NaN over, so each value is looked at.
std::string PairNNP::non_finite_uncertainty() const
{
  const nnpal::PairNNPState &s = *state_;
  for (const int i : s.centers)
    if ((s.asked.uq_energy && !std::isfinite(s.uq_energy[i])) ||
        (s.asked.uq_force && !std::isfinite(s.uq_force[i])))
      return "model " + s.settings.model_path + " gives a non-finite uncertainty for " +
             nnpal::name_of(*atom, i);
  return "";
}

// compute pair sums the vector over the ranks, so rank 0 alone carries the world's values.
void PairNNP::finish_summary()
{
  nnpal::PairNNPState &s = *state_;
  const int n_members = s.model->n_members();
  const bool with_uq_force = s.asked.uq_force_in_summary;
  double largest[2] = {0.0, 0.0}, world_largest[2];
  std::vector<double> sums(n_members + 2, 0.0), world_sums(n_members + 2);
  for (const int i : s.centers) {
    largest[0] = std::max(largest[0], s.uq_energy[i]);
    if (with_uq_force) largest[1] = std::max(largest[1], s.uq_force[i]);
    sums[n_members] += s.uq_energy[i];
  }
  std::copy(s.member_energy.begin(), s.member_energy.end(), sums.begin());
  sums[n_members + 1] = static_cast<double>(s.centers.size());
  MPI_Reduce(largest, world_largest, 2, MPI_DOUBLE, MPI_MAX, 0, world);
  MPI_Reduce(sums.data(), world_sums.data(), n_members + 2, MPI_DOUBLE, MPI_SUM, 0, world);
  if (comm->me != 0) return;

  const double n_atoms = world_sums[n_members + 1];
  double mean = 0.0, variance = 0.0;
  for (int m = 0; m < n_members; ++m) mean += world_sums[m] / n_members;
  for (int m = 0; m < n_members; ++m) variance += (world_sums[m] - mean) * (world_sums[m] - mean) / n_members;
  pvector[0] = world_largest[0];
  pvector[1] = n_atoms > 0 ? world_sums[n_members] / n_atoms : 0.0;
  pvector[2] = n_atoms > 0 ? std::sqrt(variance / n_atoms) : 0.0;
  if (with_uq_force) pvector[3] = world_largest[1];
}

bool PairNNP::compute_pair_exists() const
{
  return !modify->get_compute_by_style("^pair$").empty();
}

// Forces of the members cost a backward pass each, so only where a `compute pair` says it will be read, and
// at the ends of a run, where a script may read it without having said so.
bool PairNNP::compute_pair_is_due() const
{
  const bigint step = update->ntimestep;
  if (step == update->firststep || step == update->laststep) return true;
  for (auto *one : modify->get_compute_by_style("^pair$"))
    if (one->matchstep(step)) return true;
  return false;
}

int PairNNP::pack_reverse_comm(int n, int first, double *buffer)
{
  const std::size_t width = 3 * static_cast<std::size_t>(state_->model->n_members());
  std::copy_n(state_->member_force.data() + first * width, n * width, buffer);
  return static_cast<int>(n * width);
}

void PairNNP::unpack_reverse_comm(int n, int *indices, double *buffer)
{
  const std::size_t width = 3 * static_cast<std::size_t>(state_->model->n_members());
  for (int k = 0; k < n; ++k)
    for (std::size_t w = 0; w < width; ++w)
      state_->member_force[indices[k] * width + w] += buffer[k * width + w];
}
