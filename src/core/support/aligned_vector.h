// Vectors aligned to cache lines, because storing a register across two lines takes longer.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace nnpal {

template <class T> struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  LineAllocator() = default;
  template <class Other> LineAllocator(const LineAllocator<Other> &) {}

  T *allocate(std::size_t n) { return static_cast<T *>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T *from, std::size_t) { ::operator delete(from, kLine); }

  template <class Other> bool operator==(const LineAllocator<Other> &) const { return true; }
};

template <class T> using AlignedVector = std::vector<T, LineAllocator<T>>;

}    // namespace nnpal
