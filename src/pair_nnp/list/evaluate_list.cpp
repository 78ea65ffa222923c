// One step of pair_style nnp for models of one hop, in tiles of several atoms with all their edges.
#include "pair_nnp.h"

#include "list/atom_messages.h"
#include "list/atoms_to_tile.h"
#include "list/edge_virial.h"
#include "pair_nnp_state.h"
#include "tally.h"

#include "atom.h"
#include "neigh_list.h"

#include <algorithm>
#include <cmath>
#include <exception>

using namespace LAMMPS_NS;

// Returns a complaint for the user, or ""; `overlap` receives one about two nearly coincident atoms.
std::string PairNNP::evaluate_list()
{
  nnpal::PairNNPState &s = *state_;
  if (s.uses_positions && atom->nlocal > 0)
    s.nearby.find(atom->x[0], atom->nlocal, atom->nlocal + atom->nghost, s.model->metadata().cutoff);
  const nnpal::NeighborLists lists = s.uses_positions
                                         ? nnpal::NeighborLists{s.nearby.number(), s.nearby.of_center()}
                                         : nnpal::NeighborLists{list->numneigh, list->firstneigh};
  const int per_tile = s.model->centers_per_tile(), n_centers = static_cast<int>(s.centers.size());
  for (int first = 0; first < n_centers; first += per_tile) {
    const int last = std::min(first + per_tile, n_centers);
    const std::string complaint = s.model->takes_floats() ? evaluate_tile<float>(lists, first, last)
                                                          : evaluate_tile<double>(lists, first, last);
    if (!complaint.empty() || !s.overlap.empty()) return complaint;
  }
  return "";
}

// Evaluates centers [first, last). Returns and sets the same as evaluate_list.
template <class T> std::string PairNNP::evaluate_tile(const nnpal::NeighborLists &lists, int first, int last)
{
  nnpal::PairNNPState &s = *state_;
  const int *const centers = s.centers.data() + first;
  const nnpal::Metadata &metadata = s.model->metadata();
  try {
    s.overlap =
        nnpal::atoms_to_tile<T>(*atom, lists, s.absent, map, static_cast<int>(metadata.elements.size()),
                                metadata.cutoff, centers, last - first, s.center_tile);
    if (!s.overlap.empty()) return "";
    s.model->evaluate(s.center_tile, s.asked.uq_force);
  } catch (const std::exception &failure) {
    return "model " + s.settings.model_path + ": " + failure.what();
  }
  const int wrong = tally_tile<T>(tally(), centers);
  if (wrong < 0) return evaluate_charges(centers);
  return "model " + s.settings.model_path + " gives a non-finite energy or force for " +
         nnpal::name_of(*atom, wrong);
}

// Returns the first atom whose energy or edges' forces are not finite, or -1.
template <class T> int PairNNP::tally_tile(const nnpal::Tally &tally, const int *centers)
{
  nnpal::PairNNPState &s = *state_;
  const nnpal::CenterTile &tile = s.center_tile;
  const nnpal::CenterNumbers<T> &numbers = s.center_tile.numbers<T>();
  const int n_members = s.model->n_members(),
            n_elements = static_cast<int>(s.model->metadata().elements.size());
  const std::int64_t capacity = tile.capacity;
  const bool of_members = s.asked.uq_force, wants_virials = tally.wants_virials();
  const T *const gx = numbers.gradients.data(), *const gy = gx + capacity, *const gz = gy + capacity;
  double **const x = atom->x, *const forces = atom->f[0];
  std::vector<double> energies(n_members);
  int wrong = -1;
  for (int c = 0; c < tile.n_centers; ++c) {
    const int i = centers[c];
    double checked = 0.0;    // not finite if any summand is not
    for (int m = 0; m < n_members; ++m) {
      energies[m] = numbers.energies[m * static_cast<std::int64_t>(tile.n_centers) + c];
      checked += energies[m];
    }
    tally_members(tally, i, energies.data());
    const std::int64_t begin = tile.start[static_cast<std::int64_t>(c) * n_elements],
                       end = tile.start[static_cast<std::int64_t>(c + 1) * n_elements];
    double on_i[3] = {0.0, 0.0, 0.0};
    for (std::int64_t e = begin; e < end; ++e) {    // the gradient is the force on i, and the opposite on j
      const double gradient[3] = {static_cast<double>(gx[e]), static_cast<double>(gy[e]),
                                  static_cast<double>(gz[e])};
      double *const on_j = forces + 3 * static_cast<std::int64_t>(tile.neighbor[e]);
      for (int k = 0; k < 3; ++k) {
        on_i[k] += gradient[k];
        on_j[k] -= gradient[k] * tally.unit;
      }
    }
    tally.add_force(i, on_i);
    checked += on_i[0] + on_i[1] + on_i[2];
    if (!std::isfinite(checked) && wrong < 0) wrong = i;
    if (!wants_virials && !of_members) continue;
    for (std::int64_t e = begin; e < end; ++e) {
      const int j = tile.neighbor[e];
      if (wants_virials) {
        const double vec[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
        const double on_j[3] = {-static_cast<double>(gx[e]), -static_cast<double>(gy[e]),
                                -static_cast<double>(gz[e])};
        const nnpal::OrderedVirial virial = nnpal::edge_virial(vec, on_j, tally.unit);
        tally.add_virial(virial);
        tally.add_atom_virial(j, virial);
      }
      for (int m = 0; of_members && m < n_members; ++m) {
        const T *const of_member = gx + (m + 1) * 3 * capacity + e;
        const double on_i_by_m[3] = {static_cast<double>(of_member[0]),
                                     static_cast<double>(of_member[capacity]),
                                     static_cast<double>(of_member[2 * capacity])};
        const double on_j_by_m[3] = {-on_i_by_m[0], -on_i_by_m[1], -on_i_by_m[2]};
        tally.add_member_force(j, m, on_j_by_m);
        tally.add_member_force(i, m, on_i_by_m);
      }
    }
  }
  return wrong;
}

// Adds an atom's energies by all members, eV, without self-energy.
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
