// Gives Python's lock (GIL) back for one evaluation, if this thread holds it.
#pragma once

namespace nnpal {

// A LAMMPS with its package PYTHON holds the lock from its first python command to its end, and once that
// Python has imported torch, libtorch's autograd refuses to run in a thread that holds it. This library links
// no Python: without one in the process nothing happens.
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
