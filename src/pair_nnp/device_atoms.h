// A rank's atoms on the model's device.
#pragma once

#include "model.h"

#include <torch/types.h>

namespace nnpal {

// Copies go through pinned memory and are not waited for: the next call must come after the device has been.
class DeviceAtoms {
public:
  // [n_atoms, 3] float64. On a CPU LAMMPS's own memory.
  torch::Tensor positions(const Positions &atoms, const torch::Device &device);
  // [n_atoms] int64 element indices, copied where they are others than the last time.
  const torch::Tensor &species(const Positions &atoms, const torch::Device &device);

private:
  std::vector<int> elements_;    // of the species below
  torch::Tensor species_, pinned_positions_, pinned_elements_;
};

}    // namespace nnpal
