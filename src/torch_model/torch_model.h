// A model evaluated by libtorch: any file, on any device.
#pragma once

#include "device_atoms.h"
#include "edge_chunks.h"
#include "evaluator.h"
#include "model/model.h"
#include "python_lock_guard.h"
#include "thread_guard.h"

#include <ATen/Context.h>
#include <torch/types.h>
#include <torch/version.h>

namespace nnpal {

// Sets TF32 in cuBLAS for one evaluation, only on a GPU: the process may be a Python that also trains.
class TF32Guard {
public:
  TF32Guard(bool on_gpu, bool allow) : changes_(on_gpu && (get() == kTF32) != allow)
  {
    if (!changes_) return;
    saved_ = get();
    set(allow ? kTF32 : kFull);
  }
  ~TF32Guard()
  {
    if (changes_) set(saved_);
  }
  TF32Guard(const TF32Guard &) = delete;
  TF32Guard &operator=(const TF32Guard &) = delete;

private:
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
  // torch's old names cannot read settings made by its new ones.
  using Setting = at::Float32Precision;
  static constexpr Setting kTF32 = Setting::TF32, kFull = Setting::IEEE;
  static Setting get()
  {
    return at::globalContext().float32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL);
  }
  static void set(Setting setting)
  {
    at::globalContext().setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL, setting);
  }
#else
  using Setting = bool;
  static constexpr Setting kTF32 = true, kFull = false;
  static Setting get() { return at::globalContext().allowTF32CuBLAS(); }
  static void set(Setting setting) { at::globalContext().setAllowTF32CuBLAS(setting); }
#endif
  bool changes_;
  Setting saved_ = kFull;
};

// The message of a libtorch error: its first line, because the rest is a stack trace; or the last line of an
// error in TorchScript, where the trace comes first.
std::string essence(const std::exception &error);

class TorchModel : public Model {
public:
  // `archive` is the whole file, its checksums already verified. Evaluates the file's reference
  // configuration and throws std::runtime_error, with a message for the user, if anything is wrong.
  TorchModel(const std::string &archive, Metadata metadata, const ModelOptions &options);
  ~TorchModel() override;

  bool is_on_gpu() const override;
  bool finds_neighbors() const override;
  int centers_per_tile() const override;
  int edges_per_tile() const override;
  using Model::evaluate;    // of a CenterTile
  using Model::evaluate_charges;
  void evaluate(const Tile &tile, bool with_member_gradients, TileResult &result) override;
  void evaluate_charges(const Tile &tile, TileCharges &result) override;
  void evaluate(const Positions &positions, const Wanted &wanted, PositionsResult &result) override;

  struct Impl;

private:
  std::unique_ptr<Impl> impl_;
};

struct TorchModel::Impl {
  std::unique_ptr<Evaluator> evaluator;
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat32;
  torch::Tensor edge_vec;    // reused from tile to tile
  int n_threads = 1;
  bool allows_tf32 = false;                // matrix products with 10-bit mantissas, on GPUs that have them
  std::vector<std::int64_t> edge_index;    // reused from tile to tile
  // Of evaluate(Positions)
  DeviceAtoms atoms;
  std::int64_t bytes_at_once = 0;    // of the edges in memory together; 0 before the first evaluation
  EdgeMarks marks;                   // of the last evaluation; determines the next one's capacity
  torch::Tensor downloaded, pinned;

  torch::Tensor upload(const std::vector<std::int64_t> &values, at::IntArrayRef shape) const
  {
    return torch::from_blob(const_cast<std::int64_t *>(values.data()), shape, torch::kInt64).to(device);
  }

  // Inputs of the model contract (docs/export.md) besides the number of centers.
  struct Inputs {
    torch::Tensor species, edge_index, edge_vec;
  };
  Inputs upload(const Tile &tile);    // edge_vec is overwritten by the next one
};

// Number of CUDA devices that libtorch can use; 0 for a CPU build.
int cuda_device_count();

// Whether torch.ops.nnpal was compiled for CUDA.
bool operations_include_cuda();

}    // namespace nnpal
