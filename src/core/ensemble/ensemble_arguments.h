// The networks of an ensemble over AEVs, checked once for every device.
#pragma once

#include "aev/aev_arguments.h"
#include "networks/activation.h"

#include <cstdint>
#include <vector>

namespace nnpal {

// Networks of all members; a member has one for each element.
struct EnsembleArguments {
  AEVArguments aev;
  // Of each element: outputs of every layer, the last of which is 1; members have the same.
  std::vector<std::vector<std::int64_t>> layers;
  std::int64_t n_members;
  Activation activation;
  double alpha;           // of CELU
  double energy_scale;    // of the networks' outputs, to eV

  // Where the block of weights of a member's network begins; layer by layer weight [n_out, n_in], bias
  // [n_out].
  std::int64_t offset(std::int64_t element, std::int64_t member) const;
  std::int64_t n_weights() const;
};

}    // namespace nnpal
