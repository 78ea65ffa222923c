// One step of pair_style nnp without a neighbor list: positions to the model, forces on all atoms back.
#include "pair_nnp.h"

#include "list/atom_messages.h"
#include "pair_nnp_state.h"
#include "tally.h"

#include "atom.h"

#include <cmath>
#include <exception>

using namespace LAMMPS_NS;

// Returns a complaint for the user, or ""; `overlap` receives one about two nearly coincident atoms.
std::string PairNNP::evaluate_cells()
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
  tally_cells(tally());
  return "";
}

void PairNNP::tally_cells(const nnpal::Tally &tally)
{
  const nnpal::PairNNPState &s = *state_;
  const nnpal::PositionsResult &found = s.of_positions;
  const std::size_t n_local = atom->nlocal, n_atoms = n_local + atom->nghost;
  double total = 0.0;
  for (std::size_t m = 0; m < tally.n_members; ++m) {
    tally.add_member_energy(m, found.member_energies[m]);
    total += found.member_energies[m] / static_cast<double>(tally.n_members);
  }
  for (std::size_t i = 0; i < n_local; ++i) {
    const double own = self_energy(atom->type[i]);
    total += own;
    if (found.energies) tally.add_atom_energy(i, found.energies[i] + own);
    if (found.uq_energy) tally.set_uq_energy(i, found.uq_energy[i]);
  }
  tally.add_energy(total);

  for (std::size_t i = 0; i < n_atoms; ++i) tally.add_force(i, found.forces + 3 * i);
  for (std::size_t m = 0; m < tally.n_members && found.member_forces; ++m)
    for (std::size_t i = 0; i < n_atoms; ++i)
      tally.add_member_force(i, m, found.member_forces + 3 * (m * n_atoms + i));

  tally.add_virial({found.virial, tally.unit});
  for (std::size_t i = 0; i < n_atoms && found.virials; ++i)
    tally.add_atom_virial(i, {found.virials + 9 * i, tally.unit});
}
