// The weights of an ensemble in the layout that an instruction set needs, in addition to the plain ones.
#pragma once

#include "ensemble/ensemble_arguments.h"
#include "networks/networks_cpu.h"
#include "support/aligned_vector.h"

#include <cstdint>
#include <vector>

namespace nnpal {

// Elements are packed on first use, so absent ones take no memory.
template <class T> class PackedWeights {
public:
  // weights [arguments.n_weights()]; both must outlive this.
  PackedWeights(const EnsembleArguments &arguments, const T *weights);

  // Packs the networks of an element, if the current instruction set uses packed weights and they are not
  // packed yet. Call it before at(), from one thread.
  void prepare(std::int64_t element);

  // Hidden layers of a member's network for an element, [n_hidden]; null if nothing is packed.
  const PackedLayer *at(std::int64_t element, std::int64_t member) const;

private:
  struct Element {
    AlignedVector<std::uint16_t> numbers;
    std::vector<PackedLayer> layers;    // [n_members, n_hidden]
  };

  const EnsembleArguments &arguments_;
  const T *weights_;
  std::vector<Element> elements_;
};

}    // namespace nnpal
