// One step of pair_style nnp: edges in, energies, forces, virials and uncertainty out.
#include "pair_nnp.h"

#include "list/atoms_to_tile.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "neigh_list.h"
#include "neighbor.h"
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
  update_exclusions();
  // Said after init_style, which would have asked for a list
  if (const std::string left_out = nnpal::left_out_of_list(*neighbor); s.uses_positions && !left_out.empty())
    error->all(
        FLERR, Error::NOLASTLINE,
        "pair_style nnp: step {}: {} came after the neighbors were chosen to be found without LAMMPS's "
        "list; use neighbors list",
        update->ntimestep, left_out);
  ask();
  collect_centers();

  // Ghosts too, so that a rank beside the culprit names it and not the energy that it spoils.
  std::string complaint = nnpal::non_finite_position(*atom, atom->nlocal + atom->nghost);
  if (complaint.empty()) complaint = s.uses_positions ? evaluate_positions() : evaluate_tiles();
  const bool is_trial = is_trial_state();
  stop_if_any(complaint.empty() && !is_trial ? s.overlap : complaint);
  if (is_trial && overlaps_anywhere()) {
    reject_trial_state();
    return;
  }
  if (s.asked.uq_energy) s.has_uq_energy = true;
  if (s.asked.uq_force) finish_uq_force();
  if (s.asked.uq_energy || s.asked.uq_force) stop_if_any(non_finite_uncertainty());
  if (s.asked.of_step) refresh_fix_pair();
  if (s.asked.summary) finish_summary();
}

// What is asked, and room for it.
void PairNNP::ask()
{
  nnpal::PairNNPState &s = *state_;
  auto &asked = s.asked;
  asked = {};
  asked.of_step = !is_perturbed_state();
  s.is_first_evaluation = false;
  s.overlap.clear();
  const int n_members = s.model->n_members();
  s.member_energy.assign(n_members, 0.0);
  if (!asked.of_step) return;

  // One member has no spread: asking fix pair for it is an error, and compute pair's vector stays undefined.
  // dynamical_matrix and third_order evaluate outside of a run, and leave the energy of the step as it was.
  const bool is_run = update->whichflag != 0;
  asked.summary = is_run && eflag_global && n_members > 1 && compute_pair_exists();
  asked.uq_force_in_summary = asked.summary && compute_pair_is_due();
  note_what_fix_pair_asks();
  const bool fix_asks = s.asked_step == update->ntimestep;
  asked.uq_force = (fix_asks && s.asked_force) || asked.uq_force_in_summary;
  asked.uq_energy = (fix_asks && s.asked_energy) || asked.summary;

  if (is_run) forget_summary();
  s.has_uq_energy = s.has_uq_force = false;
  s.uq_energy.assign(asked.uq_energy ? std::max(atom->nlocal, 1) : 0, 0.0);
  if (asked.uq_force)
    s.member_force.assign(static_cast<std::size_t>(atom->nlocal + atom->nghost) * n_members * 3, 0.0);
}

// An absent atom's energy is that of no atom, not of an isolated one.
void PairNNP::collect_centers()
{
  nnpal::PairNNPState &s = *state_;
  s.centers.clear();
  const int n = s.uses_positions ? atom->nlocal : list->inum;
  for (int ii = 0; ii < n; ++ii) {
    const int i = s.uses_positions ? ii : list->ilist[ii];
    if (!s.absent.contain(atom->mask[i], atom->type[i])) s.centers.push_back(i);
  }
}

// Returns a complaint for the user, or ""; that of two atoms almost on top of each other in `overlap`.
std::string PairNNP::evaluate_tiles()
{
  nnpal::PairNNPState &s = *state_;
  const int per_tile = s.model->centers_per_tile(), n_centers = static_cast<int>(s.centers.size());
  for (int first = 0; first < n_centers; first += per_tile) {
    const int last = std::min(first + per_tile, n_centers);
    s.overlap = nnpal::atoms_to_tile(*atom, *list, s.absent, map, s.model->metadata().cutoff,
                                     s.centers.data() + first, last - first, s.tile, s.tile_neighbors);
    if (!s.overlap.empty()) return "";
    try {
      s.model->evaluate(s.tile, s.asked.uq_force, s.result);
    } catch (const std::exception &failure) {
      return "model " + s.settings.model_path + ": " + failure.what();
    }
    const int wrong = nnpal::first_non_finite_center(s.tile, s.result);
    if (wrong >= 0)
      return "model " + s.settings.model_path + " gives a non-finite energy or force for " +
             nnpal::name_of(*atom, s.centers[first + wrong]);
    scatter_tile(first, last);
  }
  return "";
}

bool PairNNP::overlaps_anywhere() const
{
  int overlaps = !state_->overlap.empty(), world_overlaps = 0;
  MPI_Allreduce(&overlaps, &world_overlaps, 1, MPI_INT, MPI_MAX, world);
  return world_overlaps != 0;
}

// Atoms on top of each other in a trial state of a Monte Carlo fix are no error of the user's: an energy
// beyond the 1e50 from which those fixes reject, and an undefined uncertainty, for fix pair reads it.
void PairNNP::reject_trial_state()
{
  constexpr double kRejected = 1e60;
  nnpal::PairNNPState &s = *state_;
  if (eflag_global) eng_vdwl = comm->me == 0 ? kRejected : 0.0;
  const double undefined = std::numeric_limits<double>::infinity();
  s.uq_energy.assign(std::max(atom->nlocal, 1), undefined);
  s.uq_force.assign(std::max(atom->nlocal, 1), undefined);
  s.has_uq_energy = s.asked.uq_energy;
  s.has_uq_force = s.asked.uq_force;
  refresh_fix_pair();
}

void PairNNP::scatter_tile(int first, int last)
{
  nnpal::PairNNPState &s = *state_;
  const int n_members = s.model->n_members(), n_centers = last - first, n_edges = s.tile.n_edges();
  for (int c = 0; c < n_centers; ++c) {
    const int i = s.centers[first + c];
    double mean = 0.0, variance = 0.0;
    for (int m = 0; m < n_members; ++m) {
      const double energy = s.result.energies[m * n_centers + c];
      s.member_energy[m] += energy * s.energy_scale;
      mean += energy / n_members;
    }
    if (s.asked.uq_energy) {
      for (int m = 0; m < n_members; ++m) {
        const double deviation = s.result.energies[m * n_centers + c] - mean;
        variance += deviation * deviation / n_members;
      }
      s.uq_energy[i] = std::sqrt(variance) * s.energy_scale;
    }
    const double total = (mean + self_energy(atom->type[i])) * s.energy_scale;
    if (eflag_global) eng_vdwl += total;
    if (eflag_atom) eatom[i] += total;
  }

  double **f = atom->f;
  for (int e = 0; e < n_edges; ++e) {
    const int i = s.centers[first + s.tile.center[e]], j = s.tile_neighbors[e];
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
