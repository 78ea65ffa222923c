// What a Model holds of libtorch, for the files that evaluate it.
#pragma once

#include "model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/script.h>

namespace nnpal {

// Sets libtorch's intra-op threads for one evaluation: the process may be a Python that trains as well.
class ThreadGuard {
public:
  explicit ThreadGuard(int n_threads) : saved_(at::get_num_threads())
  {
    if (saved_ != n_threads) at::set_num_threads(n_threads);
  }
  ~ThreadGuard() { at::set_num_threads(saved_); }

private:
  int saved_;
};

// The same for TF32 in cuBLAS.
class TF32Guard {
public:
  explicit TF32Guard(bool allow) : saved_(at::globalContext().allowTF32CuBLAS())
  {
    if (saved_ != allow) at::globalContext().setAllowTF32CuBLAS(allow);
  }
  ~TF32Guard()
  {
    if (at::globalContext().allowTF32CuBLAS() != saved_) at::globalContext().setAllowTF32CuBLAS(saved_);
  }

private:
  bool saved_;
};

// What a libtorch error is about: its first line, for the rest is a stack trace; or the last one of an error
// inside TorchScript, for there the trace comes first.
std::string essence(const std::exception &error);

struct Model::Impl {
  torch::jit::Module module;
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat32;
  int n_threads = 1;
  bool allows_tf32 = false;    // matrix products of 10-bit mantissas, on GPUs that have them
  std::vector<std::int64_t> species, edge_index;    // reused from tile to tile
  torch::Tensor downloaded, pinned;                 // of evaluate(Positions)

  torch::Tensor upload(std::vector<std::int64_t> &values, at::IntArrayRef shape) const
  {
    return torch::from_blob(values.data(), shape, torch::kInt64).to(device);
  }

  // Energies [n_members, n_centres]; gradients of the mean and, where asked for, of each member after it,
  // [1 or 1 + n_members, n_edges, 3].
  struct Evaluated {
    torch::Tensor energies, gradients;
  };
  Evaluated evaluate(const torch::Tensor &species, std::int64_t n_centres, const torch::Tensor &edge_index,
                     torch::Tensor edge_vec, bool with_member_gradients);
};

}    // namespace nnpal
