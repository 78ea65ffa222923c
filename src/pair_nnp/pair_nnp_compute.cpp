// One step of pair_style nnp, with edges from LAMMPS's neighbor list, from cells or from the model.
#include "pair_nnp.h"

#include "fail.h"
#include "list/atom_messages.h"
#include "pair_nnp_state.h"
#include "tally.h"

#include "atom.h"
#include "comm.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

#include <algorithm>
#include <limits>

using namespace LAMMPS_NS;

void PairNNP::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  nnpal::PairNNPState &s = *state_;
  update_exclusions();
  // Set after init_style, which would otherwise have requested a list
  if (const std::string left_out = nnpal::left_out_of_list(*neighbor); s.uses_positions && !left_out.empty())
    nnpal::fail(
        error, FLERR,
        "pair_style nnp: step {}: {} was used after nnpal had chosen to find neighbors without LAMMPS's "
        "list; use neighbors list",
        update->ntimestep, left_out);
  ask();
  collect_centers();

  // Ghosts too, so that a neighboring rank names the atom and not the energy that it makes non-finite.
  std::string complaint = nnpal::non_finite_position(*atom, atom->nlocal + atom->nghost);
  if (complaint.empty())
    complaint = s.uses_positions && s.model->finds_neighbors() ? evaluate_cells()
                : s.model->hops() == 1                         ? evaluate_list()
                                                               : evaluate_messages();
  const bool is_trial = is_trial_state();
  stop_if_any(complaint.empty() && !is_trial ? s.overlap : complaint);
  if (is_trial && overlaps_anywhere()) {
    reject_trial_state();
    return;
  }
  if (s.asked.charge) {
    const std::string undefined = finish_charges();
    if (!is_trial) stop_if_any(undefined);
  }
  if (s.asked.uq_energy) s.uq_energy.is_computed = true;
  if (s.asked.uq_force) finish_uq_force();
  if (s.asked.error_force) finish_error_force();
  if (s.asked.uq_energy || s.asked.uq_force) stop_if_any(non_finite_uncertainty());
  if (s.asked.of_step) refresh_fix_pair();
  if (s.asked.summary) finish_summary();
}

// Determine the requested values, and allocate memory for them.
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

  // One member has no spread: requesting it by fix pair is an error, and compute pair's vector stays
  // undefined. dynamical_matrix and third_order evaluate outside of a run, and keep the energy of the step.
  const bool is_run = update->whichflag != 0;
  asked.summary = is_run && eflag_global && n_members > 1 && compute_pair_exists();
  asked.uq_force_in_summary = asked.summary && compute_pair_is_due();
  note_what_fix_pair_asks();
  asked.error_force = fix_pair_asks(s.error_force) || (asked.uq_force_in_summary && calibration());
  asked.uq_force = fix_pair_asks(s.uq_force) || asked.uq_force_in_summary || asked.error_force;
  asked.uq_energy = fix_pair_asks(s.uq_energy) || asked.summary;
  asked.charge = fix_pair_asks(s.charge);

  if (is_run) forget_summary();
  for (nnpal::AtomField *field : s.fields) field->is_computed = false;
  s.uq_energy.values.assign(asked.uq_energy ? std::max(atom->nlocal, 1) : 0, 0.0);
  for (std::vector<double> *one : {&s.charge.values, &s.charge_weights})
    one->assign(asked.charge ? std::max(atom->nlocal, 1) : 0, 0.0);
  if (asked.uq_force)
    s.member_force.assign(static_cast<std::size_t>(atom->nlocal + atom->nghost) * n_members * 3, 0.0);
}

// An absent atom has no energy, not that of an isolated atom.
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

bool PairNNP::overlaps_anywhere() const
{
  int overlaps = !state_->overlap.empty(), world_overlaps = 0;
  MPI_Allreduce(&overlaps, &world_overlaps, 1, MPI_INT, MPI_MAX, world);
  return world_overlaps != 0;
}

// Overlapping atoms in a trial state of a Monte Carlo fix are not an error: the energy is set above 1e50,
// from which those fixes reject, and the uncertainty to undefined, because fix pair reads it.
void PairNNP::reject_trial_state()
{
  constexpr double kRejected = 1e60;
  nnpal::PairNNPState &s = *state_;
  if (eflag_global) eng_vdwl = comm->me == 0 ? kRejected : 0.0;
  const double undefined = std::numeric_limits<double>::infinity();
  for (nnpal::AtomField *field : s.fields) field->values.assign(std::max(atom->nlocal, 1), undefined);
  s.uq_energy.is_computed = s.asked.uq_energy;
  s.uq_force.is_computed = s.asked.uq_force;
  s.error_force.is_computed = s.asked.error_force;
  s.charge.is_computed = s.asked.charge;
  refresh_fix_pair();
}

nnpal::Tally PairNNP::tally()
{
  nnpal::PairNNPState &s = *state_;
  return {s.energy_scale,
          static_cast<std::size_t>(s.model->n_members()),
          atom->f,
          eflag_global ? &eng_vdwl : nullptr,
          eflag_atom ? eatom : nullptr,
          vflag_global ? virial : nullptr,
          vflag_atom ? vatom : nullptr,
          cvflag_atom ? cvatom : nullptr,
          s.member_energy.data(),
          s.member_force.data(),
          s.uq_energy.values.data()};
}
