// A few threads for one model. None of OpenMP's: that runtime belongs to LAMMPS, or to torch, and has their
// numbers of threads.
#pragma once

#include "support/parallel.h"

#include <memory>

namespace nnpal {

class ThreadPool {
public:
  // n_threads: with the caller's; the others are started when they are first needed.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  // See parallel.h. From one thread at a time.
  void share(std::int64_t n, std::int64_t grain, const RangeAction &act);

private:
  struct Workers;

  int n_threads_;
  std::unique_ptr<Workers> workers_;
  long process_ = 0;    // that the workers belong to: a fork has none of them
};

}    // namespace nnpal
