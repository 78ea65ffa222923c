// The value `charge` of fix pair: the tiles' raw charges, corrected to a sum of 0 over all atoms of the
// world.
#include "pair_nnp.h"

#include "list/atom_messages.h"
#include "pair_nnp_state.h"

#include "atom.h"

#include <cmath>
#include <exception>
#include <limits>

using namespace LAMMPS_NS;

// Evaluates raw charges of the current tile, with these centers, if requested. Returns a complaint for the
// user, or "".
std::string PairNNP::evaluate_charges(const int *centers)
{
  nnpal::PairNNPState &s = *state_;
  if (!s.asked.charge) return "";
  try {
    if (s.model->hops() == 1)
      s.model->evaluate_charges(s.center_tile, s.charges);
    else
      s.model->evaluate_charges(s.tile, s.charges);
  } catch (const std::exception &failure) {
    return "model " + s.settings.model_path + ": " + failure.what();
  }
  for (std::size_t c = 0; c < s.charges.raw.size(); ++c) {
    const int i = centers[c];
    s.charge.values[i] = s.charges.raw[c];
    s.charge_weights[i] = s.charges.weights[c];
    if (!std::isfinite(s.charges.raw[c]) || !std::isfinite(s.charges.weights[c]))
      return fmt::format("model {} gives a non-finite charge for {}", s.settings.model_path,
                         nnpal::name_of(*atom, i));
  }
  return "";
}

// Every rank must call. Returns a complaint if no atom of the world has a raw charge: the charges are then
// 0/0, and are set to infinity. Atoms without an energy here (absent ones, those of other sub-styles) have no
// charge.
std::string PairNNP::finish_charges()
{
  nnpal::PairNNPState &s = *state_;
  enum { kExcess, kWeights, kCenters, kNumberOfSums };
  double sums[kNumberOfSums] = {}, of_world[kNumberOfSums];
  for (const int i : s.centers) {
    sums[kExcess] += s.charge.values[i];
    sums[kWeights] += s.charge_weights[i];
  }
  sums[kCenters] = static_cast<double>(s.centers.size());
  MPI_Allreduce(sums, of_world, kNumberOfSums, MPI_DOUBLE, MPI_SUM, world);
  s.charge.is_computed = true;
  const bool are_defined = of_world[kWeights] > 0.0;
  const double excess = are_defined ? of_world[kExcess] / of_world[kWeights] : 0.0;
  for (const int i : s.centers) {
    if (are_defined)
      s.charge.values[i] -= s.charge_weights[i] * excess;
    else
      s.charge.values[i] = std::numeric_limits<double>::infinity();
  }
  if (are_defined || s.centers.empty()) return "";
  return fmt::format("charges are not defined: the charge networks of model {} give 0 to {} and to each of "
                     "the {:.0f} atom(s), as "
                     "they do without neighbors within the cutoff, and charges are shared out in proportion "
                     "to their squares; ask "
                     "for charges of molecules, not of isolated atoms",
                     s.settings.model_path, nnpal::name_of(*atom, s.centers.front()), of_world[kCenters]);
}
