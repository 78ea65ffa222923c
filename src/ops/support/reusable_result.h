// Memory for a result, reused by the next call if the last result is no longer held, so that an MD step
// allocates none.
#pragma once

#include <ATen/ops/empty.h>

namespace nnpal {

class ReusableResult {
public:
  // As at::empty, on the CPU.
  at::Tensor empty(at::IntArrayRef sizes, const at::TensorOptions &options)
  {
    const auto bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * options.dtype().itemsize();
    if (bytes > kMostKept) return at::empty(sizes, options);
    if (!storage_ || storage_.use_count() > 1 || storage_.nbytes() < bytes)
      storage_ = at::empty(sizes, options).storage();
    return at::empty({0}, options).set_(storage_, 0, sizes);
  }

private:
  static constexpr std::size_t kMostKept = std::size_t(64) << 20;    // larger ones take long enough anyway

  c10::Storage storage_;
};

}    // namespace nnpal
