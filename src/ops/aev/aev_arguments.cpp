#include "aev/aev_arguments.h"

#include <cmath>

namespace nnpal {
namespace {

void check_numbers(const char *name, const std::vector<double> &values, std::size_t n, const char *expected)
{
  TORCH_CHECK_VALUE(n ? values.size() == n : !values.empty(), name, " has ", values.size(),
                    " values, expected ", expected);
  for (const double value : values)
    TORCH_CHECK_VALUE(std::isfinite(value), name, " holds ", value, ", expected finite numbers");
}

}    // namespace

void AEVArguments::check() const
{
  TORCH_CHECK_VALUE(n_elements >= 1, "n_elements is ", n_elements, ", expected at least 1");
  check_numbers("radial", radial, 2, "cutoff and eta");
  check_numbers("radial_shifts", radial_shifts, 0, "at least one");
  check_numbers("angular", angular, 3, "cutoff, eta and zeta");
  check_numbers("angular_shifts", angular_shifts, 0, "at least one");
  check_numbers("angular_sections", angular_sections, 0, "at least one");
  TORCH_CHECK_VALUE(angular[0] > 0 && radial[0] >= angular[0], "cutoffs are ", radial[0], " (radial) and ",
                    angular[0], " (angular), expected 0 < angular <= radial");
  TORCH_CHECK_VALUE(cutoff_function == "cosine" || cutoff_function == "smooth", "cutoff_function is '",
                    cutoff_function, "', expected cosine or smooth");
}

std::int64_t AEVArguments::n_features() const
{
  return n_elements * radial_shifts.size() +
         n_elements * (n_elements + 1) / 2 * angular_shifts.size() * angular_sections.size();
}

template <class T>
TypedTerms<T>::TypedTerms(const AEVArguments &arguments) :
    radial_shifts_(arguments.radial_shifts.begin(), arguments.radial_shifts.end()),
    shifts_(arguments.angular_shifts.begin(), arguments.angular_shifts.end())
{
  for (const double section : arguments.angular_sections) {
    cosines_.push_back(static_cast<T>(std::cos(section)));
    sines_.push_back(static_cast<T>(std::sin(section)));
  }
  terms.n_elements = static_cast<int>(arguments.n_elements);
  terms.n_radial = static_cast<int>(radial_shifts_.size());
  terms.n_shifts = static_cast<int>(shifts_.size());
  terms.n_sections = static_cast<int>(cosines_.size());
  terms.n_features = static_cast<int>(arguments.n_features());
  terms.radial_cutoff = static_cast<T>(arguments.radial[0]);
  terms.radial_eta = static_cast<T>(arguments.radial[1]);
  terms.angular_cutoff = static_cast<T>(arguments.angular[0]);
  terms.angular_eta = static_cast<T>(arguments.angular[1]);
  terms.zeta = static_cast<T>(arguments.angular[2]);
  terms.is_smooth = arguments.cutoff_function == "smooth";
  terms.radial_shifts = radial_shifts_.data();
  terms.shifts = shifts_.data();
  terms.cosines = cosines_.data();
  terms.sines = sines_.data();
}

template class TypedTerms<float>;
template class TypedTerms<double>;

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

}    // namespace nnpal
