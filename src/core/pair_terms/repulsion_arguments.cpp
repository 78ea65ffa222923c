#include "pair_terms/repulsion_arguments.h"

#include "support/expect.h"

#include <cmath>

namespace nnpal {

void RepulsionArguments::check() const
{
  expect(cutoff > 0 && std::isfinite(cutoff), "cutoff is ", cutoff, ", expected more than 0");
  expect(cutoff_function == "cosine" || cutoff_function == "smooth" || cutoff_function == "none",
         "cutoff_function is '", cutoff_function, "', expected cosine, smooth or none");
  expect(std::isfinite(energy_scale), "energy_scale is ", energy_scale, ", expected a finite number");
  expect(length_scale > 0 && std::isfinite(length_scale), "length_scale is ", length_scale,
         ", expected more than 0");
}

}    // namespace nnpal
