// torch.ops.nnpal.aev: schema, checks, and autograd, by products with derivatives:
//
//   aev          G(x)             its gradient in x is    vjp(g) = J(x)ᵀ g
//   aev_vjp      J(x)ᵀ g          its gradients are       in g: jvp(v) = J(x) v    in x: the derivative of
//   J(x)ᵀ g along v
//
// which is complete to the second order.
#include "aev/aev.h"
#include "support/autograd_value.h"

#include <torch/library.h>

namespace nnpal {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Call {
  AEVArguments arguments;
  Graph graph;
};

struct VJP : torch::autograd::Function<VJP> {
  static Tensor forward(AutogradContext *context, const Tensor &gradient, const Tensor &edge_vec,
                        const Call &call)
  {
    const Tensor whole = gradient.contiguous();
    AutogradValue<Call>::save(context, call);
    context->save_for_backward({edge_vec, whole});
    return aev_twin(edge_vec).vjp(call.arguments, call.graph, whole);
  }

  static variable_list backward(AutogradContext *context, const variable_list &grads)
  {
    const auto saved = context->get_saved_variables();
    const Call &call = AutogradValue<Call>::saved(context);
    const AEVTwin &twin = aev_twin(saved[0]);
    const Tensor tangent = grads[0].contiguous();
    // Both results depend on the tangent and on the edges, and the second one, needed only if the edges
    // require a gradient, on saved[1] as well.
    TORCH_CHECK(
        !(at::GradMode::is_enabled() && (tangent.requires_grad() || saved[0].requires_grad())),
        "nnpal::aev has derivatives to the second order only; take the last one without create_graph");
    Tensor of_gradient, of_edges;
    if (context->needs_input_grad(0)) of_gradient = twin.jvp(call.arguments, call.graph, tangent);
    if (context->needs_input_grad(1)) of_edges = twin.second(call.arguments, call.graph, saved[1], tangent);
    return {of_gradient, of_edges, Tensor()};
  }
};

struct AEV : torch::autograd::Function<AEV> {
  static Tensor forward(AutogradContext *context, const Tensor &edge_vec, const Call &call)
  {
    AutogradValue<Call>::save(context, call);
    context->save_for_backward({edge_vec});
    return aev_twin(edge_vec).forward(call.arguments, call.graph);
  }

  static variable_list backward(AutogradContext *context, const variable_list &grads)
  {
    const Tensor edge_vec = context->get_saved_variables()[0];
    return {VJP::apply(grads[0], edge_vec, AutogradValue<Call>::saved(context)), Tensor()};
  }
};

Call checked_call(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                  const Tensor &edge_vec, std::int64_t n_elements, Numbers radial, Numbers radial_shifts,
                  Numbers angular, Numbers angular_shifts, Numbers angular_sections,
                  c10::string_view cutoff_function)
{
  Call call{{n_elements, radial.vec(), radial_shifts.vec(), angular.vec(), angular_shifts.vec(),
             angular_sections.vec(), std::string(cutoff_function)},
            checked_graph(species, n_local, edge_index, edge_vec)};
  call.arguments.check();
  return call;
}

void check_like(const char *name, const Tensor &tensor, at::IntArrayRef shape, const Tensor &edge_vec)
{
  TORCH_CHECK_VALUE(tensor.sizes() == shape && tensor.scalar_type() == edge_vec.scalar_type() &&
                        tensor.device() == edge_vec.device(),
                    name, " is ", tensor.scalar_type(), " ", tensor.sizes(), " on ", tensor.device(),
                    ", expected ", edge_vec.scalar_type(), " ", shape, " on ", edge_vec.device(),
                    " as edge_vec");
}

Tensor aev(const Tensor &species, std::int64_t n_local, const Tensor &edge_index, const Tensor &edge_vec,
           std::int64_t n_elements, Numbers radial, Numbers radial_shifts, Numbers angular,
           Numbers angular_shifts, Numbers angular_sections, c10::string_view cutoff_function)
{
  const Call call = checked_call(species, n_local, edge_index, edge_vec, n_elements, radial, radial_shifts,
                                 angular, angular_shifts, angular_sections, cutoff_function);
  return AEV::apply(call.graph.edge_vec, call);
}

Tensor aev_vjp(const Tensor &gradient, const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
               const Tensor &edge_vec, std::int64_t n_elements, Numbers radial, Numbers radial_shifts,
               Numbers angular, Numbers angular_shifts, Numbers angular_sections,
               c10::string_view cutoff_function)
{
  const Call call = checked_call(species, n_local, edge_index, edge_vec, n_elements, radial, radial_shifts,
                                 angular, angular_shifts, angular_sections, cutoff_function);
  check_like("gradient", gradient, {n_local, call.arguments.n_features()}, edge_vec);
  return VJP::apply(gradient, call.graph.edge_vec, call);
}

Tensor aev_jvp(const Tensor &tangent, const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
               const Tensor &edge_vec, std::int64_t n_elements, Numbers radial, Numbers radial_shifts,
               Numbers angular, Numbers angular_shifts, Numbers angular_sections,
               c10::string_view cutoff_function)
{
  const Call call = checked_call(species, n_local, edge_index, edge_vec, n_elements, radial, radial_shifts,
                                 angular, angular_shifts, angular_sections, cutoff_function);
  check_like("tangent", tangent, edge_vec.sizes(), edge_vec);
  TORCH_CHECK(!(at::GradMode::is_enabled() && (tangent.requires_grad() || edge_vec.requires_grad())),
              "nnpal::aev_jvp has no derivatives of its own; detach its arguments");
  return aev_twin(edge_vec).jvp(call.arguments, call.graph, tangent.contiguous());
}

Tensor aev_jacobian(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                    const Tensor &edge_vec, std::int64_t n_elements, Numbers radial, Numbers radial_shifts,
                    Numbers angular, Numbers angular_shifts, Numbers angular_sections,
                    c10::string_view cutoff_function)
{
  const at::NoGradGuard no_derivatives;
  const Call call = checked_call(species, n_local, edge_index, edge_vec, n_elements, radial, radial_shifts,
                                 angular, angular_shifts, angular_sections, cutoff_function);
  const AEVTwin &twin = aev_twin(edge_vec);
  if (twin.jacobian) return twin.jacobian(call.arguments, call.graph);
  const std::int64_t n_features = call.arguments.n_features();
  const Tensor jacobian = at::empty({edge_vec.size(0), n_features, 3}, edge_vec.options());
  for (std::int64_t feature = 0; feature < n_features; ++feature) {
    const Tensor unit = at::zeros({n_local, n_features}, edge_vec.options());
    unit.select(1, feature).fill_(1.0);
    jacobian.select(1, feature).copy_(twin.vjp(call.arguments, call.graph, unit));
  }
  return jacobian;
}

}    // namespace

const AEVTwin &aev_twin(const Tensor &on)
{
  if (on.is_cpu()) return kAEVOnCPU;
#ifdef NNPAL_CUDA
  if (on.is_cuda()) return kAEVOnCUDA;
#endif
  TORCH_CHECK(false, "nnpal's operations were not built for device ", on.device(),
              "; build nnpal where nvcc is found, or export the model with kernel='torchani'");
}

void check_graph(const at::Tensor &species, std::int64_t n_local, const at::Tensor &edge_index,
                 const at::Tensor &edge_vec)
{
  TORCH_CHECK_VALUE(species.dim() == 1 && species.scalar_type() == at::kLong, "species is ",
                    species.scalar_type(), " ", species.sizes(), ", expected int64 [n_atoms]");
  TORCH_CHECK_VALUE(n_local >= 0 && n_local <= species.size(0), "n_local is ", n_local, ", expected 0 to ",
                    species.size(0), ", the number of atoms");
  TORCH_CHECK_VALUE(edge_index.dim() == 2 && edge_index.size(0) == 2 && edge_index.scalar_type() == at::kLong,
                    "edge_index is ", edge_index.scalar_type(), " ", edge_index.sizes(),
                    ", expected int64 [2, n_edges]");
  TORCH_CHECK_VALUE(edge_vec.dim() == 2 && edge_vec.size(0) == edge_index.size(1) && edge_vec.size(1) == 3 &&
                        (edge_vec.scalar_type() == at::kFloat || edge_vec.scalar_type() == at::kDouble),
                    "edge_vec is ", edge_vec.scalar_type(), " ", edge_vec.sizes(),
                    ", expected float32 or float64 [", edge_index.size(1), ", 3], as many as edge_index has");
  TORCH_CHECK_VALUE(species.device() == edge_vec.device() && edge_index.device() == edge_vec.device(),
                    "species lie on ", species.device(), ", edge_index on ", edge_index.device(),
                    " and edge_vec on ", edge_vec.device(), ", expected one device");
}

Graph checked_graph(const Tensor &species, std::int64_t n_local, const Tensor &edge_index,
                    const Tensor &edge_vec)
{
  check_graph(species, n_local, edge_index, edge_vec);
  return {species.contiguous(), n_local, edge_index.contiguous(), edge_vec.contiguous()};
}

}    // namespace nnpal

#define NNPAL_GRAPH "Tensor species, int n_local, Tensor edge_index, Tensor edge_vec, "
#define NNPAL_TERMS                                                                                          \
  "int n_elements, float[] radial, float[] radial_shifts, float[] angular, float[] angular_shifts, "         \
  "float[] angular_sections, str cutoff_function"

TORCH_LIBRARY(nnpal, m)
{
  // Device types that the operations were compiled for.
  m.def("devices() -> str[]", [] {
#ifdef NNPAL_CUDA
    return std::vector<std::string>{"cpu", "cuda"};
#else
    return std::vector<std::string>{"cpu"};
#endif
  });
  m.def("aev(" NNPAL_GRAPH NNPAL_TERMS ") -> Tensor", &nnpal::aev);
  m.def("aev_vjp(Tensor gradient, " NNPAL_GRAPH NNPAL_TERMS ") -> Tensor", &nnpal::aev_vjp);
  m.def("aev_jacobian(" NNPAL_GRAPH NNPAL_TERMS ") -> Tensor", &nnpal::aev_jacobian);
  m.def("aev_jvp(Tensor tangent, " NNPAL_GRAPH NNPAL_TERMS ") -> Tensor", &nnpal::aev_jvp);
}
