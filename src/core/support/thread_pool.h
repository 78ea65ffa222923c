// A few threads for one model. Not OpenMP's: that runtime belongs to LAMMPS or torch and has their number of
// threads.
#pragma once

#include "support/parallel.h"

#include <memory>

namespace nnpal {

class ThreadPool {
public:
  // n_threads: including the caller's; the others are started when first needed.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  // See parallel.h. To be called from one thread at a time.
  void share(std::int64_t n, std::int64_t grain, const RangeAction &act);

private:
  struct Workers;

  int n_threads_;
  std::unique_ptr<Workers> workers_;
  long process_ = 0;    // of the workers: a fork has none of them
};

}    // namespace nnpal
