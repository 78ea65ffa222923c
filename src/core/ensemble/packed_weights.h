// The weights of an ensemble in the layout that an instruction set needs, in addition to the plain ones.
#pragma once

#include "ensemble/ensemble_arguments.h"
#include "networks/networks_cpu.h"
#include "support/aligned_vector.h"

#include <cstdint>
#include <mutex>
#include <vector>

namespace nnpal {

// Elements are packed on first use, so absent ones take no memory.
template <class T> class PackedWeights {
public:
  // weights [arguments.n_weights()]; both must outlive this.
  PackedWeights(const EnsembleArguments &arguments, const T *weights);

  // Hidden layers of all members' networks for an element, [n_members, n_hidden]; null if the current
  // instruction set uses only plain weights. Threads may call it at the same time.
  const PackedLayer *of(std::int64_t element);

private:
  struct Element {
    AlignedVector<std::uint16_t> numbers;
    std::vector<PackedLayer> layers;    // [n_members, n_hidden]
  };

  const EnsembleArguments &arguments_;
  const T *weights_;
  std::vector<Element> elements_;
  std::mutex mutex_;

  void pack(std::int64_t element);
};

}    // namespace nnpal
