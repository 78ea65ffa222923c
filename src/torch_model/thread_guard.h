// Sets libtorch's number of intra-op threads for one evaluation, in a process that has other plans with them.
#pragma once

namespace nnpal {

// LAMMPS and libtorch share one OpenMP runtime, and two numbers of threads meet in it:
//
// - this thread's own of OpenMP. LAMMPS sets it (Comm, package omp) and its accelerated styles rely on it: a
// region
//   with more threads than they have made room for writes where it must not.
// - libtorch's, which its other threads and MKL take: that of the user of a Python that trains as well.
//
// Both are left as they were found.
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
