#include "evaluator.h"

#include "compiled_evaluator.h"
#include "compiled_record.h"
#include "denormals_in_torch.h"

#include <sstream>
#include <torch/script.h>
#include <torch/torch.h>

namespace nnpal {
namespace {

using torch::Tensor;

// Methods of archives besides forward: energies and gradients in one pass, or one member at a time.
constexpr const char *kGradientMethod = "energies_and_gradients";
constexpr const char *kMemberMethod = "member";
constexpr const char *kChargeMethod = "charges";

// d sum(energies) / d edge_vec; zeros if nothing depends on the edges.
Tensor gradient_of(const Tensor &sum, const Tensor &edge_vec, bool keep_graph)
{
  if (edge_vec.size(0) == 0 || !sum.requires_grad()) return torch::zeros_like(edge_vec).detach();
  const Tensor found = torch::autograd::grad({sum}, {edge_vec}, {}, keep_graph, /*create_graph=*/false,
                                             /*allow_unused=*/true)[0];
  return found.defined() ? found : torch::zeros_like(edge_vec).detach();
}

// A TorchScript archive, whatever its methods are.
class Scripted : public Evaluator {
public:
  Scripted(torch::jit::Module module, const Metadata &metadata) :
      module_(std::move(module)),
      has_charges_(metadata.has_charges)
  {
    use_members(metadata.n_members);
    if (has_charges_) module_.get_method(kChargeMethod);    // throws where there is none
  }

  std::vector<double> self_energies() const override
  {
    const Tensor own = module_.attr("self_energies").toTensor().contiguous();
    if (own.scalar_type() != torch::kFloat64) return {};
    return {own.data_ptr<double>(), own.data_ptr<double>() + own.numel()};
  }

  // Module::to(device, dtype) would convert integer buffers to floating point, too. Derivatives with respect
  // to parameters are not needed, and would cost memory.
  void move_to(torch::Device device, torch::Dtype dtype) override
  {
    device_ = device;
    const auto move = [&](Tensor tensor) {
      tensor.set_data(tensor.is_floating_point() ? tensor.to(device, dtype) : tensor.to(device));
    };
    for (const auto &parameter : module_.parameters()) {
      move(parameter);
      parameter.set_requires_grad(false);
    }
    for (const auto &buffer : module_.buffers()) move(buffer);
  }

  void use_members(int n_members) override
  {
    n_members_ = n_members;
    module_.setattr("n_active", static_cast<std::int64_t>(n_members));
  }

  void optimize() override { freeze_with({}); }
  bool passes_over_spare_edges() const override { return false; }

  std::pair<Tensor, Tensor> charges(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index,
                                    const Tensor &edge_vec) override
  {
    const FlushInTorch flushed(device_.is_cpu());
    const torch::NoGradGuard inference;
    const auto both = module_.get_method(kChargeMethod)({species, n_centers, edge_index, edge_vec}).toTuple();
    return {both->elements()[0].toTensor(), both->elements()[1].toTensor()};
  }

protected:
  // Methods other than forward are lost unless they are named.
  void freeze_with(std::vector<std::string> methods)
  {
    if (has_charges_) methods.emplace_back(kChargeMethod);
    module_ = torch::jit::freeze(module_, methods);
  }

  torch::jit::Module module_;
  bool has_charges_;
  torch::Device device_ = torch::kCPU;
  int n_members_ = 0;
};

// Kernel fused: torch.ops.nnpal gives both in one pass.
class InOnePass : public Scripted {
public:
  using Scripted::Scripted;

  void optimize() override { freeze_with({kGradientMethod}); }
  bool passes_over_spare_edges() const override { return true; }

  Evaluated evaluate(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index, Tensor edge_vec,
                     bool with_member_gradients) override
  {
    const torch::NoGradGuard inference;
    const auto both =
        module_.get_method(kGradientMethod)({species, n_centers, edge_index, edge_vec, with_member_gradients})
            .toTuple();
    return {both->elements()[0].toTensor(), both->elements()[1].toTensor()};
  }
};

// Kernel torchani: members share their AEVs and thus one graph.
class AllByAutograd : public Scripted {
public:
  using Scripted::Scripted;

  Evaluated evaluate(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index, Tensor edge_vec,
                     bool with_member_gradients) override
  {
    const FlushInTorch flushed(device_.is_cpu());    // files of kernel fused do this themselves
    edge_vec.requires_grad_(true);
    const Tensor energies = module_.forward({species, n_centers, edge_index, edge_vec}).toTensor();
    const std::int64_t n_members = with_member_gradients ? energies.size(0) : 0;
    // The mean has its own backward pass, so that requesting uq_force never changes the forces.
    std::vector<Tensor> gradients{gradient_of(energies.mean(0).sum(), edge_vec, with_member_gradients)};
    for (std::int64_t m = 0; m < n_members; ++m)
      gradients.push_back(gradient_of(energies[m].sum(), edge_vec, m + 1 < n_members));
    return {energies.detach(), torch::stack(gradients)};
  }
};

// Kernel modules: members share nothing. Evaluation one at a time needs the memory of one member, and always
// gives its gradient.
class MemberByMember : public Scripted {
public:
  using Scripted::Scripted;

  // A user's module may change its own attributes, which freezing refuses.
  void optimize() override {}

  Evaluated evaluate(const Tensor &species, std::int64_t n_centers, const Tensor &edge_index, Tensor edge_vec,
                     bool with_member_gradients) override
  {
    const FlushInTorch flushed(device_.is_cpu());
    edge_vec.requires_grad_(true);
    const auto member = module_.get_method(kMemberMethod);
    std::vector<Tensor> energies, gradients{torch::zeros_like(edge_vec, torch::kFloat64).detach()};
    for (std::int64_t k = 0; k < n_members_; ++k) {
      const Tensor of_member = member({k, species, n_centers, edge_index, edge_vec}).toTensor();
      const Tensor gradient = gradient_of(of_member.sum(), edge_vec, false).to(torch::kFloat64);
      energies.push_back(of_member.detach());
      gradients[0].add_(gradient, 1.0 / n_members_);
      if (with_member_gradients) gradients.push_back(gradient);
    }
    return {torch::stack(energies), torch::stack(gradients)};
  }
};

}    // namespace

std::unique_ptr<Evaluator> load_evaluator(const std::string &archive, const Metadata &metadata)
{
  std::istringstream stream(archive);
  torch::jit::ExtraFilesMap compiled{{kCompiledRecord, ""}, {kCompiledPackage, ""}};
  torch::jit::Module module = torch::jit::load(stream, torch::kCPU, compiled);
  module.eval();
  if (metadata.kernel == "modules") {
    module.get_method(kMemberMethod);    // throws where there is none
    auto scripted = std::make_unique<MemberByMember>(module, metadata);
    const std::string &record = compiled[kCompiledRecord];
    if (record.empty()) return scripted;
    return compiled_evaluator(std::move(scripted), module, record, compiled[kCompiledPackage],
                              metadata.n_members);
  }
  if (module.find_method(kGradientMethod)) return std::make_unique<InOnePass>(std::move(module), metadata);
  return std::make_unique<AllByAutograd>(std::move(module), metadata);
}

}    // namespace nnpal
