#include "model_file/metadata.h"

#include "model_file/json_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace nnpal {
namespace {

// `name`: the key that is wrong, with the keys of its enclosing objects.
[[noreturn]] void refuse(const std::string &what, const std::string &name = "")
{
  const bool is_calibration = name.rfind("calibration", 0) == 0;
  throw std::runtime_error(what + (is_calibration ? "; calibrate the file again with nnpal calibrate"
                                                  : "; export the model again with nnpal.export_ensemble"));
}

[[noreturn]] void refuse_value(const std::string &name, const std::string &expected)
{
  refuse("its nnpal.json has an unusable value for '" + name + "', expected " + expected, name);
}

constexpr double kNoLimit = std::numeric_limits<double>::max();
constexpr double kLargestExponent = 4.0;    // of the spread's power law; fits give 0.5 to 1
constexpr int kMostHops = 16;

const Json &find(const Json &json, const char *key, const std::string &name)
{
  const auto found = json.find(key);
  if (found == json.end()) refuse("its nnpal.json has no key '" + name + "'", name);
  return *found;
}

const Json &find(const Json &json, const char *key)
{
  return find(json, key, key);
}

template <typename T> T get(const Json &json, const char *key, const std::string &name)
{
  const Json &value = find(json, key, name);
  try {
    return JsonReader<T>::read(value);
  } catch (const std::exception &) {
    refuse("its nnpal.json has an unusable value for '" + name + "'", name);
  }
}

template <typename T> T get(const Json &json, const char *key)
{
  return get<T>(json, key, key);
}

Json parse(const std::string &text)
{
  Json json = parse_json(text);
  if (!json.is_object()) refuse("its nnpal.json is not a JSON object");
  return json;
}

void require_text(const Json &json, const char *key, const std::string &expected)
{
  const auto found = get<std::string>(json, key);
  if (found != expected)
    refuse(std::string("its nnpal.json says ") + key + " '" + found + "', expected '" + expected + "'");
}

bool has_columns(const std::vector<std::vector<double>> &rows, std::size_t n)
{
  return std::all_of(rows.begin(), rows.end(), [&](const auto &row) { return row.size() == n; });
}

std::vector<double> flatten(const std::vector<std::vector<double>> &rows)
{
  std::vector<double> flat;
  for (const auto &row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

// Read one number per element, each above 0 and at most `limit`.
std::vector<double> one_for_each(const Json &json, const char *key, std::size_t n_elements, double limit)
{
  const std::string name = std::string("calibration.force.") + key;
  const auto values = get<std::vector<double>>(json, key, name);
  const auto is_usable = [&](double value) { return value > 0.0 && value <= limit; };
  if (values.size() != n_elements || !std::all_of(values.begin(), values.end(), is_usable))
    refuse_value(name, std::to_string(n_elements) + " number(s), one for each element, above 0" +
                           (limit < kNoLimit ? " and at most 4" : ""));
  return values;
}

double positive(const Json &json, const char *key)
{
  const std::string name = std::string("calibration.energy.") + key;
  const auto value = get<double>(json, key, name);
  if (!(value > 0.0)) refuse_value(name, "a number above 0");
  return value;
}

std::vector<std::vector<double>> undetermined(const Json &json, std::size_t n_elements)
{
  const std::string name = "calibration.energy.undetermined";
  auto rows = get<std::vector<std::vector<double>>>(json, "undetermined", name);
  const auto is_part_of_unit_vector = [](double value) { return std::abs(value) <= 1.0 + 1e-6; };
  const auto numbers = flatten(rows);
  if (!has_columns(rows, n_elements) || !std::all_of(numbers.begin(), numbers.end(), is_part_of_unit_vector))
    refuse_value(name, "rows of a number for each element");
  return rows;
}

// Files of format 1 have none.
std::optional<Calibration> parse_calibration(const Json &metadata, std::size_t n_elements, int n_members)
{
  const Json &json = find(metadata, "calibration");
  if (json.is_null()) return std::nullopt;
  if (!json.is_object()) refuse_value("calibration", "null or an object");
  if (n_members < 2) refuse_value("calibration", "null, for a single member has no spread");
  const Json &force = find(json, "force", "calibration.force");
  const Json &energy = find(json, "energy", "calibration.energy");
  if (!force.is_object()) refuse_value("calibration.force", "an object");
  if (!energy.is_null() && !energy.is_object()) refuse_value("calibration.energy", "null or an object");
  Calibration calibration;
  calibration.force = {one_for_each(force, "knee", n_elements, kNoLimit),
                       one_for_each(force, "error_at_knee", n_elements, kNoLimit),
                       one_for_each(force, "exponent", n_elements, kLargestExponent)};
  if (!energy.is_null())
    calibration.energy = {positive(energy, "factor"), positive(energy, "largest_per_atom"),
                          positive(energy, "largest"), undetermined(energy, n_elements)};
  return calibration;
}

bool are_below(std::int64_t limit, const std::vector<std::int64_t> &indices)
{
  return std::all_of(indices.begin(), indices.end(), [&](auto index) { return index >= 0 && index < limit; });
}

ReferenceConfiguration parse_reference(const Json &json, int n_members, std::int64_t n_elements, int hops,
                                       bool has_charges)
{
  ReferenceConfiguration reference;
  reference.species = get<std::vector<std::int64_t>>(json, "species");
  reference.n_local = get<int>(json, "n_local");
  const auto edges = get<std::vector<std::vector<std::int64_t>>>(json, "edge_index");
  if (edges.size() != 2) refuse("its reference configuration has no edge_index of shape [2, n_edges]");
  reference.center = edges[0];
  reference.neighbor = edges[1];
  const auto edge_vec = get<std::vector<std::vector<double>>>(json, "edge_vec");
  const auto energies = get<std::vector<std::vector<double>>>(json, "energies");
  const auto gradient = get<std::vector<std::vector<double>>>(json, "gradient");
  const std::size_t n_edges = reference.center.size(), n_atoms = reference.species.size();
  const auto n_local = static_cast<std::size_t>(reference.n_local);
  if (n_edges == 0 || reference.neighbor.size() != n_edges || edge_vec.size() != n_edges ||
      gradient.size() != n_edges || reference.n_local < 1 || n_local > n_atoms ||
      energies.size() != static_cast<std::size_t>(n_members) || !has_columns(edge_vec, 3) ||
      !has_columns(gradient, 3) || !has_columns(energies, n_local) ||
      !are_below(n_elements, reference.species) ||
      !are_below(hops == 1 ? reference.n_local : static_cast<std::int64_t>(n_atoms), reference.center) ||
      !are_below(static_cast<std::int64_t>(n_atoms), reference.neighbor))
    refuse("the arrays of its reference configuration do not fit each other");
  reference.edge_vec = flatten(edge_vec);
  reference.energies = flatten(energies);
  reference.gradient = flatten(gradient);
  if (!has_charges) return reference;
  reference.charges = get<std::vector<double>>(json, "charges", "reference.charges");
  if (reference.charges.size() != n_local)
    refuse("its reference configuration has not one charge for each center");
  return reference;
}

}    // namespace

Metadata parse_metadata(const std::string &json_text)
{
  const Json json = parse(json_text);
  require_text(json, "format", "nnpal-model");
  const int version = get<int>(json, "format_version");
  if (version > kFormatVersion || version < 1)
    throw std::runtime_error("its format version is " + std::to_string(version) +
                             ", this nnpal reads up to " + std::to_string(kFormatVersion) +
                             "; install a newer nnpal");
  require_text(json, "energy_unit", "eV");
  require_text(json, "length_unit", "angstrom");

  Metadata metadata;
  metadata.format_version = version;
  metadata.hops = get<int>(json, "hops");
  const int most_hops = version >= 3 ? kMostHops : 1;
  if (metadata.hops < 1 || metadata.hops > most_hops)
    refuse_value("hops", "1" + (most_hops > 1 ? " to " + std::to_string(most_hops) : std::string()));
  metadata.elements = get<std::vector<std::string>>(json, "elements");
  metadata.cutoff = get<double>(json, "cutoff");
  metadata.n_members = get<int>(json, "n_members");
  metadata.kernel = get<std::string>(json, "kernel");
  if (metadata.kernel != "fused" && metadata.kernel != "torchani" && metadata.kernel != "modules")
    refuse_value("kernel", "fused, torchani or modules");
  const auto dtype = get<std::string>(json, "dtype");
  if (dtype != "float32" && dtype != "float64")
    refuse("its nnpal.json says dtype '" + dtype + "', expected float32 or float64");
  metadata.is_double = dtype == "float64";
  if (metadata.elements.empty()) refuse("its nnpal.json lists no elements");
  if (!(metadata.cutoff > 0.0)) refuse("its nnpal.json has a cutoff that is not positive");
  if (metadata.n_members < 1) refuse("its nnpal.json has n_members below 1");
  for (const char *key : {"versions", "provenance", "dataset_hash"}) find(json, key);
  for (const char *key : {"kind", "pair_terms"})
    if (version >= 3) find(json, key);
  if (version >= 3 && json.contains("charges")) metadata.has_charges = get<bool>(json, "charges");
  const Json &reference = find(json, "reference");
  if (!reference.is_object()) refuse("its nnpal.json lacks the reference configuration");
  metadata.reference =
      parse_reference(reference, metadata.n_members, static_cast<std::int64_t>(metadata.elements.size()),
                      metadata.hops, metadata.has_charges);
  if (version >= 2)
    metadata.calibration = parse_calibration(json, metadata.elements.size(), metadata.n_members);
  return metadata;
}

}    // namespace nnpal
