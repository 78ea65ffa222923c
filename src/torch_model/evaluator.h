// Evaluation of a loaded archive. The only code that depends on how networks are stored and run; another
// format than TorchScript (such as AOTInductor's packages) is another class here.
#pragma once

#include "model_file/metadata.h"

#include <memory>
#include <string>
#include <torch/types.h>
#include <utility>
#include <vector>

namespace nnpal {

// Energies [n_members, n_centers] in eV, without self-energies. Gradients of their sums with respect to the
// edge vectors, eV/Å: that of the members' mean and, if requested, then that of each member, [1 or 1 +
// n_members, n_edges, 3].
struct Evaluated {
  torch::Tensor energies, gradients;
};

class Evaluator {
public:
  virtual ~Evaluator() = default;

  virtual std::vector<double>
  self_energies() const = 0;    // [n_elements] eV; empty if they are not in float64
  virtual void move_to(torch::Device device, torch::Dtype dtype) = 0;
  virtual void use_members(int n_members) = 0;    // number of members, the first ones
  virtual void optimize() = 0;                    // for the members in use, which no longer change
  // Whether padding edges may be at the end of the list.
  virtual bool passes_over_spare_edges() const = 0;

  // Arguments as in the model contract (docs/export.md), on the device that the networks are on.
  virtual Evaluated evaluate(const torch::Tensor &species, std::int64_t n_centers,
                             const torch::Tensor &edge_index, torch::Tensor edge_vec,
                             bool with_member_gradients) = 0;
  // Raw charges and their weights (model.h), float64 [n_centers] both; for archives that have them.
  virtual std::pair<torch::Tensor, torch::Tensor> charges(const torch::Tensor &species,
                                                          std::int64_t n_centers,
                                                          const torch::Tensor &edge_index,
                                                          const torch::Tensor &edge_vec) = 0;
};

// Throws libtorch's own errors if the archive cannot be loaded.
std::unique_ptr<Evaluator> load_evaluator(const std::string &archive, const Metadata &metadata);

}    // namespace nnpal
