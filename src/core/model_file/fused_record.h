// Parameters of kernel fused, read without libtorch: the record `extra/fused.json` of a model file, and the
// record with the weights, which it names.
#pragma once

#include "ensemble/ensemble_arguments.h"
#include "model_file/archive.h"
#include "model_file/metadata.h"
#include "pair_terms/repulsion_arguments.h"

#include <optional>
#include <string_view>
#include <vector>

namespace nnpal {

inline constexpr int kFusedVersion = 1;
inline constexpr char kFusedRecord[] = "extra/fused.json";

struct Repulsion {
  RepulsionArguments arguments;
  std::vector<double> parameters;    // [3 * n_elements * n_elements]
};

// Raw charges are the mean of these networks' outputs, e; see python/nnpal/model/charges.py.
struct ChargeNetworks {
  EnsembleArguments ensemble;
  std::vector<double> shares;    // [n_elements] weights for sharing the excess ...
  bool scale_by_squares;         // ... times the raw charge squared
  std::string_view weights;
};

struct FusedRecord {
  EnsembleArguments ensemble;
  std::vector<double> self_energies;    // [n_elements] eV
  std::optional<Repulsion> repulsion;
  std::optional<ChargeNetworks> charges;    // if metadata.has_charges
  std::string_view weights;    // in the file's memory: ensemble.n_weights() numbers of the file's dtype,
                               // little-endian, at any address
};

// None if the archive has no such record: a file of another kernel or of an earlier format, or one with
// energy terms that only libtorch evaluates. Throws std::runtime_error that names the fault.
std::optional<FusedRecord> read_fused_record(const Archive &archive, const Metadata &metadata);

}    // namespace nnpal
