// Kernels written once: nvcc compiles them to GPU kernels, other compilers to loops, with the same results
// except for the order of sums. A kernel is a struct of its arguments, with one of
//
//   operator()(std::int64_t item) const                   an item for each thread
//   operator()(const Block &block, Shared &shared) const  a block of kThreads threads with shared memory;
//                                                         threads do block.each(...) and wait for one
//                                                         another; code in between is the same for all
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#ifdef __CUDACC__
#include <cstdio>
#include <type_traits>
#define NNPAL_TWIN on_cuda
#define NNPAL_KERNEL __device__ __forceinline__
#else
#include "support/denormals.h"
#define NNPAL_TWIN on_host
#define NNPAL_KERNEL inline
#endif

struct CUstream_st;

namespace nnpal {

using Stream = CUstream_st *;    // of CUDA; the host's is null

namespace NNPAL_TWIN {

constexpr int kThreads = 64;

// For checks that the host cannot make without waiting for the device; `what` as in "species[". On a GPU the
// process cannot continue, because the CUDA error persists.
NNPAL_KERNEL void refuse(const char *what, std::int64_t where, std::int64_t found, std::int64_t end)
{
#ifdef __CUDACC__
  printf("nnpal: %s%lld] is %lld, expected 0 to %lld\n", what, static_cast<long long>(where),
         static_cast<long long>(found), static_cast<long long>(end - 1));
  __trap();
#else
  throw std::invalid_argument(what + std::to_string(where) + "] is " + std::to_string(found) +
                              ", expected 0 to " + std::to_string(end - 1));
#endif
}

// *to += value; returns the previous value.
template <class T> NNPAL_KERNEL T add_atomically(T *to, T value)
{
#ifdef __CUDACC__
  if constexpr (sizeof(T) == 8 && static_cast<T>(0.5) == T(0))    // 64-bit integers
    return static_cast<T>(
        atomicAdd(reinterpret_cast<unsigned long long *>(to), static_cast<unsigned long long>(value)));
  else
    return atomicAdd(to, value);
#else
  const T before = *to;
  *to += value;
  return before;
#endif
}

// *to becomes the smaller of the two, which are not negative.
NNPAL_KERNEL void lower_atomically(double *to, double value)
{
#ifdef __CUDACC__    // such numbers are ordered like their bits
  atomicMin(reinterpret_cast<unsigned long long *>(to),
            static_cast<unsigned long long>(__double_as_longlong(value)));
#else
  if (value < *to) *to = value;
#endif
}

// A bit for each thread of a block.
struct Votes {
  std::uint32_t bits[kThreads / 32];

  NNPAL_KERNEL bool has(int thread) const { return bits[thread / 32] >> (thread % 32) & 1; }
  // Number of votes of the threads before this one.
  NNPAL_KERNEL int count_before(int thread) const
  {
    int n = 0;
    for (int word = 0; word < kThreads / 32; ++word) {
      const int own = thread - 32 * word;
      const std::uint32_t mask = own >= 32 ? 0xffffffffU : own > 0 ? (1U << own) - 1 : 0;
      n += count(bits[word] & mask);
    }
    return n;
  }
  NNPAL_KERNEL int count_all() const { return count_before(kThreads); }

private:
  static NNPAL_KERNEL int count(std::uint32_t word)
  {
#ifdef __CUDACC__
    return __popc(word);
#else
    return __builtin_popcount(word);
#endif
  }
};

struct Block {
  std::int64_t index;

  // Record each thread's answer; the same votes may be reused after the next each().
  template <class Answer> NNPAL_KERNEL void vote(const Answer &answer, Votes &votes) const
  {
#ifdef __CUDACC__
    const unsigned bits = __ballot_sync(0xffffffffU, answer(static_cast<int>(threadIdx.x)));
    if (threadIdx.x % 32 == 0) votes.bits[threadIdx.x / 32] = bits;
    __syncthreads();
#else
    votes = {};
    for (int thread = 0; thread < kThreads; ++thread)
      votes.bits[thread / 32] |= static_cast<std::uint32_t>(answer(thread)) << (thread % 32);
#endif
  }

  template <class Do> NNPAL_KERNEL void each(const Do &act) const
  {
#ifdef __CUDACC__
    act(static_cast<int>(threadIdx.x));
    __syncthreads();
#else
    for (int thread = 0; thread < kThreads; ++thread) act(thread);
#endif
  }
};

#ifdef __CUDACC__

constexpr std::int64_t kItemsPerBlock = 256, kMostBlocks = 1 << 14;

template <class Kernel>
__global__ void __launch_bounds__(kItemsPerBlock) run_items(Kernel kernel, std::int64_t n)
{
  if (!kernel.is_needed()) return;
  for (std::int64_t item = blockIdx.x * kItemsPerBlock + threadIdx.x; item < n;
       item += gridDim.x * kItemsPerBlock)
    kernel(item);
}

// Minimum number of resident blocks per multiprocessor, which limits their registers: Kernel::kBlocksAtOnce,
// or 0 for the compiler's choice.
template <class Kernel, class = void> constexpr int kLeastBlocks = 0;
template <class Kernel>
constexpr int kLeastBlocks<Kernel, std::void_t<decltype(Kernel::kBlocksAtOnce)>> = Kernel::kBlocksAtOnce;

template <class Kernel>
__global__ void __launch_bounds__(kThreads, kLeastBlocks<Kernel>) run_blocks(Kernel kernel)
{
  __shared__ typename Kernel::Shared shared;
  kernel(Block{blockIdx.x}, shared);
}

inline void check_launch()
{
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess)
    throw std::runtime_error(std::string("nnpal: a CUDA kernel was not started: ") +
                             cudaGetErrorString(error));
}

// clang-format off: it does not parse CUDA's <<<...>>> in a header
template <class Kernel> void launch_items(const Kernel &kernel, std::int64_t n, Stream stream)
{
  if (n == 0) return;
  const std::int64_t needed = (n + kItemsPerBlock - 1) / kItemsPerBlock;
  const auto n_blocks = static_cast<unsigned>(needed < kMostBlocks ? needed : kMostBlocks);
  run_items<<<n_blocks, kItemsPerBlock, 0, stream>>>(kernel, n);
  check_launch();
}

template <class Kernel> void launch_blocks(const Kernel &kernel, std::int64_t n_blocks, Stream stream)
{
  if (n_blocks == 0) return;
  run_blocks<<<static_cast<unsigned>(n_blocks), kThreads, 0, stream>>>(kernel);
  check_launch();
}
// clang-format on

#else

template <class Kernel> void launch_items(const Kernel &kernel, std::int64_t n, Stream)
{
  if (!kernel.is_needed()) return;
  const FlushDenormals flushed;
  for (std::int64_t item = 0; item < n; ++item) kernel(item);
}

template <class Kernel> void launch_blocks(const Kernel &kernel, std::int64_t n_blocks, Stream)
{
  const FlushDenormals flushed;
  for (std::int64_t index = 0; index < n_blocks; ++index) {
    typename Kernel::Shared shared;
    kernel(Block{index}, shared);
  }
}

#endif

// Base of kernels that always run; others check the device's memory.
struct Always {
  NNPAL_KERNEL bool is_needed() const { return true; }
};

}    // namespace NNPAL_TWIN
}    // namespace nnpal
