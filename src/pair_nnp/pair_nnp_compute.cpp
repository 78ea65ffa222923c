// One step of pair_style nnp: edges in, energies, forces, virials and uncertainty out.
#include "pair_nnp.h"

#include "atoms_to_tile.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "error.h"
#include "modify.h"
#include "neigh_list.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

using namespace LAMMPS_NS;

void PairNNP::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  nnpal::PairNNPState &s = *state_;
  // One member has no spread: asking fix pair for it is an error, and compute pair's vector stays NaN.
  const bool want_summary = eflag_global && s.model->n_members() > 1 && compute_pair_exists();
  const bool summary_has_force = want_summary && compute_pair_is_due();
  note_what_fix_pair_asks();
  const bool is_asked = s.asked_step == update->ntimestep;
  const bool want_uq_force = (is_asked && s.asked_force) || summary_has_force;
  const bool want_uq_energy = (is_asked && s.asked_energy) || want_summary;

  // Said after init_style, which would have asked for a list
  if (const std::string left_out = left_out_of_list(); s.uses_positions && !left_out.empty())
    error->all(
        FLERR, Error::NOLASTLINE,
        "pair_style nnp: step {}: {} came after the neighbours were chosen to be found without LAMMPS's "
        "list; use neighbors list",
        update->ntimestep, left_out);

  const int n_members = s.model->n_members();
  s.member_energy.assign(n_members, 0.0);
  s.has_uq_energy = s.has_uq_force = false;
  s.uq_energy.assign(want_uq_energy ? std::max(atom->nlocal, 1) : 0, 0.0);
  if (want_uq_force)
    s.member_force.assign(static_cast<std::size_t>(atom->nlocal + atom->nghost) * n_members * 3, 0.0);

  // Ghosts too, so that a rank beside the culprit names it and not the energy that it spoils.
  std::string complaint = nnpal::non_finite_position(*atom, atom->nlocal + atom->nghost);
  if (complaint.empty())
    complaint = s.uses_positions ? evaluate_positions(want_uq_force) : evaluate_tiles(want_uq_force);
  stop_if_any(complaint);

  s.has_uq_energy = want_uq_energy;
  if (want_uq_force) finish_uq_force();
  refresh_fix_pair();
  std::fill_n(pvector, nextra, comm->me == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0);
  if (want_summary) finish_summary(summary_has_force);
}

// Returns a complaint for the user, or "".
std::string PairNNP::evaluate_tiles(bool want_forces_of_members)
{
  nnpal::PairNNPState &s = *state_;
  const int per_tile = s.model->centres_per_tile();
  for (int first = 0; first < list->inum; first += per_tile) {
    const int last = std::min(first + per_tile, list->inum);
    std::string complaint = nnpal::atoms_to_tile(*atom, *list, map, s.model->metadata().cutoff, first, last,
                                                 s.tile, s.tile_neighbours);
    if (!complaint.empty()) return complaint;
    try {
      s.model->evaluate(s.tile, want_forces_of_members, s.result);
    } catch (const std::exception &failure) {
      return "model " + s.settings.model_path + ": " + failure.what();
    }
    const int wrong = nnpal::first_non_finite_centre(s.tile, s.result);
    if (wrong >= 0)
      return "model " + s.settings.model_path + " gives a non-finite energy or force for " +
             nnpal::name_of(*atom, list->ilist[first + wrong]);
    scatter_tile(first, last);
  }
  return "";
}

void PairNNP::scatter_tile(int first, int last)
{
  nnpal::PairNNPState &s = *state_;
  const int n_members = s.model->n_members(), n_centres = last - first, n_edges = s.tile.n_edges();
  const auto &self_energies = s.model->self_energies();
  for (int c = 0; c < n_centres; ++c) {
    const int i = list->ilist[first + c];
    double mean = 0.0, variance = 0.0;
    for (int m = 0; m < n_members; ++m) {
      const double energy = s.result.energies[m * n_centres + c];
      s.member_energy[m] += energy * s.energy_scale;
      mean += energy / n_members;
    }
    if (!s.uq_energy.empty()) {
      for (int m = 0; m < n_members; ++m) {
        const double deviation = s.result.energies[m * n_centres + c] - mean;
        variance += deviation * deviation / n_members;
      }
      s.uq_energy[i] = std::sqrt(variance) * s.energy_scale;
    }
    const double total = (mean + self_energies[map[atom->type[i]]]) * s.energy_scale;
    if (eflag_global) eng_vdwl += total;
    if (eflag_atom) eatom[i] += total;
  }

  double **f = atom->f;
  for (int e = 0; e < n_edges; ++e) {
    const int i = list->ilist[first + s.tile.centre[e]], j = s.tile_neighbours[e];
    double on_j[3];
    for (int k = 0; k < 3; ++k) {
      on_j[k] = -s.result.gradient[3 * e + k] * s.energy_scale;
      f[j][k] += on_j[k];
      f[i][k] -= on_j[k];
    }
    if (vflag_either) tally_edge_virial(j, &s.tile.edge_vec[3 * e], on_j);
    if (s.result.member_gradient.empty()) continue;
    for (int m = 0; m < n_members; ++m)
      for (int k = 0; k < 3; ++k) {
        const double member_on_j = -s.result.member_gradient[3 * (m * n_edges + e) + k] * s.energy_scale;
        s.member_force[3 * (static_cast<std::size_t>(j) * n_members + m) + k] += member_on_j;
        s.member_force[3 * (static_cast<std::size_t>(i) * n_members + m) + k] -= member_on_j;
      }
  }
}

void PairNNP::tally_edge_virial(int j, const double *vec, const double *force_on_j)
{
  const double xy = vec[0] * force_on_j[1], yx = vec[1] * force_on_j[0];
  const double xz = vec[0] * force_on_j[2], zx = vec[2] * force_on_j[0];
  const double yz = vec[1] * force_on_j[2], zy = vec[2] * force_on_j[1];
  const double symmetric[6] = {vec[0] * force_on_j[0], vec[1] * force_on_j[1], vec[2] * force_on_j[2],
                               0.5 * (xy + yx),        0.5 * (xz + zx),        0.5 * (yz + zy)};
  for (int k = 0; k < 6; ++k) {
    if (vflag_global) virial[k] += symmetric[k];
    if (vflag_atom) vatom[j][k] += symmetric[k];
  }
  if (cvflag_atom) {
    const double full[9] = {symmetric[0], symmetric[1], symmetric[2], xy, xz, yz, yx, zx, zy};
    for (int k = 0; k < 9; ++k) cvatom[j][k] += full[k];
  }
}

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

// compute pair sums the vector over the ranks, so rank 0 alone carries the world's values.
void PairNNP::finish_summary(bool with_uq_force)
{
  nnpal::PairNNPState &s = *state_;
  const int n_members = s.model->n_members();
  double largest[2] = {0.0, 0.0}, world_largest[2];
  std::vector<double> sums(n_members + 2, 0.0), world_sums(n_members + 2);
  const int n_own = s.uses_positions ? atom->nlocal : list->inum;
  for (int ii = 0; ii < n_own; ++ii) {
    const int i = s.uses_positions ? ii : list->ilist[ii];
    largest[0] = std::max(largest[0], s.uq_energy[i]);
    if (with_uq_force) largest[1] = std::max(largest[1], s.uq_force[i]);
    sums[n_members] += s.uq_energy[i];
  }
  std::copy(s.member_energy.begin(), s.member_energy.end(), sums.begin());
  sums[n_members + 1] = n_own;
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
