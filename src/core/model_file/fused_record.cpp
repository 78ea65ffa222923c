#include "model_file/fused_record.h"

#include "model_file/json_reader.h"

#include <algorithm>
#include <stdexcept>

namespace nnpal {
namespace {

constexpr double kMostFeatures = 1 << 20, kMostOutputs = 1 << 20;    // so that products stay in range

[[noreturn]] void refuse(const std::string &what)
{
  throw std::runtime_error("its fused.json " + what + "; export the model again with nnpal.export_ensemble");
}

template <class T> T get(const Json &json, const char *key)
{
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (!json.is_object() || found == json.end()) refuse("has no key '" + std::string(key) + "'");
  try {
    return JsonReader<T>::read(*found);
  } catch (const std::exception &) {
    refuse("has an unusable value for '" + std::string(key) + "'");
  }
}

const Json &object(const Json &json, const char *key)
{
  const auto found = json.find(key);
  if (found == json.end() || !found->is_object()) refuse("has no object '" + std::string(key) + "'");
  return *found;
}

double triple_pairs(double n)
{
  return 3.0 * n * n;
}

AEVArguments read_aev(const Json &json, const Metadata &metadata)
{
  AEVArguments aev{static_cast<std::int64_t>(metadata.elements.size()),
                   get<std::vector<double>>(json, "radial"),
                   get<std::vector<double>>(json, "radial_shifts"),
                   get<std::vector<double>>(json, "angular"),
                   get<std::vector<double>>(json, "angular_shifts"),
                   get<std::vector<double>>(json, "angular_sections"),
                   get<std::string>(json, "cutoff_function")};
  aev.check();
  const auto n = static_cast<double>(aev.n_elements);
  const double radial = n * static_cast<double>(aev.radial_shifts.size());
  const double angular = n * (n + 1) / 2 * static_cast<double>(aev.angular_shifts.size()) *
                         static_cast<double>(aev.angular_sections.size());
  if (radial + angular > kMostFeatures) refuse("describes AEVs of more than a million numbers");
  if (aev.radial[0] > metadata.cutoff) refuse("has a radial cutoff beyond the cutoff of the edges");
  return aev;
}

EnsembleArguments read_networks(const Json &networks, const AEVArguments &aev, int n_members,
                                const Metadata &metadata)
{
  const auto activation = get<std::string>(networks, "activation");
  if (activation != "gelu" && activation != "celu") refuse("has an activation that is neither gelu nor celu");
  EnsembleArguments ensemble{aev,
                             get<std::vector<std::vector<std::int64_t>>>(networks, "layers"),
                             n_members,
                             activation == "gelu" ? Activation::kGELU : Activation::kCELU,
                             get<double>(networks, "alpha"),
                             get<double>(networks, "energy_scale")};
  if (ensemble.activation == Activation::kCELU && !(ensemble.alpha > 0))
    refuse("has an alpha of CELU below 0");
  if (ensemble.layers.size() != metadata.elements.size()) refuse("has not the layers of each element");
  for (const auto &layers : ensemble.layers) {
    if (layers.empty() || layers.back() != 1) refuse("has networks whose last layer is not one output");
    for (const std::int64_t n_out : layers)
      if (n_out < 1 || static_cast<double>(n_out) > kMostOutputs) refuse("has a layer of an impossible size");
  }
  return ensemble;
}

std::optional<Repulsion> read_repulsion(const Json &json, const Metadata &metadata)
{
  const auto found = json.find("repulsion");
  if (found == json.end()) refuse("has no key 'repulsion'");
  if (found->is_null()) return std::nullopt;
  const Json &own = object(json, "repulsion");
  Repulsion repulsion{{static_cast<std::int64_t>(metadata.elements.size()), get<double>(own, "cutoff"),
                       get<std::string>(own, "cutoff_function"), get<double>(own, "energy_scale"),
                       get<double>(own, "length_scale")},
                      get<std::vector<double>>(own, "parameters")};
  repulsion.arguments.check();
  if (static_cast<double>(repulsion.parameters.size()) !=
      triple_pairs(static_cast<double>(metadata.elements.size())))
    refuse("has not three parameters of the repulsion for each pair of elements");
  return repulsion;
}

// In floating point, because a damaged size could overflow an integer.
double number_of_weights(const EnsembleArguments &ensemble)
{
  double n = 0.0;
  for (const auto &layers : ensemble.layers) {
    auto n_in = static_cast<double>(ensemble.aev.n_features());
    for (const std::int64_t n_out : layers) {
      n += static_cast<double>(n_out) * (n_in + 1.0);
      n_in = static_cast<double>(n_out);
    }
  }
  return n * static_cast<double>(ensemble.n_members);
}

std::string_view read_weights(const Json &json, const Archive &archive, const EnsembleArguments &ensemble,
                              const Metadata &metadata)
{
  const auto name = get<std::string>(json, "record");
  const auto found = archive.stored_record(name);
  if (!found)
    refuse("names the record " + printable(name) + " for the weights, which the file does not hold");
  const double n = number_of_weights(ensemble), width = metadata.is_double ? 8.0 : 4.0;
  if (static_cast<double>(found->size()) != n * width)
    refuse("describes networks with " + std::to_string(static_cast<std::uint64_t>(std::min(n, 1e18))) +
           " weights, but the record " + printable(name) + " has " + std::to_string(found->size()) +
           " bytes");
  return *found;
}

std::optional<ChargeNetworks> read_charges(const Json &json, const AEVArguments &aev, const Archive &archive,
                                           const Metadata &metadata)
{
  if (!metadata.has_charges) return std::nullopt;
  const Json &own = object(json, "charges");
  const int n_networks = get<int>(own, "n_networks");
  if (n_networks < 1) refuse("has charges of no networks");
  ChargeNetworks charges{read_networks(own, aev, n_networks, metadata),
                         get<std::vector<double>>(own, "shares"),
                         get<bool>(own, "scale_by_squares"),
                         {}};
  if (charges.shares.size() != metadata.elements.size())
    refuse("has not one share of the excess charge for each element");
  charges.weights = read_weights(object(own, "weights"), archive, charges.ensemble, metadata);
  return charges;
}

}    // namespace

std::optional<FusedRecord> read_fused_record(const Archive &archive, const Metadata &metadata)
{
  const auto text = archive.record(kFusedRecord);
  if (!text || metadata.kernel != "fused") return std::nullopt;
  const Json json = parse_json(*text);
  if (!json.is_object()) refuse("is not a JSON object");
  if (const int version = get<int>(json, "version"); version != kFusedVersion)
    refuse("has version " + std::to_string(version) + ", expected " + std::to_string(kFusedVersion));
  if (metadata.hops != 1) refuse("is of a model of several hops");
  try {
    const AEVArguments aev = read_aev(object(json, "aev"), metadata);
    FusedRecord record{read_networks(object(json, "networks"), aev, metadata.n_members, metadata),
                       get<std::vector<double>>(json, "self_energies"),
                       read_repulsion(json, metadata),
                       read_charges(json, aev, archive, metadata),
                       {}};
    record.weights = read_weights(object(json, "weights"), archive, record.ensemble, metadata);
    return record;
  } catch (const std::invalid_argument &error) {    // from the arguments' own checks
    refuse(std::string("is wrong: ") + error.what());
  }
}

}    // namespace nnpal
