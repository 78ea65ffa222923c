// Memory for a result that is taken again at the next call where nobody holds the last one any more, so that
// a step of MD allocates none.
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
  static constexpr std::size_t kMostKept = std::size_t(64) << 20;    // what is larger takes long enough

  c10::Storage storage_;
};

}    // namespace nnpal
