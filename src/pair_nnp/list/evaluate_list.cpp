// One step of pair_style nnp from LAMMPS's neighbor list, some atoms with all their edges at a time.
#include "pair_nnp.h"

#include "list/atoms_to_tile.h"
#include "list/edge_virial.h"
#include "pair_nnp_state.h"
#include "tally.h"

#include "atom.h"

#include <algorithm>
#include <cmath>
#include <exception>

using namespace LAMMPS_NS;

// Returns a complaint for the user, or ""; that of two atoms almost on top of each other in `overlap`.
std::string PairNNP::evaluate_list()
{
  nnpal::PairNNPState &s = *state_;
  const int per_tile = s.model->centers_per_tile(), n_centers = static_cast<int>(s.centers.size());
  for (int first = 0; first < n_centers; first += per_tile) {
    const int last = std::min(first + per_tile, n_centers);
    if (s.model->takes_center_tiles()) {
      const std::string complaint = s.model->is_double() ? evaluate_center_tile<double>(first, last)
                                                         : evaluate_center_tile<float>(first, last);
      if (!complaint.empty() || !s.overlap.empty()) return complaint;
      continue;
    }
    s.overlap = nnpal::atoms_to_tile(*atom, *list, s.absent, map, s.model->metadata().cutoff,
                                     s.centers.data() + first, last - first, s.tile, s.tile_neighbors);
    if (!s.overlap.empty()) return "";
    s.tile_atoms.assign(s.centers.begin() + first, s.centers.begin() + last);
    try {
      s.model->evaluate(s.tile, s.asked.uq_force, s.result);
    } catch (const std::exception &failure) {
      return "model " + s.settings.model_path + ": " + failure.what();
    }
    const int wrong = nnpal::first_non_finite_atom(s.tile, s.result);
    if (wrong >= 0)
      return "model " + s.settings.model_path + " gives a non-finite energy or force for " +
             nnpal::name_of(*atom, s.tile_atoms[wrong]);
    tally_tile(tally());
    if (const std::string complaint = evaluate_charges(); !complaint.empty()) return complaint;
  }
  return "";
}

void PairNNP::tally_tile(const nnpal::Tally &tally)
{
  const nnpal::PairNNPState &s = *state_;
  const int n_members = s.model->n_members(), n_centers = s.tile.n_centers, n_edges = s.tile.n_edges();
  std::vector<double> energies(n_members);
  for (int c = 0; c < n_centers; ++c) {
    for (int m = 0; m < n_members; ++m) energies[m] = s.result.energies[m * n_centers + c];
    tally_members(tally, s.tile_atoms[c], energies.data());
  }

  for (int e = 0; e < n_edges; ++e) {
    const int i = s.tile_atoms[s.tile.center[e]], j = s.tile_neighbors[e];
    const double *gradient = &s.result.gradient[3 * e];    // the force on i, and the opposite on j
    const double on_j[3] = {-gradient[0], -gradient[1], -gradient[2]};
    tally.add_force(j, on_j);
    tally.add_force(i, gradient);
    if (tally.wants_virials()) {
      const nnpal::OrderedVirial virial = nnpal::edge_virial(&s.tile.edge_vec[3 * e], on_j, tally.unit);
      tally.add_virial(virial);
      tally.add_atom_virial(j, virial);
    }
    if (s.result.member_gradient.empty()) continue;
    for (int m = 0; m < n_members; ++m) {
      const double *of_member = &s.result.member_gradient[3 * (m * n_edges + e)];
      const double member_on_j[3] = {-of_member[0], -of_member[1], -of_member[2]};
      tally.add_member_force(j, m, member_on_j);
      tally.add_member_force(i, m, of_member);
    }
  }
}

// An atom's energies by all members, eV, without self-energy.
void PairNNP::tally_members(const nnpal::Tally &tally, int i, const double *energies)
{
  const int n_members = state_->model->n_members();
  double mean = 0.0, variance = 0.0;
  for (int m = 0; m < n_members; ++m) {
    tally.add_member_energy(m, energies[m]);
    mean += energies[m] / n_members;
  }
  if (state_->asked.uq_energy) {
    for (int m = 0; m < n_members; ++m) variance += (energies[m] - mean) * (energies[m] - mean) / n_members;
    tally.set_uq_energy(i, std::sqrt(variance));
  }
  const double total = mean + self_energy(atom->type[i]);
  tally.add_energy(total);
  tally.add_atom_energy(i, total);
}
