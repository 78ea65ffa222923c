// Metadata of a model file: the record `extra/nnpal.json` of its archive.
#pragma once

#include "model_file/calibration.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nnpal {

inline constexpr int kFormatVersion = 4;    // newest format this plugin reads
inline constexpr int kFusedSince = 4;       // first format with the record fused.json
inline constexpr char kMetadataRecord[] = "extra/nnpal.json";

// A small cluster with its results, evaluated in float64 at export.
struct ReferenceConfiguration {
  std::vector<std::int64_t> species;    // [n_atoms] element index
  int n_local = 0;
  std::vector<std::int64_t> center;      // [n_edges], ascending; below n_local if hops is 1
  std::vector<std::int64_t> neighbor;    // [n_edges]
  std::vector<double> edge_vec;          // [n_edges * 3] Å
  std::vector<double> energies;          // [n_members * n_local] eV
  std::vector<double> gradient;          // [n_edges * 3] of the members' mean energy, eV/Å
  std::vector<double> charges;           // [n_local] e; empty if the model has none
};

struct Metadata {
  int format_version = kFormatVersion;
  std::vector<std::string> elements;    // in the order of the element index
  double cutoff = 0.0;                  // Å, of the edges
  int n_members = 0;
  int hops = 1;              // edges of atoms within hops - 1 neighbor steps of a center are needed
  bool is_double = false;    // dtype of the weights
  std::string kernel;        // "fused", "torchani" or "modules"
  bool has_charges = false;
  ReferenceConfiguration reference;
  std::optional<Calibration> calibration;    // of the whole ensemble; since format 2
};

// Read the JSON text. Throws std::runtime_error that names the key and what was expected.
Metadata parse_metadata(const std::string &json_text);

}    // namespace nnpal
