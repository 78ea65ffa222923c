// torch.ops.nnpal.ensemble and ensemble_gradients: schema, checks, and the first derivative for autograd.
#include "ensemble/ensemble.h"
#include "support/autograd_value.h"

#include <torch/library.h>

namespace nnpal {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Call {
  EnsembleArguments arguments;
  Graph graph;
  Tensor weights;
};

const EnsembleTwin &twin_of(const Tensor &on)
{
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return kEnsembleOnCUDA;
#endif
  aev_twin(on);    // refuses other devices
  return kEnsembleOnCPU;
}

// `layers` contains for each element the number of its layers and then their outputs.
std::vector<std::vector<std::int64_t>> parse_layers(at::IntArrayRef layers, std::int64_t n_elements)
{
  std::vector<std::vector<std::int64_t>> parsed;
  for (std::size_t i = 0; i < layers.size();) {
    const std::int64_t n = layers[i++];
    TORCH_CHECK_VALUE(n >= 1 && i + n <= layers.size(), "layers is ", layers,
                      ", expected for each element the number of its layers and then their outputs");
    parsed.emplace_back(layers.begin() + i, layers.begin() + i + n);
    i += n;
    for (const std::int64_t n_out : parsed.back())
      TORCH_CHECK_VALUE(n_out >= 1, "layers is ", layers, ", expected outputs of at least 1");
    TORCH_CHECK_VALUE(parsed.back().back() == 1, "layers is ", layers,
                      ", expected last layers with one output");
  }
  TORCH_CHECK_VALUE(static_cast<std::int64_t>(parsed.size()) == n_elements, "layers describe ", parsed.size(),
                    " elements, expected ", n_elements);
  return parsed;
}

Call checked_call(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                  const Tensor &edge_vec, const Tensor &weights, at::IntArrayRef layers,
                  std::int64_t n_members, std::int64_t n_active, c10::string_view activation, double alpha,
                  double energy_scale, std::int64_t n_elements, Numbers radial, Numbers radial_shifts,
                  Numbers angular, Numbers angular_shifts, Numbers angular_sections,
                  c10::string_view cutoff_function)
{
  AEVArguments aev{n_elements,           radial.vec(),           radial_shifts.vec(),         angular.vec(),
                   angular_shifts.vec(), angular_sections.vec(), std::string(cutoff_function)};
  aev.check();
  TORCH_CHECK_VALUE(activation == "gelu" || activation == "celu", "activation is '", activation,
                    "', expected gelu or celu");
  TORCH_CHECK_VALUE(activation == "gelu" || alpha > 0, "alpha is ", alpha, ", expected more than 0");
  TORCH_CHECK_VALUE(n_members >= 1 && n_active >= 1 && n_active <= n_members, "n_active is ", n_active,
                    " of ", n_members, " members, expected 1 to ", n_members);
  Call call{{std::move(aev), parse_layers(layers, n_elements), n_members,
             activation == "gelu" ? Activation::kGELU : Activation::kCELU, alpha, energy_scale},
            checked_graph(species, n_local, edge_index, edge_vec),
            weights.contiguous()};
  TORCH_CHECK_VALUE(weights.dim() == 1 && weights.size(0) == call.arguments.n_weights(),
                    "weights have shape ", weights.sizes(), ", expected [", call.arguments.n_weights(),
                    "], which layers and n_members give");
  TORCH_CHECK_VALUE(weights.scalar_type() == edge_vec.scalar_type() && weights.device() == edge_vec.device(),
                    "weights are ", weights.scalar_type(), " on ", weights.device(), ", edge_vec is ",
                    edge_vec.scalar_type(), " on ", edge_vec.device(), "; expected the same");
  return call;
}

struct Energies : torch::autograd::Function<Energies> {
  static Tensor forward(AutogradContext *context, const Tensor &edge_vec, const Call &call,
                        std::int64_t n_active)
  {
    AutogradValue<Call>::save(context, call);
    context->save_for_backward({edge_vec});
    const Tensor none = at::empty({0, n_active, call.graph.n_local}, edge_vec.options());
    return std::get<0>(twin_of(edge_vec).evaluate(call.arguments, call.graph, call.weights, none));
  }

  static variable_list backward(AutogradContext *context, const variable_list &grads)
  {
    const Tensor edge_vec = context->get_saved_variables()[0];
    const Call &call = AutogradValue<Call>::saved(context);
    TORCH_CHECK(!at::GradMode::is_enabled(),    // create_graph=True
                "nnpal::ensemble has first derivatives only; train with networks over nnpal::aev");
    const auto evaluated =
        twin_of(edge_vec).evaluate(call.arguments, call.graph, call.weights, grads[0].unsqueeze(0));
    return {std::get<1>(evaluated)[0], Tensor(), Tensor()};
  }
};

#define NNPAL_ARGUMENTS                                                                                      \
  const Tensor &species, std::int64_t n_local, const Tensor &edge_index, const Tensor &edge_vec,             \
      const Tensor &weights, at::IntArrayRef layers, std::int64_t n_members, std::int64_t n_active,          \
      c10::string_view activation, double alpha, double energy_scale, std::int64_t n_elements,               \
      Numbers radial, Numbers radial_shifts, Numbers angular, Numbers angular_shifts,                        \
      Numbers angular_sections, c10::string_view cutoff_function
#define NNPAL_PASS                                                                                           \
  species, n_local, edge_index, edge_vec, weights, layers, n_members, n_active, activation, alpha,           \
      energy_scale, n_elements, radial, radial_shifts, angular, angular_shifts, angular_sections,            \
      cutoff_function

Tensor ensemble(NNPAL_ARGUMENTS)
{
  const Call call = checked_call(NNPAL_PASS);
  TORCH_CHECK(!(at::GradMode::is_enabled() && weights.requires_grad()),
              "nnpal::ensemble has no derivative in the weights; train with networks over nnpal::aev");
  return Energies::apply(call.graph.edge_vec, call, n_active);
}

// The gradient of only the mean, or of the mean and of every member.
std::tuple<Tensor, Tensor> ensemble_gradients(NNPAL_ARGUMENTS, bool of_members)
{
  const at::NoGradGuard inference;
  const Call call = checked_call(NNPAL_PASS);
  Tensor coefficients = at::full({1, n_active}, 1.0 / static_cast<double>(n_active), edge_vec.options());
  if (of_members) coefficients = at::cat({coefficients, at::eye(n_active, edge_vec.options())});
  return twin_of(edge_vec).evaluate(call.arguments, call.graph, call.weights,
                                    coefficients.unsqueeze(2).expand({-1, -1, n_local}));
}

}    // namespace

}    // namespace nnpal

#define NNPAL_SCHEMA                                                                                         \
  "Tensor species, int n_local, Tensor edge_index, Tensor edge_vec, Tensor weights, int[] layers, int "      \
  "n_members, "                                                                                              \
  "int n_active, str activation, float alpha, float energy_scale, int n_elements, float[] radial, "          \
  "float[] radial_shifts, float[] angular, float[] angular_shifts, float[] angular_sections, str "           \
  "cutoff_function"

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("ensemble(" NNPAL_SCHEMA ") -> Tensor", &nnpal::ensemble);
  m.def("ensemble_gradients(" NNPAL_SCHEMA ", bool of_members) -> (Tensor, Tensor)",
        &nnpal::ensemble_gradients);
}
