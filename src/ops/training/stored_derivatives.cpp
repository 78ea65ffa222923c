// torch.ops.nnpal.stored_product, stored_direction, stored_fit: products with stored derivatives of AEVs; the
// last one also applies the loss while a configuration's derivatives are in the cache.
#include "support/denormals.h"
#include "support/instruction_sets.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <algorithm>
#include <torch/library.h>
#include <vector>

namespace nnpal {
namespace {

using at::Tensor;

constexpr int kStrain = 6;    // columns of strain derivatives, after those of positions

// Offsets of a batch's configurations.
struct Layout {
  std::int64_t n_features;
  std::vector<std::int64_t> sizes, starts, first_atom, first_column;
  std::int64_t n_atoms = 0, n_columns = 0;
  bool strain;

  std::int64_t n_data() const { return static_cast<std::int64_t>(sizes.size()); }
  std::int64_t width(std::int64_t k) const { return 3 * sizes[k] + (strain ? kStrain : 0); }
  std::int64_t n_rows(std::int64_t k) const { return sizes[k] * n_features; }
  template <class T> Derivatives<T> derivatives(std::int64_t k, const T *all) const
  {
    if (k >= n_data()) return {0, 0, nullptr};
    return {n_rows(k), width(k), all + starts[k]};
  }
};

Layout layout_of(const Tensor &derivatives, at::IntArrayRef starts, at::IntArrayRef sizes,
                 std::int64_t n_features, bool strain)
{
  TORCH_CHECK_VALUE(starts.size() == sizes.size(), "starts are ", starts.size(), " and sizes ", sizes.size(),
                    ", expected one of each for every configuration");
  TORCH_CHECK_VALUE(derivatives.dim() == 1 && derivatives.is_contiguous() && derivatives.device().is_cpu(),
                    "derivatives are ", derivatives.sizes(),
                    ", expected a contiguous row of numbers on the CPU");
  Layout layout;
  layout.n_features = n_features;
  layout.strain = strain;
  layout.sizes = sizes.vec();
  layout.starts = starts.vec();
  for (std::int64_t k = 0; k < layout.n_data(); ++k) {
    const std::int64_t end = starts[k] + layout.n_rows(k) * layout.width(k);
    TORCH_CHECK_VALUE(sizes[k] >= 0 && starts[k] >= 0 && end <= derivatives.size(0), "configuration ", k,
                      " of ", sizes[k], " atoms starts at ", starts[k], ", which is outside the ",
                      derivatives.size(0), " derivatives");
    layout.first_atom.push_back(layout.n_atoms);
    layout.first_column.push_back(layout.n_columns);
    layout.n_atoms += sizes[k];
    layout.n_columns += layout.width(k);
  }
  return layout;
}

void require(const char *name, const Tensor &values, at::IntArrayRef shape, const Tensor &like)
{
  TORCH_CHECK_VALUE(values.sizes() == shape && values.is_contiguous() && values.device().is_cpu() &&
                        values.scalar_type() == like.scalar_type(),
                    name, " is ", values.scalar_type(), " ", values.sizes(), ", expected a contiguous ",
                    like.scalar_type(), " ", shape, " on the CPU");
}

template <class Act> void for_configurations(std::int64_t n, const Act &act)
{
  at::parallel_for(0, n, 1, [&](std::int64_t first, std::int64_t end) {
    const FlushDenormals flushed;
    act(first, end);
  });
}

// Dᵀ G, configuration by configuration.
Tensor stored_product(const Tensor &gradient, const Tensor &derivatives, at::IntArrayRef starts,
                      at::IntArrayRef sizes, bool strain)
{
  const Layout layout = layout_of(derivatives, starts, sizes, gradient.size(-1), strain);
  require("gradient", gradient, {layout.n_atoms, layout.n_features}, derivatives);
  const Tensor product = at::empty({layout.n_columns}, gradient.options());
  AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "nnpal::stored_product", [&] {
    const auto *all = derivatives.const_data_ptr<scalar_t>(), *from = gradient.const_data_ptr<scalar_t>();
    auto *to = product.mutable_data_ptr<scalar_t>();
    for_configurations(layout.n_data(), [&](std::int64_t first, std::int64_t end) {
      for (std::int64_t k = first; k < end; ++k)
        training_functions<scalar_t>().pull(layout.derivatives(k, all),
                                            from + layout.first_atom[k] * layout.n_features,
                                            to + layout.first_column[k]);
    });
  });
  return product;
}

// D v, configuration by configuration.
Tensor stored_direction(const Tensor &values, const Tensor &derivatives, at::IntArrayRef starts,
                        at::IntArrayRef sizes, std::int64_t n_features, bool strain)
{
  const Layout layout = layout_of(derivatives, starts, sizes, n_features, strain);
  require("values", values, {layout.n_columns}, derivatives);
  const Tensor direction = at::empty({layout.n_atoms, n_features}, values.options());
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "nnpal::stored_direction", [&] {
    const auto *all = derivatives.const_data_ptr<scalar_t>(), *from = values.const_data_ptr<scalar_t>();
    auto *to = direction.mutable_data_ptr<scalar_t>();
    for_configurations(layout.n_data(), [&](std::int64_t first, std::int64_t end) {
      for (std::int64_t k = end - 1; k >= first; --k)    // those read last are in the cache
        training_functions<scalar_t>().push(layout.derivatives(k, all), from + layout.first_column[k],
                                            {0, 0, nullptr}, to + layout.first_atom[k] * n_features);
    });
  });
  return direction;
}

// Dᵀ G; errors = Dᵀ G - target; slopes = 2 weight clamp(errors, ±bound), and D slopes: the derivative of
// Σ weight h(errors) in G, where h is the square or, beyond the bound, its tangent.
std::tuple<Tensor, Tensor> stored_fit(const Tensor &gradient, const Tensor &derivatives,
                                      at::IntArrayRef starts, at::IntArrayRef sizes, bool strain,
                                      const Tensor &target, const Tensor &weight,
                                      const std::optional<Tensor> &bound)
{
  const Layout layout = layout_of(derivatives, starts, sizes, gradient.size(-1), strain);
  require("gradient", gradient, {layout.n_atoms, layout.n_features}, derivatives);
  require("target", target, {layout.n_columns}, derivatives);
  require("weight", weight, {layout.n_columns}, derivatives);
  if (bound) require("bound", *bound, {layout.n_columns}, derivatives);
  const Tensor errors = at::empty({layout.n_columns}, gradient.options());
  const Tensor direction = at::empty({layout.n_atoms, layout.n_features}, gradient.options());
  AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "nnpal::stored_fit", [&] {
    const auto &functions = training_functions<scalar_t>();
    const auto *all = derivatives.const_data_ptr<scalar_t>(), *from = gradient.const_data_ptr<scalar_t>();
    const auto *wanted = target.const_data_ptr<scalar_t>(), *weights = weight.const_data_ptr<scalar_t>();
    const auto *bounds = bound ? bound->const_data_ptr<scalar_t>() : nullptr;
    auto *found = errors.mutable_data_ptr<scalar_t>(), *to = direction.mutable_data_ptr<scalar_t>();
    for_configurations(layout.n_data(), [&](std::int64_t first, std::int64_t end) {
      std::vector<scalar_t> slopes;
      for (std::int64_t k = first; k < end; ++k) {
        const auto own = layout.derivatives(k, all);
        const std::int64_t column = layout.first_column[k], row = layout.first_atom[k] * layout.n_features;
        functions.pull(own, from + row, found + column);
        slopes.resize(own.width);
        for (std::int64_t c = 0; c < own.width; ++c) {
          scalar_t error = found[column + c] -= wanted[column + c];
          if (bounds && error > bounds[column + c]) error = bounds[column + c];
          if (bounds && error < -bounds[column + c]) error = -bounds[column + c];
          slopes[c] = 2 * weights[column + c] * error;
        }
        functions.push(own, slopes.data(),
                       k + 1 < end ? layout.derivatives(k + 1, all) : Derivatives<scalar_t>{}, to + row);
      }
    });
  });
  return {errors, direction};
}

}    // namespace
}    // namespace nnpal

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  // derivatives: of all configurations, flat; those of the batch begin at starts[k], [sizes[k] * n_features,
  // 3 sizes[k] (+ 6 with strain)]. Columns are ordered by configuration.
  m.def("stored_product(Tensor gradient, Tensor derivatives, int[] starts, int[] sizes, bool strain) -> "
        "Tensor");
  m.def("stored_direction(Tensor values, Tensor derivatives, int[] starts, int[] sizes, int n_features, "
        "bool strain) -> Tensor");
  // Errors of the product, and the derivative of Σ weight * error² (its tangent beyond bound) with respect to
  // the gradient.
  m.def("stored_fit(Tensor gradient, Tensor derivatives, int[] starts, int[] sizes, bool strain, Tensor "
        "target, "
        "Tensor weight, Tensor? bound) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(nnpal, CPU, m)
{
  m.impl("stored_product", &nnpal::stored_product);
  m.impl("stored_direction", &nnpal::stored_direction);
  m.impl("stored_fit", &nnpal::stored_fit);
}
