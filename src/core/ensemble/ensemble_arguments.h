// The networks of an ensemble on AEVs, checked once for all devices.
#pragma once

#include "aev/aev_arguments.h"
#include "networks/activation.h"

#include <cstdint>
#include <vector>

namespace nnpal {

// Networks of all members; a member has one for each element.
struct EnsembleArguments {
  AEVArguments aev;
  // For each element: the outputs of every layer, the last of which is 1; the same for all members.
  std::vector<std::vector<std::int64_t>> layers;
  std::int64_t n_members;
  Activation activation;
  double alpha;           // of CELU
  double energy_scale;    // eV per unit of the outputs

  // Offset of the weights of a member's network; they are, layer by layer, weight [n_out, n_in] and bias
  // [n_out].
  std::int64_t offset(std::int64_t element, std::int64_t member) const;
  std::int64_t n_weights() const;
};

}    // namespace nnpal
