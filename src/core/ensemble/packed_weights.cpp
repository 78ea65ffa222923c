#include "ensemble/packed_weights.h"

#include "support/instruction_sets.h"

namespace nnpal {

template <class T>
PackedWeights<T>::PackedWeights(const EnsembleArguments &arguments, const T *weights) :
    arguments_(arguments),
    weights_(weights),
    elements_(arguments.layers.size())
{
}

template <class T> const PackedLayer *PackedWeights<T>::of(std::int64_t element)
{
  if (!network_functions<T>().pack) return nullptr;
  const std::lock_guard<std::mutex> others_wait(mutex_);
  if (elements_[element].layers.empty()) pack(element);
  return elements_[element].layers.data();
}

template <class T> void PackedWeights<T>::pack(std::int64_t element)
{
  const NetworkFunctions<T> &functions = network_functions<T>();
  Element &own = elements_[element];
  const std::vector<std::int64_t> &sizes = arguments_.layers[element];
  // act(n_results, n_operands, is_back) for both directions of a layer
  const auto each = [&](std::int64_t n_in, std::int64_t n_out, const auto &act) {
    act(static_cast<int>(n_out), static_cast<int>(n_in), false);
    act(static_cast<int>(n_in), static_cast<int>(n_out), true);
  };
  std::size_t n_numbers = 0;
  std::int64_t n_in = arguments_.aev.n_features();
  for (std::size_t l = 0; l + 1 < sizes.size(); n_in = sizes[l++])
    each(n_in, sizes[l], [&](int n_results, int n_operands, bool) {
      n_numbers += functions.packed_size(n_results, n_operands);
    });
  own.numbers.resize(n_numbers * static_cast<std::size_t>(arguments_.n_members));
  std::uint16_t *to = own.numbers.data();
  for (std::int64_t m = 0; m < arguments_.n_members; ++m) {
    const T *weight = weights_ + arguments_.offset(element, m);
    n_in = arguments_.aev.n_features();
    for (std::size_t l = 0; l + 1 < sizes.size(); n_in = sizes[l++]) {
      PackedLayer layer{};
      each(n_in, sizes[l], [&](int n_results, int n_operands, bool is_back) {
        (is_back ? layer.backward : layer.forward) = to;
        functions.pack(n_results, n_operands, is_back ? 1 : n_in, is_back ? n_in : 1, weight, to);
        to += functions.packed_size(n_results, n_operands);
      });
      own.layers.push_back(layer);
      weight += sizes[l] * (n_in + 1);
    }
  }
}

template class PackedWeights<float>;
template class PackedWeights<double>;

}    // namespace nnpal
