#include "compiled_evaluator.h"

#include "compiled_record.h"
#include "denormals_in_torch.h"
#include "model_file/zip_directory.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <torch/torch.h>
#include <torch/version.h>
#include <unistd.h>

// Files are compiled by torch 2.13 or later, and run by the torch that compiled them.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#define NNPAL_LOADS_PACKAGES 1
#endif

namespace nnpal {
namespace {

#ifdef NNPAL_LOADS_PACKAGES

using torch::Tensor;
using Loader = torch::inductor::AOTIModelPackageLoader;

// torch.export treats sizes 0 and 1 as constants, so TorchScript evaluates such tiles.
constexpr std::int64_t kSmallest = 2;

torch::Dtype dtype_named(const std::string &name)
{
  static const std::map<std::string, torch::Dtype> known{{"float32", torch::kFloat32},
                                                         {"float64", torch::kFloat64},
                                                         {"int64", torch::kInt64},
                                                         {"int32", torch::kInt32},
                                                         {"bool", torch::kBool}};
  const auto found = known.find(name);
  if (found == known.end()) throw CompiledError("its compiled.json has an unknown dtype " + printable(name));
  return found->second;
}

// A file that is removed on destruction; libtorch reads packages by name, and unpacks them elsewhere.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string &content)
  {
    const char *folder = std::getenv("TMPDIR");
    name_ = std::string(folder && *folder ? folder : "/tmp") + "/nnpal-XXXXXX.pt2";
    const int descriptor = mkstemps(name_.data(), 4);
    if (descriptor < 0) fail();
    std::FILE *file = fdopen(descriptor, "wb");
    const bool is_written = file && std::fwrite(content.data(), 1, content.size(), file) == content.size();
    const bool is_closed = file && std::fclose(file) == 0;
    if (is_written && is_closed) return;
    const int why = errno;
    unlink(name_.c_str());
    errno = why;
    fail();
  }
  ~TemporaryFile() { unlink(name_.c_str()); }
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  const std::string &name() const { return name_; }

private:
  std::string name_;

  [[noreturn]] void fail() const
  {
    throw CompiledError("its compiled program cannot be written to " + name_ + " (" + std::strerror(errno) +
                        "); set TMPDIR to a folder with space");
  }
};

std::unique_ptr<Loader> load(const std::string &package)
{
  const TemporaryFile file(package);
  try {
    return std::make_unique<Loader>(file.name(), "model", /*run_single_threaded=*/true);
  } catch (const std::exception &error) {
    const std::string text(error.what());
    throw CompiledError(
        "libtorch cannot load its compiled program: " + printable(text.substr(0, text.find('\n'))) +
        "; TMPDIR must be a folder from which programs may run, else compile the file again");
  }
}

// A member's tensors in the order of the program's inputs.
std::vector<Tensor> weights_of(const torch::jit::Module &member, const CompiledRecord &record)
{
  std::map<std::string, Tensor> tensors;
  for (const auto &one : member.named_parameters()) tensors.emplace(one.name, one.value);
  for (const auto &one : member.named_buffers()) tensors.emplace(one.name, one.value);
  std::vector<Tensor> weights;
  for (const CompiledWeight &wanted : record.weights) {
    const auto found = tensors.find(wanted.name);
    if (found == tensors.end() || found->second.scalar_type() != dtype_named(wanted.dtype) ||
        found->second.sizes() != at::IntArrayRef(wanted.shape))
      throw CompiledError("a member has other weights than its compiled program takes (" +
                          printable(wanted.name) + "); compile the file again with nnpal compile");
    weights.push_back(found->second.detach().contiguous());
  }
  return weights;
}

// The package assumes the layout of compile time, and does not check its inputs.
Tensor checked(const Tensor &tensor, torch::Dtype dtype)
{
  TORCH_CHECK(tensor.scalar_type() == dtype && tensor.is_cpu(), "compiled program: an input is ",
              tensor.scalar_type(), " on ", tensor.device(), ", expected ", dtype, " on the CPU");
  return tensor.contiguous();
}

class Compiled : public Evaluator {
public:
  Compiled(std::unique_ptr<Evaluator> scripted, const torch::jit::Module &module,
           const CompiledRecord &record, const std::string &package, int n_members) :
      scripted_(std::move(scripted)),
      record_(record),
      dtype_(dtype_named(record.dtype)),
      n_members_(n_members)
  {
    const auto members = module.attr("members").toModule();
    for (int k = 0; k < n_members; ++k)
      weights_.push_back(weights_of(members.attr(std::to_string(k)).toModule(), record));
    loader_ = load(package);
  }

  std::vector<double> self_energies() const override { return scripted_->self_energies(); }
  std::pair<Tensor, Tensor> charges(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index,
                                    const Tensor &edge_vec) override
  {
    return scripted_->charges(species, n_centers, edge_index, edge_vec);
  }

  void move_to(torch::Device device, torch::Dtype dtype) override
  {
    if (!device.is_cpu() || dtype != dtype_)
      throw CompiledError("it is compiled for CPUs and " + record_.dtype + ": use device cpu and precision " +
                          (dtype_ == torch::kFloat32 ? "single" : "double") +
                          ", or the file that it was compiled from");
    scripted_->move_to(device, dtype);
  }

  void use_members(int n_members) override
  {
    n_members_ = n_members;
    scripted_->use_members(n_members);
  }

  void optimize() override { scripted_->optimize(); }
  bool passes_over_spare_edges() const override { return false; }

  Evaluated evaluate(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index, Tensor edge_vec,
                     bool with_member_gradients) override
  {
    if (!takes(species, n_centers, edge_index))
      return scripted_->evaluate(species, n_centers, edge_index, edge_vec, with_member_gradients);
    const torch::NoGradGuard inference;
    const FlushInTorch flushed(true);
    const std::vector<Tensor> graph{checked(species, torch::kInt64),
                                    torch::scalar_tensor(n_centers, torch::kInt64),
                                    checked(edge_index, torch::kInt64), checked(edge_vec, dtype_)};
    std::vector<Tensor> energies, gradients{torch::zeros_like(edge_vec, torch::kFloat64)};
    for (int k = 0; k < n_members_; ++k) {
      std::vector<Tensor> inputs = weights_[k];
      inputs.insert(inputs.end(), graph.begin(), graph.end());
      const std::vector<Tensor> outputs = loader_->run(inputs);
      TORCH_CHECK(outputs.size() == 2 && outputs[1].sizes() == edge_vec.sizes(),
                  "compiled program: it returned something else than energies and a gradient");
      energies.push_back(outputs[0].narrow(0, 0, n_centers));
      const Tensor gradient = outputs[1].to(torch::kFloat64);
      gradients[0].add_(gradient, 1.0 / n_members_);
      if (with_member_gradients) gradients.push_back(gradient);
    }
    return {torch::stack(energies), torch::stack(gradients)};
  }

private:
  std::unique_ptr<Evaluator> scripted_;    // for tiles that the program does not evaluate
  CompiledRecord record_;
  torch::Dtype dtype_;
  int n_members_;
  std::vector<std::vector<Tensor>> weights_;    // of each member
  std::unique_ptr<Loader> loader_;

  // Whether the program evaluates a tile: large enough, and with mostly edges of centers.
  bool takes(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index) const
  {
    const std::int64_t n_edges = edge_index.size(1);
    if (species.size(0) < kSmallest || n_edges < kSmallest) return false;
    if (!record_.largest_halo || n_centers == species.size(0)) return true;
    const auto of_centers = edge_index[0].lt(n_centers).sum().item<std::int64_t>();
    return static_cast<double>(n_edges) <= *record_.largest_halo * static_cast<double>(of_centers);
  }
};

#endif

}    // namespace

std::unique_ptr<Evaluator> compiled_evaluator(std::unique_ptr<Evaluator> scripted,
                                              const torch::jit::Module &module, const std::string &record,
                                              const std::string &package, int n_members)
{
  const CompiledRecord parsed = parse_compiled_record(record);
  const std::string version(TORCH_VERSION);
  check_runs_here(parsed, version.substr(0, version.find('+')));
  if (package.empty())
    throw CompiledError(
        "it has a compiled.json but no compiled.pt2; compile the file again with nnpal compile");
#ifdef NNPAL_LOADS_PACKAGES
  return std::make_unique<Compiled>(std::move(scripted), module, parsed, package, n_members);
#else
  throw CompiledError(
      "it is a compiled file, which needs torch 2.13 or later; use the file that it was compiled from");
#endif
}

}    // namespace nnpal
