// A rank's atoms on the model's device.
#pragma once

#include "model/model.h"

#include <torch/types.h>
#include <vector>

namespace nnpal {

// Copies go through pinned memory without waiting: synchronize with the device before the next call.
class DeviceAtoms {
public:
  // [n_atoms, 3] float64. On a CPU, LAMMPS's own memory.
  torch::Tensor positions(const Positions &atoms, const torch::Device &device);
  // Copy the atoms' element indices if they have changed.
  void update_species(const Positions &atoms, const torch::Device &device);
  // Element indices of n atoms from `first` on, then of all, int64 [n + n_atoms]; only of all if the n atoms
  // are the first ones. The same tensor is returned while they do not change.
  torch::Tensor species_of_part(std::int64_t first, std::int64_t n);

private:
  struct Part {
    std::int64_t first;
    torch::Tensor species;
  };
  std::vector<int> elements_;    // of the species below
  std::vector<Part> parts_;
  torch::Tensor species_, pinned_positions_, pinned_elements_;
};

}    // namespace nnpal
