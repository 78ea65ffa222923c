#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace nnpal {
namespace {

double largest_difference(const std::vector<double> &found, const double *expected, std::size_t n)
{
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    largest = std::isfinite(difference) ? std::max(largest, difference) : INFINITY;
  }
  return largest;
}

double largest_magnitude(const std::vector<double> &values)
{
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

Tile tile_of(const ReferenceConfiguration &reference)
{
  return {reference.n_local, reference.species, reference.center, reference.neighbor, reference.edge_vec};
}

}    // namespace

Model::Model(Metadata metadata, const ModelOptions &options) :
    metadata_(std::move(metadata)),
    n_members_(metadata_.n_members),
    is_double_(options.precision == ModelOptions::Precision::kDouble ||
               (options.precision == ModelOptions::Precision::kOfFile && metadata_.is_double))
{
}

void Model::evaluate(CenterTile &tile, bool with_member_gradients)
{
  as_plain_tile(tile, n_elements(), plain_);
  evaluate(plain_, with_member_gradients, plain_result_);
  take_result(plain_result_, tile);
}

void Model::evaluate_charges(CenterTile &tile, TileCharges &result)
{
  as_plain_tile(tile, n_elements(), plain_);
  evaluate_charges(plain_, result);
}

Model::~Model() = default;

void Model::set_self_energies(std::vector<double> values)
{
  if (values.size() != metadata_.elements.size())
    throw std::runtime_error("its self_energies are not one float64 for each element");
  if (!std::all_of(values.begin(), values.end(), [](double e) { return std::isfinite(e); }))
    throw std::runtime_error("its self_energies are not finite; export the model again");
  self_energies_ = std::move(values);
}

void Model::check_reference(bool with_gradient)
{
  const ReferenceConfiguration &reference = metadata_.reference;
  const Tile tile = tile_of(reference);
  TileResult result;
  evaluate(tile, false, result);

  const double relative = is_double_ ? 1e-8 : 1e-4;    // the model contract; float32 keeps 7 digits
  const double energy_error =
      largest_difference(result.energies, reference.energies.data(), result.energies.size());
  const double gradient_error = with_gradient ? largest_difference(result.gradient, reference.gradient.data(),
                                                                   reference.gradient.size())
                                              : 0.0;
  const double largest_gradient = largest_magnitude(reference.gradient);
  const bool energies_are_right = energy_error <= relative * largest_magnitude(reference.energies);
  if (energies_are_right && gradient_error <= relative * largest_gradient) return;
  // Earlier versions recorded gradients with torch's CELU slope, which is off by 1e-8 to 1e-7 in float64.
  const bool is_old_celu = is_double_ && energies_are_right && gradient_error <= 1e-6 * largest_gradient;
  std::ostringstream message;
  message << "its self-check fails: on the reference configuration that the file carries, energies differ by "
          << energy_error << " eV and gradients by " << gradient_error << " eV/Å from the recorded ones; "
          << (is_old_celu ? "a difference this small is typical of CELU models exported by an earlier nnpal, "
                            "whose recorded gradients used torch's CELU slope (inexact in double precision): "
                            "export the model again, or use precision single"
                          : "the file or this build's kernel is wrong, export the model again");
  throw std::runtime_error(message.str());
}

void Model::check_reference_charges()
{
  const std::vector<double> &expected = metadata_.reference.charges;
  TileCharges found;
  evaluate_charges(tile_of(metadata_.reference), found);
  const auto sum = [](const std::vector<double> &values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  const double excess = sum(found.raw) / sum(found.weights);
  for (std::size_t i = 0; i < found.raw.size(); ++i) found.raw[i] -= found.weights[i] * excess;
  const double relative = is_double_ ? 1e-8 : 1e-4;    // as for the energies
  const double error = largest_difference(found.raw, expected.data(), expected.size());
  if (error <= relative * largest_magnitude(expected)) return;
  std::ostringstream message;
  message << "its self-check fails: on the reference configuration that the file carries, charges differ by "
          << error
          << " e from the recorded ones; the file or this build's kernel is wrong, export the model again";
  throw std::runtime_error(message.str());
}

}    // namespace nnpal
