// One step of pair_style nnp without a neighbor list: positions to the model, forces on all atoms back.
#include "pair_nnp.h"

#include "list/atoms_to_tile.h"
#include "pair_nnp_state.h"

#include "atom.h"

#include <algorithm>
#include <cmath>
#include <exception>

using namespace LAMMPS_NS;

// Returns a complaint for the user, or ""; that of two atoms almost on top of each other in `overlap`.
std::string PairNNP::evaluate_positions()
{
  nnpal::PairNNPState &s = *state_;
  const int n_atoms = atom->nlocal + atom->nghost;
  const std::string of_model = "model " + s.settings.model_path;
  s.positions.n_local = atom->nlocal;
  s.positions.n_atoms = n_atoms;
  s.positions.x = n_atoms > 0 ? atom->x[0] : nullptr;
  s.positions.type = atom->type;
  s.positions.element_of_type.assign(map, map + atom->ntypes + 1);
  nnpal::Wanted wanted;
  wanted.energies = eflag_atom;
  wanted.uq_energy = s.asked.uq_energy;
  wanted.member_forces = s.asked.uq_force;
  wanted.virials = vflag_atom || cvflag_atom;
  wanted.pair_closer_than = nnpal::kTooClose;
  try {
    s.model->evaluate(s.positions, wanted, s.of_positions);
  } catch (const std::exception &failure) {
    return of_model + ": " + failure.what();
  }
  const nnpal::PositionsResult &found = s.of_positions;
  if (found.closest_pair[0] >= 0) {
    s.overlap = nnpal::too_close(*atom, found.closest_pair[0], found.closest_pair[1], found.closest);
    if (!s.overlap.empty()) return "";
  }
  int wrong = found.non_finite;
  for (int i = 0; i < n_atoms && wrong < 0 && !found.forces_are_finite; ++i)
    if (!std::isfinite(found.forces[3 * i] + found.forces[3 * i + 1] + found.forces[3 * i + 2])) wrong = i;
  if (wrong >= 0) return of_model + " gives a non-finite energy or force for " + nnpal::name_of(*atom, wrong);
  add_positions_result();
  return "";
}

void PairNNP::add_positions_result()
{
  nnpal::PairNNPState &s = *state_;
  const nnpal::PositionsResult &found = s.of_positions;
  const std::size_t n_local = atom->nlocal, n_atoms = n_local + atom->nghost,
                    n_members = s.model->n_members();
  const double scale = s.energy_scale;
  double total = 0.0;
  for (std::size_t m = 0; m < n_members; ++m) {
    s.member_energy[m] += found.member_energies[m] * scale;
    total += found.member_energies[m] / static_cast<double>(n_members);
  }
  for (std::size_t i = 0; i < n_local; ++i) {
    const double own = self_energy(atom->type[i]);
    total += own;
    if (eflag_atom) eatom[i] += (found.energies[i] + own) * scale;
    if (found.uq_energy) s.uq_energy[i] = found.uq_energy[i] * scale;
  }
  if (eflag_global) eng_vdwl += total * scale;

  for (std::size_t i = 0; i < n_atoms; ++i)
    for (int k = 0; k < 3; ++k) atom->f[i][k] += found.forces[3 * i + k] * scale;
  for (std::size_t m = 0; m < n_members && found.member_forces; ++m)
    for (std::size_t i = 0; i < n_atoms; ++i)
      for (int k = 0; k < 3; ++k)
        s.member_force[3 * (i * n_members + m) + k] = found.member_forces[3 * (m * n_atoms + i) + k] * scale;

  const double *w = found.virial;
  const double symmetric[6] = {
      w[0], w[4], w[8], 0.5 * (w[1] + w[3]), 0.5 * (w[2] + w[6]), 0.5 * (w[5] + w[7])};
  for (int k = 0; k < 6 && vflag_global; ++k) virial[k] += symmetric[k] * scale;
  if (found.virials) tally_atom_virials(found.virials);
}

void PairNNP::tally_atom_virials(const double *virials)
{
  const double scale = state_->energy_scale;
  for (int i = 0; i < atom->nlocal + atom->nghost; ++i) {
    const double *w = virials + 9 * static_cast<std::size_t>(i);
    const double symmetric[6] = {
        w[0], w[4], w[8], 0.5 * (w[1] + w[3]), 0.5 * (w[2] + w[6]), 0.5 * (w[5] + w[7])};
    const double full[9] = {w[0], w[4], w[8], w[1], w[2], w[5], w[3], w[6], w[7]};
    for (int k = 0; k < 6 && vflag_atom; ++k) vatom[i][k] += symmetric[k] * scale;
    for (int k = 0; k < 9 && cvflag_atom; ++k) cvatom[i][k] += full[k] * scale;
  }
}
