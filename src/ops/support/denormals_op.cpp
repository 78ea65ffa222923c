// torch.ops.nnpal.flush_denormals, restore_denormals: the guard of denormals.h for torch's own computations,
// on all of its intra-op threads. torch.set_flush_denormal sets only the calling thread's control word.
#include "support/denormals.h"

#include <ATen/Parallel.h>
#include <torch/library.h>
#include <vector>

namespace nnpal {
namespace {

using Words = std::vector<std::int64_t>;    // a control word of each intra-op thread, the caller's first

// Act on each word in its own thread. In reverse order: if one thread gets several words, the first that was
// read must be the last that is restored.
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

// All threads are started before any of them, including the caller, is changed, so that none inherits the
// change.
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
  // Set flush-to-zero on all intra-op threads; returns the argument of restore_denormals.
  m.def("flush_denormals() -> int[]", &nnpal::flush_denormals);
  m.def("restore_denormals(int[] words) -> ()", &nnpal::restore_denormals);
  // For tests and timings: the current control words, and whether flushing is disabled everywhere.
  m.def("control_words() -> int[]", &nnpal::control_words);
  m.def("keep_denormals(bool keeps) -> ()", [](bool keeps) { nnpal::keeps_denormals = keeps; });
}
