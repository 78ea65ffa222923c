#include "python_lock_guard.h"

#include <dlfcn.h>

namespace nnpal {
namespace {

// A function of Python's C interface, null if Python is not loaded
template <typename Function> Function *python_function(const char *name)
{
  return reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
}

}    // namespace

PythonLockGuard::PythonLockGuard()
{
  auto *is_initialized = python_function<int()>("Py_IsInitialized");
  auto *holds_lock = python_function<int()>("PyGILState_Check");
  auto *save = python_function<void *()>("PyEval_SaveThread");
  if (is_initialized && holds_lock && save && is_initialized() && holds_lock()) thread_state_ = save();
}

PythonLockGuard::~PythonLockGuard()
{
  if (thread_state_) python_function<void(void *)>("PyEval_RestoreThread")(thread_state_);
}

}    // namespace nnpal
