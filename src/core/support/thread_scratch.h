// Memory that a thread keeps between calls, so that a step allocates nothing.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <stdexcept>

namespace nnpal::NNPAL_ISA {

// Allocates pieces of one block, whose size is requested first; the block grows when it is too small.
class Scratch {
public:
  Scratch() = default;
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() { std::free(block_); }

  void reserve(std::size_t bytes)
  {
    used_ = 0;
    reserved_ = bytes;
    if (bytes <= size_) return;
    std::free(block_);
    size_ = (bytes + bytes / 2 + 63) / 64 * 64;
    block_ = static_cast<char *>(std::aligned_alloc(64, size_));
    if (!block_) std::abort();
  }

  template <class T> T *take(std::size_t n)
  {
    char *piece = block_ + used_;
    used_ += bytes_for<T>(n);
    if (used_ > reserved_) throw std::logic_error("nnpal: more scratch memory is taken than was reserved");
    return reinterpret_cast<T *>(piece);
  }

  template <class T> static std::size_t bytes_for(std::size_t n) { return (n * sizeof(T) + 63) / 64 * 64; }

private:
  char *block_ = nullptr;
  std::size_t size_ = 0, reserved_ = 0, used_ = 0;
};

}    // namespace nnpal::NNPAL_ISA
