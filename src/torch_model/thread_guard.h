// Sets libtorch's number of intra-op threads for one evaluation, in a process with other settings.
#pragma once

namespace nnpal {

// LAMMPS and libtorch share one OpenMP runtime, with two numbers of threads:
//
// - this thread's own of OpenMP. LAMMPS sets it (Comm, package omp) and its accelerated styles rely on it: a
// region
//   with more threads than they have made room for writes where it must not.
// - libtorch's, which its other threads and MKL use: set by the user in a Python that also trains.
//
// Both are restored.
class ThreadGuard {
public:
  explicit ThreadGuard(int n_threads);
  ~ThreadGuard();
  ThreadGuard(const ThreadGuard &) = delete;
  ThreadGuard &operator=(const ThreadGuard &) = delete;

private:
  int of_openmp_, of_torch_;
};

}    // namespace nnpal
