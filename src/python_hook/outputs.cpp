#include "outputs.h"

#include <cmath>

namespace nnpal {
namespace {

constexpr std::size_t kVirialPlaces = 6;
constexpr int kLanes = 8;

const char *const kVirialNames[kVirialPlaces] = {"xx", "yy", "zz", "xy", "xz", "yz"};

std::string complaint(std::size_t place, double value)
{
  const std::string found = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  return Outputs::name(place) + " is " + found + "; expected a finite number";
}

}    // namespace

void Outputs::remember_nan()
{
  was_nan_when_made.clear();
  for (const double value : vector) was_nan_when_made.push_back(std::isnan(value));
}

std::string Outputs::not_finite(bool is_trial) const
{
  if (is_trial && energy > 0 && std::isinf(energy)) return "";
  for (std::size_t place = 0; place < size(is_trial); place++) {
    const double value = at(place);
    if (std::isfinite(value)) continue;
    const bool is_nan_of_vector = place > kVirialPlaces && std::isnan(value);
    if (is_nan_of_vector && was_nan_when_made[place - kVirialPlaces - 1]) continue;
    return complaint(place, value) +
           (is_nan_of_vector ? " (an entry that is not always measured must be NaN after __init__)" : "");
  }
  return "";
}

std::size_t Outputs::size(bool is_trial) const
{
  return is_trial ? 1 : 1 + kVirialPlaces + vector.size();
}

double Outputs::at(std::size_t place) const
{
  if (place == 0) return energy;
  return place <= kVirialPlaces ? virial[place - 1] : vector[place - kVirialPlaces - 1];
}

void Outputs::set(std::size_t place, double value)
{
  if (place == 0)
    energy = value;
  else if (place <= kVirialPlaces)
    virial[place - 1] = value;
  else
    vector[place - kVirialPlaces - 1] = value;
}

std::string Outputs::name(std::size_t place)
{
  if (place == 0) return "energy";
  if (place <= kVirialPlaces) return std::string("virial ") + kVirialNames[place - 1];
  return "vector[" + std::to_string(place - kVirialPlaces - 1) + "]";
}

int first_not_finite(const double *vectors, int n)
{
  // 0 · x is 0 for every finite x and NaN otherwise. Independent sums let the compiler use vector registers.
  double sums[kLanes] = {};
  const int n_numbers = 3 * n;
  int at = 0;
  for (; at + kLanes <= n_numbers; at += kLanes)
    for (int lane = 0; lane < kLanes; lane++) sums[lane] += 0.0 * vectors[at + lane];
  for (; at < n_numbers; at++) sums[0] += 0.0 * vectors[at];
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  if (sum == 0.0) return -1;
  for (int i = 0; i < n_numbers; i++)
    if (!std::isfinite(vectors[i])) return i / 3;
  return -1;
}

}    // namespace nnpal
