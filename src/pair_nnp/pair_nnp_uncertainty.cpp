// Values for fix pair and compute pair: the spread of the members.
#include "pair_nnp.h"

#include "list/atom_messages.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "modify.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace LAMMPS_NS;

void PairNNP::finish_uq_force()
{
  nnpal::PairNNPState &s = *state_;
  comm->reverse_comm(this);
  const int n_members = s.model->n_members();
  s.uq_force.values.resize(std::max(atom->nlocal, 1));
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
    s.uq_force.values[i] = std::sqrt(variance);
  }
  s.uq_force.is_computed = true;
}

// The calibration of the members in use, or null: it does not apply to the spread of fewer members than it
// was fitted to.
const nnpal::Calibration *PairNNP::calibration() const
{
  const nnpal::Model &model = *state_->model;
  const auto &of_file = model.metadata().calibration;
  return of_file && model.n_members() == model.metadata().n_members ? &*of_file : nullptr;
}

// Returns a complaint for the user, or "" if the model can compute this value.
std::string PairNNP::why_not(const nnpal::AtomField &field) const
{
  if (!state_->model) return "";    // init_style() reports the missing file
  const nnpal::Model &model = *state_->model;
  const std::string &path = state_->settings.model_path;
  if (&field == &state_->charge)
    return model.metadata().has_charges ? ""
                                        : fmt::format("charge needs a model with charge networks, such as "
                                                      "torchani.models.ANImbis, but model {} has "
                                                      "none; leave charge out of fix pair",
                                                      path);
  if (model.n_members() == 1)
    return fmt::format("the uncertainty of an ensemble needs at least 2 members, but model {} is used with 1",
                       path);
  if (&field != &state_->error_force || calibration()) return "";
  if (model.metadata().calibration)
    return fmt::format(
        "error_force is calibrated for all {} members of model {}, but members is {}; use members all",
        model.metadata().n_members, path, model.n_members());
  return fmt::format(
      "error_force needs a calibrated model, but model {0} holds no calibration; train it with this "
      "version of nnpal, or calibrate it by `nnpal calibrate {0} LABELED`",
      path);
}

void PairNNP::finish_error_force()
{
  nnpal::PairNNPState &s = *state_;
  const nnpal::ForceRecipe &recipe = calibration()->force;
  s.error_force.values.assign(std::max(atom->nlocal, 1), 0.0);
  for (const int i : s.centers)
    s.error_force.values[i] =
        recipe.error(s.uq_force.values[i] / s.energy_scale, map[atom->type[i]]) * s.energy_scale;
  s.error_force.is_computed = true;
}

// Sets values that are not computed to infinity for compute pair; not to NaN, because comparisons with NaN
// are false, so that fix halt would never stop, and `compute reduce max` ignores NaN.
void PairNNP::forget_summary()
{
  std::fill_n(pvector, nextra, comm->me == 0 ? std::numeric_limits<double>::infinity() : 0.0);
}

// Returns a complaint for the user, or "". Maxima ignore NaN, so each value is checked.
std::string PairNNP::non_finite_uncertainty() const
{
  const nnpal::PairNNPState &s = *state_;
  for (const int i : s.centers)
    if ((s.asked.uq_energy && !std::isfinite(s.uq_energy.values[i])) ||
        (s.asked.uq_force && !std::isfinite(s.uq_force.values[i])) ||
        (s.asked.error_force && !std::isfinite(s.error_force.values[i])))
      return "model " + s.settings.model_path + " gives a non-finite uncertainty for " +
             nnpal::name_of(*atom, i);
  return "";
}

// compute pair sums the vector over the ranks, so only rank 0 holds the world's values.
void PairNNP::finish_summary()
{
  enum { kUQEnergy, kUQForce, kErrorForce, kRelative, kNumberOfMaxima };
  nnpal::PairNNPState &s = *state_;
  const std::size_t n_members = s.model->n_members();
  const std::size_t n_elements = s.model->metadata().elements.size();
  const std::size_t uq_energies = n_members,
                    counts = n_members + 1;    // after E_m; one count for each element
  const bool with_uq_force = s.asked.uq_force_in_summary;
  const nnpal::Calibration *calibrated = with_uq_force ? calibration() : nullptr;
  double largest[kNumberOfMaxima] = {}, world_largest[kNumberOfMaxima];
  std::vector<double> sums(counts + n_elements, 0.0), world_sums(sums.size());
  const auto raise = [&](int which, double value) { largest[which] = std::max(largest[which], value); };
  std::copy(s.member_energy.begin(), s.member_energy.end(), sums.begin());
  for (const int i : s.centers) {
    sums[counts + map[atom->type[i]]] += 1.0;
    raise(kUQEnergy, s.uq_energy.values[i]);
    sums[uq_energies] += s.uq_energy.values[i];
    if (with_uq_force) raise(kUQForce, s.uq_force.values[i]);
    if (!calibrated) continue;
    raise(kErrorForce, s.error_force.values[i]);
    raise(kRelative, calibrated->force.relative(s.uq_force.values[i] / s.energy_scale, map[atom->type[i]]));
  }
  MPI_Reduce(largest, world_largest, kNumberOfMaxima, MPI_DOUBLE, MPI_MAX, 0, world);
  MPI_Reduce(sums.data(), world_sums.data(), static_cast<int>(sums.size()), MPI_DOUBLE, MPI_SUM, 0, world);
  if (comm->me != 0) return;

  const std::vector<double> composition(world_sums.begin() + counts, world_sums.end());
  const double n_atoms = std::max(std::accumulate(composition.begin(), composition.end(), 0.0), 1.0);
  const auto m = static_cast<double>(n_members);
  const double mean = std::accumulate(world_sums.begin(), world_sums.begin() + n_members, 0.0) / m;
  double variance = 0.0;
  for (std::size_t k = 0; k < n_members; ++k) variance += (world_sums[k] - mean) * (world_sums[k] - mean) / m;
  pvector[0] = world_largest[kUQEnergy];
  pvector[1] = world_sums[uq_energies] / n_atoms;
  pvector[2] = std::sqrt(variance / n_atoms);
  if (with_uq_force) pvector[3] = world_largest[kUQForce];
  if (!calibrated) return;
  pvector[4] = world_largest[kErrorForce];
  if (calibrated->energy)
    pvector[5] = s.energy_scale * calibrated->energy->error(std::sqrt(variance) / s.energy_scale,
                                                            world_largest[kRelative], composition);
}

bool PairNNP::compute_pair_exists() const
{
  return !modify->get_compute_by_style("^pair$").empty();
}

// Forces of the members cost a backward pass each, so they are computed only if a `compute pair` is scheduled
// to be read, and at the start and end of a run, where a script may read it without a schedule.
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
