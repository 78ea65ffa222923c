// torch.ops.nnpal.repulsion and repulsion_gradients: schema, checks, and the first derivative for autograd.
#include "pair_terms/repulsion.h"

#include <ATen/ops/constant_pad_nd.h>
#include <torch/autograd.h>
#include <torch/library.h>

namespace nnpal {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const RepulsionTwin &twin_of(const Tensor &on)
{
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return kRepulsionOnCUDA;
#endif
  aev_twin(on);    // refuses other devices
  return kRepulsionOnCPU;
}

std::tuple<Tensor, Tensor> evaluate(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                                    const Tensor &edge_vec, const Tensor &parameters, double cutoff,
                                    c10::string_view cutoff_function, double energy_scale,
                                    double length_scale)
{
  const at::NoGradGuard inference;
  const RepulsionArguments arguments{parameters.dim() == 3 ? parameters.size(1) : 0, cutoff,
                                     std::string(cutoff_function), energy_scale, length_scale};
  TORCH_CHECK_VALUE(parameters.dim() == 3 && parameters.size(0) == 3 && parameters.size(1) >= 1 &&
                        parameters.size(1) == parameters.size(2),
                    "parameters have shape ", parameters.sizes(), ", expected [3, n_elements, n_elements]");
  TORCH_CHECK_VALUE(
      parameters.scalar_type() == edge_vec.scalar_type() && parameters.device() == edge_vec.device(),
      "parameters are ", parameters.scalar_type(), " on ", parameters.device(), ", edge_vec is ",
      edge_vec.scalar_type(), " on ", edge_vec.device(), "; expected the same");
  arguments.check();
  const Graph graph = checked_graph(species, n_local, edge_index, edge_vec);
  return twin_of(edge_vec).evaluate(arguments, graph, parameters.contiguous());
}

struct Energies : torch::autograd::Function<Energies> {
  static Tensor forward(AutogradContext *context, const Tensor &edge_vec, const Tensor &species,
                        std::int64_t n_local, const Tensor &edge_index, const Tensor &parameters,
                        double cutoff, c10::string_view cutoff_function, double energy_scale,
                        double length_scale)
  {
    const auto [energies, gradients] = evaluate(species, n_local, edge_index, edge_vec, parameters, cutoff,
                                                cutoff_function, energy_scale, length_scale);
    context->save_for_backward({edge_index, gradients});
    return energies;
  }

  static variable_list backward(AutogradContext *context, const variable_list &grads)
  {
    const auto saved = context->get_saved_variables();
    TORCH_CHECK(!at::GradMode::is_enabled(),    // create_graph=True
                "nnpal::repulsion has first derivatives only");
    // 0 for the center n_local of padding edges
    const Tensor of_centers = at::constant_pad_nd(grads[0], {0, 1}).index_select(0, saved[0].select(0, 0));
    variable_list result(9);
    result[0] = of_centers.unsqueeze(1) * saved[1];
    return result;
  }
};

Tensor repulsion(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                 const Tensor &edge_vec, const Tensor &parameters, double cutoff,
                 c10::string_view cutoff_function, double energy_scale, double length_scale)
{
  TORCH_CHECK(!(at::GradMode::is_enabled() && parameters.requires_grad()),
              "nnpal::repulsion has no derivative in the parameters");
  return Energies::apply(edge_vec, species, n_local, edge_index, parameters, cutoff, cutoff_function,
                         energy_scale, length_scale);
}

}    // namespace

}    // namespace nnpal

#define NNPAL_SCHEMA                                                                                         \
  "Tensor species, int n_local, Tensor edge_index, Tensor edge_vec, Tensor parameters, float cutoff, str "   \
  "cutoff_function, float energy_scale, float length_scale"

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("repulsion(" NNPAL_SCHEMA ") -> Tensor", &nnpal::repulsion);
  m.def("repulsion_gradients(" NNPAL_SCHEMA ") -> (Tensor, Tensor)", &nnpal::evaluate);
}
