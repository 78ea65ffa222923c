// Releases Python's lock (GIL) for one evaluation, if this thread holds it.
#pragma once

namespace nnpal {

// LAMMPS with its package PYTHON holds the lock from its first python command to its end, and once that
// Python has imported torch, libtorch's autograd refuses to run in a thread that holds it. This library does
// not link to Python: without Python in the process, nothing is done.
class PythonLockGuard {
public:
  PythonLockGuard();
  ~PythonLockGuard();
  PythonLockGuard(const PythonLockGuard &) = delete;
  PythonLockGuard &operator=(const PythonLockGuard &) = delete;

private:
  void *thread_state_ = nullptr;
};

}    // namespace nnpal
