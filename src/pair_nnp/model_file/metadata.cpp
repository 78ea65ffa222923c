#include "model_file/metadata.h"

#include "json.h"    // nlohmann's, as LAMMPS ships it

#include <stdexcept>

namespace nnpal {
namespace {

using Json = LAMMPS_NS::json;

[[noreturn]] void refuse(const std::string &what)
{
  throw std::runtime_error(what + "; export the model again with nnpal.export.export_ensemble");
}

template <typename T> T get(const Json &json, const char *key)
{
  if (!json.contains(key)) refuse(std::string("its nnpal.json has no key '") + key + "'");
  try {
    return json.at(key).get<T>();
  } catch (const std::exception &) {
    refuse(std::string("its nnpal.json has an unusable value for '") + key + "'");
  }
}

void require_text(const Json &json, const char *key, const std::string &expected)
{
  const auto found = get<std::string>(json, key);
  if (found != expected)
    refuse(std::string("its nnpal.json says ") + key + " '" + found + "', expected '" + expected + "'");
}

std::vector<double> flatten(const std::vector<std::vector<double>> &rows)
{
  std::vector<double> flat;
  for (const auto &row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

ReferenceConfiguration parse_reference(const Json &json, int n_members)
{
  ReferenceConfiguration reference;
  reference.species = get<std::vector<std::int64_t>>(json, "species");
  reference.n_local = get<int>(json, "n_local");
  const auto edges = get<std::vector<std::vector<std::int64_t>>>(json, "edge_index");
  if (edges.size() != 2) refuse("its reference configuration has no edge_index of shape [2, n_edges]");
  reference.center = edges[0];
  reference.neighbor = edges[1];
  reference.edge_vec = flatten(get<std::vector<std::vector<double>>>(json, "edge_vec"));
  reference.energies = flatten(get<std::vector<std::vector<double>>>(json, "energies"));
  reference.gradient = flatten(get<std::vector<std::vector<double>>>(json, "gradient"));
  const std::size_t n_edges = reference.center.size();
  if (reference.neighbor.size() != n_edges || reference.edge_vec.size() != 3 * n_edges ||
      reference.gradient.size() != 3 * n_edges || reference.n_local < 1 ||
      reference.species.size() < static_cast<std::size_t>(reference.n_local) ||
      reference.energies.size() != static_cast<std::size_t>(n_members) * reference.n_local)
    refuse("the arrays of its reference configuration do not fit each other");
  return reference;
}

}    // namespace

Metadata parse_metadata(const std::string &json_text)
{
  const Json json = Json::parse(json_text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) refuse("its nnpal.json is no JSON object");
  require_text(json, "format", "nnpal-model");
  const int version = get<int>(json, "format_version");
  if (version > kFormatVersion || version < 1)
    throw std::runtime_error("its format version is " + std::to_string(version) +
                             ", this nnpal reads up to " + std::to_string(kFormatVersion) +
                             "; install a newer nnpal");
  require_text(json, "energy_unit", "eV");
  require_text(json, "length_unit", "angstrom");
  const int hops = get<int>(json, "hops");
  if (hops != 1)
    throw std::runtime_error("it passes messages over " + std::to_string(hops) +
                             " hops, this nnpal evaluates models of 1 hop");

  Metadata metadata;
  metadata.elements = get<std::vector<std::string>>(json, "elements");
  metadata.cutoff = get<double>(json, "cutoff");
  metadata.n_members = get<int>(json, "n_members");
  metadata.kernel = get<std::string>(json, "kernel");
  const auto dtype = get<std::string>(json, "dtype");
  if (dtype != "float32" && dtype != "float64")
    refuse("its nnpal.json says dtype '" + dtype + "', expected float32 or float64");
  metadata.is_double = dtype == "float64";
  if (metadata.elements.empty()) refuse("its nnpal.json lists no elements");
  if (!(metadata.cutoff > 0.0)) refuse("its nnpal.json has a cutoff that is not positive");
  if (metadata.n_members < 1) refuse("its nnpal.json has n_members below 1");
  get<Json>(json, "versions");
  get<Json>(json, "provenance");
  get<Json>(json, "dataset_hash");
  metadata.reference = parse_reference(get<Json>(json, "reference"), metadata.n_members);
  return metadata;
}

}    // namespace nnpal
