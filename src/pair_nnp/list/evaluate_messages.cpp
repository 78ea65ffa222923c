// One step of pair_style nnp from LAMMPS's neighbor list, for models of several hops.
#include "pair_nnp.h"

#include "fail.h"
#include "list/atom_messages.h"
#include "list/edge_virial.h"
#include "list/halo.h"
#include "list/message_tile.h"
#include "pair_nnp_state.h"
#include "tally.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "domain.h"
#include "force.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>

using namespace LAMMPS_NS;

namespace {

// LAMMPS does not install neigh_request.h, which defines NeighConst::REQ_*.
constexpr int kFullList = 1 << 0, kOfGhostsToo = 1 << 1;

// Sizes of a tile. If a GPU's memory runs out, tiles shrink down to kFewestEdges; a tile with fewer edges
// than kWorthwhile times those of a single center would mostly evaluate the atoms around it.
constexpr int kFewestEdges = 1 << 14, kWorthwhile = 4;

}    // namespace

// [distance units] Required extent of ghosts when the list is built: each end of a chain of edges moves by at
// most half the skin before the list is rebuilt.
double PairNNP::halo() const
{
  return state_->model->hops() * state_->model->metadata().cutoff + neighbor->skin;
}

// On one rank every ghost is an image of a local atom with the same environment, so no halo is needed; except
// in trial insertions, where Monte Carlo fixes assign IDs in their own ways. Returns the flags of the request
// for LAMMPS's neighbor list.
int PairNNP::prepare_messages()
{
  nnpal::PairNNPState &s = *state_;
  s.raised_cutoff.put_back(*comm);
  s.most_edges = s.model->edges_per_tile();
  s.ran_out_of_memory = false;
  if (s.model->hops() == 1) return kFullList;
  refuse_heat_flux();
  s.maps_images = comm->nprocs == 1 && atom->tag_enable && !inserting_fix();
  if (s.maps_images) return kFullList;
  const double needed = halo();
  std::string why = nnpal::why_no_halo(*comm, *domain, needed);
  if (why.empty() && neighbor->style != Neighbor::BIN && neighbor->style != Neighbor::NSQ)
    why = fmt::format(
        "neighbor style is multi, with which LAMMPS has no lists for ghost atoms; use `neighbor {:g} bin`",
        neighbor->skin);
  if (!why.empty())
    nnpal::fail(error, FLERR, "pair_style nnp: messages over {} hops of {} Å: {}", s.model->hops(),
                s.model->metadata().cutoff, why);
  if (s.raised_cutoff.raise(*comm, needed, cutoffs_of_others()) && comm->me == 0 && needed != s.halo_in_log)
    utils::logmesg(lmp,
                   "pair_style nnp: messages over {} hops of {} Å need ghost atoms within {:.6g} Å: the "
                   "communication cutoff is set to this value\n",
                   s.model->hops(), s.model->metadata().cutoff, needed);
  s.halo_in_log = needed;
  return kFullList | kOfGhostsToo;
}

// Cutoffs of the other sub-styles nnp of pair_style hybrid.
std::vector<const nnpal::RaisedCutoff *> PairNNP::cutoffs_of_others() const
{
  std::vector<const nnpal::RaisedCutoff *> found;
  const Pair *before = nullptr;    // a single one is given for any number
  for (int number = 1;; ++number) {
    const Pair *const one = force->pair_match("nnp", 1, number);
    if (!one || one == before) return found;
    before = one;
    const auto *const other = dynamic_cast<const PairNNP *>(one);
    if (other && other != this) found.push_back(&other->state_->raised_cutoff);
  }
}

// With several hops the heat current has terms beyond the virials of the edges (Langer et al., Phys. Rev. B
// 108, L100302 (2023), doi:10.1103/PhysRevB.108.L100302).
void PairNNP::refuse_heat_flux()
{
  const auto computes = modify->get_compute_by_style("^heat/flux");
  if (!computes.empty())
    nnpal::fail(
        error, FLERR,
        "pair_style nnp: compute {} needs the heat current, which per-atom virials do not give for a model "
        "whose messages pass over {} hops (doi:10.1103/PhysRevB.108.L100302); use a model of one hop, such "
        "as an ANI network, or leave the compute out",
        computes.front()->style, state_->model->hops());
}

// Returns a complaint for the user, or ""; `overlap` receives one about two nearly coincident atoms.
std::string PairNNP::evaluate_messages()
{
  nnpal::PairNNPState &s = *state_;
  s.owners.clear();
  std::string complaint;
  if (s.maps_images)
    complaint = nnpal::find_owners(*atom, s.owners);
  else if (!list->ghost)
    complaint = "LAMMPS's neighbor list lacks the neighbors of ghost atoms";
  else if (neighbor->ago == 0)
    complaint = nnpal::missing_halo(*comm, *domain, halo());
  if (!complaint.empty() || s.centers.empty()) return complaint;
  s.tile_edges = s.most_edges;
  if (!gather(0, static_cast<int>(s.centers.size())) && !s.ran_out_of_memory) {
    s.tile_edges = std::numeric_limits<int>::max();
    gather(0, 1);
    s.tile_edges = std::max(s.most_edges, kWorthwhile * s.tile.n_edges());
  }
  return s.overlap.empty() ? evaluate_centers(0, static_cast<int>(s.centers.size())) : "";
}

// Returns whether centers [first, last) and the edges that they depend on fit into one tile.
bool PairNNP::gather(int first, int last)
{
  nnpal::PairNNPState &s = *state_;
  const nnpal::ListedAtoms from{*atom, *list, s.absent, map, s.model->metadata().cutoff, s.model->hops()};
  return s.messages.gather(from, s.owners, s.centers.data() + first, last - first, s.tile_edges, s.tile,
                           s.tile_atoms, s.tile_neighbors, s.overlap);
}

// Evaluates centers [first, last) in one tile, or in two halves if they have too many edges.
std::string PairNNP::evaluate_centers(int first, int last)
{
  nnpal::PairNNPState &s = *state_;
  bool fits = gather(first, last);
  if (!s.overlap.empty()) return "";
  if (fits) {
    try {
      s.model->evaluate(s.tile, s.asked.uq_force, s.result);
    } catch (const std::exception &failure) {
      const bool ran_out = std::strstr(failure.what(), "CUDA out of memory") != nullptr;
      if (!ran_out || last - first == 1 || s.tile.n_edges() < kFewestEdges)
        return "model " + s.settings.model_path + ": " + failure.what();
      s.ran_out_of_memory = true;
      s.tile_edges = s.most_edges = s.tile.n_edges() / 2;    // from now on
      fits = false;
    }
  }
  if (!fits) {
    if (last - first == 1) {    // cannot be divided
      s.tile_edges = std::numeric_limits<int>::max();
      const std::string complaint = evaluate_centers(first, last);
      s.tile_edges = s.most_edges;
      return complaint;
    }
    const int middle = split_centers(first, last);
    const std::string complaint = evaluate_centers(first, middle);
    return complaint.empty() && s.overlap.empty() ? evaluate_centers(middle, last) : complaint;
  }
  const int wrong = nnpal::first_non_finite_atom(s.tile, s.result);
  if (wrong >= 0)
    return "model " + s.settings.model_path + " gives a non-finite energy or force for " +
           nnpal::name_of(*atom, s.tile_atoms[wrong]);
  tally_messages(tally());
  return evaluate_charges(s.tile_atoms.data());
}

// Halves the centers by a plane across the longest side: compact tiles have fewer atoms around them.
int PairNNP::split_centers(int first, int last)
{
  const double *const *x = atom->x;
  const auto begin = state_->centers.begin() + first, end = state_->centers.begin() + last;
  int widest = 0;
  double widest_side = -1.0;
  for (int k = 0; k < 3; ++k) {
    const auto [low, high] = std::minmax_element(begin, end, [&](int i, int j) { return x[i][k] < x[j][k]; });
    if (x[*high][k] - x[*low][k] <= widest_side) continue;
    widest_side = x[*high][k] - x[*low][k];
    widest = k;
  }
  const int middle = first + (last - first) / 2;
  std::nth_element(begin, state_->centers.begin() + middle, end,
                   [&](int i, int j) { return x[i][widest] < x[j][widest]; });
  return middle;
}

void PairNNP::tally_messages(const nnpal::Tally &tally)
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
