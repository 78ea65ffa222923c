// torch.ops.nnpal.flush_denormals, restore_denormals: the guard of denormals.h for what torch itself
// computes, on all of its intra-op threads. torch.set_flush_denormal sets the calling thread's control word
// alone.
#include "support/denormals.h"

#include <ATen/Parallel.h>
#include <torch/library.h>
#include <vector>

namespace nnpal {
namespace {

using Words = std::vector<std::int64_t>;    // a control word of each intra-op thread, the caller's first

// Act on each word in the thread that it belongs to. Backwards, for should one thread get several, the first
// that was read is the one to leave behind.
template <class Act> void on_each_thread(Words &words, const Act &act)
{
  const auto n = static_cast<std::int64_t>(words.size());
  at::parallel_for(0, n, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t thread = last - 1; thread >= first; --thread) act(words[thread]);
  });
}

Words control_words()
{
  Words words(at::in_parallel_region() ? 1 : at::get_num_threads());
  on_each_thread(words, [](std::int64_t &word) { word = control_word(); });
  return words;
}

// The threads are started before any of them, the caller included, is changed: none inherits it.
Words flush_denormals()
{
  Words words = control_words(), flushed = words;
  if (keeps_denormals) return words;
  for (std::int64_t &word : flushed) word |= static_cast<std::int64_t>(kFlushBits);
  on_each_thread(flushed, [](std::int64_t word) { set_control_word(static_cast<ControlWord>(word)); });
  return words;
}

void restore_denormals(at::IntArrayRef found)
{
  Words words = found.vec();
  on_each_thread(words, [](std::int64_t word) { set_control_word(static_cast<ControlWord>(word)); });
}

}    // namespace
}    // namespace nnpal

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  // Set flush-to-zero on all intra-op threads; returns what restore_denormals wants.
  m.def("flush_denormals() -> int[]", &nnpal::flush_denormals);
  m.def("restore_denormals(int[] words) -> ()", &nnpal::restore_denormals);
  // For tests and timings: the control words as they are, and whether everything here flushes nothing.
  m.def("control_words() -> int[]", &nnpal::control_words);
  m.def("keep_denormals(bool keeps) -> ()", [](bool keeps) { nnpal::keeps_denormals = keeps; });
}
