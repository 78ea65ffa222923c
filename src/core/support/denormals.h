// Flush-to-zero within a scope. Gaussians far from their center are denormal numbers, which are many times
// slower on processors that handle them in microcode. Only values below 1.2e-38 (float) and 2.2e-308 (double)
// are flushed: a sum that contains a number above 1e-30 is bitwise the same.
//
// Independent of torch and LAMMPS. A guard applies to one thread: each thread that shares the work needs its
// own. A thread inherits the control word of the thread that starts it, so no thread pool may be started
// within a guard.
#pragma once

#include <atomic>
#include <cstdint>
#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace nnpal {

// The control word of this thread's floating-point unit, and its bits that flush denormal results
// (flush-to-zero, FTZ) and operands (denormals-are-zero, DAZ) to 0.
#if defined(__SSE__) || defined(_M_X64)
using ControlWord = std::uint32_t;                            // MXCSR
constexpr ControlWord kFlushBits = (1U << 15) | (1U << 6);    // FTZ | DAZ
inline ControlWord control_word()
{
  return _mm_getcsr();
}
inline void set_control_word(ControlWord word)
{
  _mm_setcsr(word);
}
#elif defined(__aarch64__)
using ControlWord = std::uint64_t;                            // FPCR
constexpr ControlWord kFlushBits = std::uint64_t(1) << 24;    // FZ: results and operands
inline ControlWord control_word()
{
  ControlWord word;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
inline void set_control_word(ControlWord word)
{
  asm volatile("msr fpcr, %0" : : "r"(word));
}
#else    // elsewhere denormal numbers are kept
using ControlWord = std::uint32_t;
constexpr ControlWord kFlushBits = 0;
inline ControlWord control_word()
{
  return 0;
}
inline void set_control_word(ControlWord) {}
#endif

// Whether guards do nothing, for comparisons in tests and timings.
extern std::atomic<bool> keeps_denormals;

class FlushDenormals {
public:
  FlushDenormals() : before_(control_word())
  {
    if (!keeps_denormals.load(std::memory_order_relaxed)) set_control_word(before_ | kFlushBits);
    keep_order();
  }
  ~FlushDenormals()
  {
    keep_order();
    set_control_word(before_);
  }
  FlushDenormals(const FlushDenormals &) = delete;
  FlushDenormals &operator=(const FlushDenormals &) = delete;

private:
  ControlWord before_;

  // The compiler does not know that arithmetic depends on the control word; this keeps loads and stores in
  // place.
  static void keep_order()
  {
#if defined(__GNUC__)
    asm volatile("" : : : "memory");
#endif
  }
};

}    // namespace nnpal
