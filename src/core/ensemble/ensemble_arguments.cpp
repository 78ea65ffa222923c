#include "ensemble/ensemble_arguments.h"

namespace nnpal {
namespace {

std::int64_t n_weights_of(std::int64_t n_features, const std::vector<std::int64_t> &layers)
{
  std::int64_t n = 0, n_in = n_features;
  for (const std::int64_t n_out : layers) {
    n += n_out * (n_in + 1);
    n_in = n_out;
  }
  return n;
}

}    // namespace

std::int64_t EnsembleArguments::offset(std::int64_t element, std::int64_t member) const
{
  std::int64_t begin = 0;
  for (std::int64_t e = 0; e < element; ++e) begin += n_members * n_weights_of(aev.n_features(), layers[e]);
  return begin + member * n_weights_of(aev.n_features(), layers[element]);
}

std::int64_t EnsembleArguments::n_weights() const
{
  const auto last = static_cast<std::int64_t>(layers.size()) - 1;
  return offset(last, n_members - 1) + n_weights_of(aev.n_features(), layers[last]);
}

}    // namespace nnpal
