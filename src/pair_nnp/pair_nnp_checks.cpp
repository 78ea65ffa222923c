// Conflicts of pair_style nnp with other commands: exclusions, bonded pairs, Monte Carlo and numerical
// derivatives.
#include "pair_nnp.h"

#include "exclusions.h"
#include "fail.h"
#include "list/atom_messages.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "group.h"
#include "modify.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <cmath>

using namespace LAMMPS_NS;

namespace {

// Fixes that insert atoms at random positions, and exclude their own group from the neighbor list in an
// init() that runs after this style's.
constexpr const char *kInsertingFixes[] = {"^gcmc", "^widom", "^charge/regulation"};

// Computes that evaluate the pair style for other positions and restore the positions, but not the values
// that compute pair and fix pair show.
constexpr const char *kPerturbingComputes[] = {"^fep", "^born/matrix"};

}    // namespace

void PairNNP::refuse_bonded_exclusions()
{
  if (atom->molecular == Atom::ATOMIC) return;
  for (int i = 1; i <= 3; ++i)
    if (force->special_lj[i] == 0.0 && force->special_coul[i] == 0.0)
      nnpal::fail(error, FLERR,
                  "pair_style nnp: special_bonds removes bonded pairs (1-{}) from the neighbor list, but the "
                  "model needs them; use `special_bonds lj/coul 1 1 1`",
                  i + 1);
}

// Also during a run: exclusions and groups may change after init_style.
void PairNNP::update_exclusions()
{
  state_->absent = nnpal::AbsentAtoms(*neighbor, *group, map, atom->ntypes);
  if (nnpal::left_out_of_list(*neighbor).empty() && nnpal::border_group(*comm) == 0) return;
  const std::string command =
      nnpal::partial_exclusion(*neighbor, *comm, *atom, *group, state_->absent, map, world);
  if (!command.empty())
    nnpal::fail(
        error, FLERR,
        "pair_style nnp: {} removes some neighbors of atoms of the model, whose energies and forces "
        "depend on all neighbors; use `neigh_modify exclude none`, `include all` or `comm_modify group all`, "
        "and freeze atoms by fix setforce or by leaving them out of the fix that integrates",
        command);
}

void PairNNP::warn_of_absent_atoms()
{
  int n = 0, world_n = 0;
  for (int i = 0; i < atom->nlocal; ++i)
    n += map[atom->type[i]] >= 0 && state_->absent.contain(atom->mask[i], atom->type[i]);
  if (!state_->absent.possible()) return;
  MPI_Allreduce(&n, &world_n, 1, MPI_INT, MPI_SUM, world);
  if (world_n > 0 && comm->me == 0)
    error->warning(FLERR,
                   "pair_style nnp: neigh_modify exclude removes {} atom(s) from all pairs; they contribute "
                   "nothing, as if they were deleted",
                   world_n);
}

std::string PairNNP::neighbor_list_needed_by() const
{
  if (state_->model->hops() > 1)
    return fmt::format("model {}, whose messages pass over {} hops,", state_->settings.model_path,
                       state_->model->hops());
  if (utils::strmatch(force->pair_style, "^hybrid")) return force->pair_style;
  if (fix_pair_may_ask(state_->charge)) return "the value charge of fix pair";
  const std::string taker = nnpal::left_out_of_list(*neighbor);
  const Fix *fix = inserting_fix();
  return taker.empty() && fix ? fmt::format("fix {}", fix->style) : taker;
}

// The first inserting fix, or null.
const Fix *PairNNP::inserting_fix() const
{
  for (const char *style : kInsertingFixes)
    if (const auto fixes = modify->get_fix_by_style(style); !fixes.empty()) return fixes.front();
  return nullptr;
}

// Those fixes weight an insertion by exp(-(its energy)/kT), and fix gcmc also by exp(mu/kT). Self-energies as
// large as in DFT make the first infinite and the second 0. The average of fix widom is of the interaction
// energy anyway.
void PairNNP::refuse_self_energies_of_insertions()
{
  constexpr double kLargest = 700 * 8.617333e-5 * 300;    // eV; exp(700) is nearly the largest double
  for (const char *style : kInsertingFixes) {
    const auto fixes = modify->get_fix_by_style(style);
    if (fixes.empty()) continue;
    const bool is_widom = utils::strmatch(fixes.front()->style, "^widom");
    for (int type = 1; type <= atom->ntypes; ++type) {
      const double own = map[type] < 0 ? 0.0 : self_energy(type);
      if (std::abs(own) <= (is_widom ? 0.0 : kLargest)) continue;
      nnpal::fail(
          error, FLERR,
          "pair_style nnp: the self-energy of {} ({:.8g} eV) is part of the energy of an insertion, and fix "
          "{} {}; use pair_style nnp ... self_energies no{}",
          state_->elements[type - 1], own, fixes.front()->style,
          is_widom ? "gives the chemical potential in excess of a gas without interactions"
                   : "cannot compute exp(self-energy/kT)",
          is_widom ? "" : ", and chemical potentials minus the self-energies");
    }
  }
}

// After a rejected move, fix hmc restores energies, forces and virials, but does not evaluate the restored
// state.
void PairNNP::refuse_hmc_with_uncertainty()
{
  const bool has_spread = state_->model->n_members() > 1;
  if (modify->get_fix_by_style("^hmc").empty() || (!has_spread && !fix_pair_may_ask(state_->charge))) return;
  const bool has_fix = !modify->get_fix_by_style("^pair$").empty();
  if (has_fix || compute_pair_exists())
    nnpal::fail(
        error, FLERR,
        "pair_style nnp: {} would show {} of states that fix hmc has rejected, because it "
        "restores the previous state without evaluating it; leave it out, and evaluate the dump by rerun",
        has_fix ? "fix pair" : "compute pair", has_spread ? "the uncertainty" : "charges");
}

// fix pair requests and reads values only in steps of verlet: with respa they stay those of the first
// configuration.
void PairNNP::refuse_respa_with_fix_pair()
{
  if (update->whichflag != 1 || !utils::strmatch(update->integrate_style, "^respa")) return;
  const auto fixes = modify->get_fix_by_style("^pair$");
  if (!fixes.empty())
    nnpal::fail(error, FLERR,
                "pair_style nnp: fix {} of style pair is not updated by run_style respa, and would keep the "
                "values of the first configuration; use run_style verlet, or compute pair",
                fixes.front()->id);
}

// Whether a Monte Carlo fix that inserts atoms is making moves: it schedules its next step at the end of
// them.
bool PairNNP::is_trial_state() const
{
  if (update->whichflag != 1) return false;
  for (const char *style : kInsertingFixes)
    for (const Fix *fix : modify->get_fix_by_style(style))
      if (fix->next_reneighbor == update->ntimestep) return true;
  return false;
}

// Whether a compute evaluates positions other than the step's. It records the step before it evaluates; the
// first evaluation after init_style, of another run on the same step, is the step's own.
bool PairNNP::is_perturbed_state() const
{
  if (state_->is_first_evaluation) return false;
  for (const char *style : kPerturbingComputes)
    for (const Compute *one : modify->get_compute_by_style(style))
      if (one->invoked_vector == update->ntimestep) return true;
  return false;
}
