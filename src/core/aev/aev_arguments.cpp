#include "aev/aev_arguments.h"

#include "support/expect.h"

#include <cmath>

namespace nnpal {
namespace {

void check_numbers(const char *name, const std::vector<double> &values, std::size_t n, const char *expected)
{
  expect(n ? values.size() == n : !values.empty(), name, " has ", values.size(), " values, expected ",
         expected);
  for (const double value : values)
    expect(std::isfinite(value), name, " holds ", value, ", expected finite numbers");
}

}    // namespace

void AEVArguments::check() const
{
  expect(n_elements >= 1, "n_elements is ", n_elements, ", expected at least 1");
  check_numbers("radial", radial, 2, "cutoff and eta");
  check_numbers("radial_shifts", radial_shifts, 0, "at least one");
  check_numbers("angular", angular, 3, "cutoff, eta and zeta");
  check_numbers("angular_shifts", angular_shifts, 0, "at least one");
  check_numbers("angular_sections", angular_sections, 0, "at least one");
  expect(angular[0] > 0 && radial[0] >= angular[0], "cutoffs are ", radial[0], " (radial) and ", angular[0],
         " (angular), expected 0 < angular <= radial");
  expect(cutoff_function == "cosine" || cutoff_function == "smooth", "cutoff_function is '", cutoff_function,
         "', expected cosine or smooth");
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

}    // namespace nnpal
