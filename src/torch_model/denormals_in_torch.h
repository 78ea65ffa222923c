// Flush-to-zero while libtorch's own operations run, on all threads that they use; see
// src/core/support/denormals.h.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <vector>

namespace nnpal {

class FlushInTorch {
public:
  explicit FlushInTorch(bool on_cpu)
  {
    if (on_cpu) before_ = operation<std::vector<std::int64_t>()>("nnpal::flush_denormals").call();
  }
  ~FlushInTorch()
  {
    if (!before_.empty()) operation<void(at::IntArrayRef)>("nnpal::restore_denormals").call(before_);
  }
  FlushInTorch(const FlushInTorch &) = delete;
  FlushInTorch &operator=(const FlushInTorch &) = delete;

private:
  std::vector<std::int64_t> before_;    // control words

  template <class Signature> static c10::TypedOperatorHandle<Signature> operation(const char *name)
  {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  }
};

}    // namespace nnpal
