#include "thread_guard.h"

#include <ATen/Parallel.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include <thread>

namespace nnpal {
namespace {

#ifdef _OPENMP
int openmp_threads()
{
  return omp_get_max_threads();
}
void set_openmp_threads(int n)
{
  omp_set_num_threads(n);
}
#else
int openmp_threads()
{
  return at::get_num_threads();
}
void set_openmp_threads(int) {}
#endif

// Number of threads that libtorch uses in a thread without a setting; `otherwise` if that is the default.
// libtorch does not report it: at::get_num_threads() is the calling thread's OpenMP setting.
int look_up_torch_threads(int otherwise)
{
  int chosen = otherwise;
  std::thread([&] {
    const int by_default = openmp_threads(), of_torch = at::get_num_threads();
    if (of_torch != by_default) chosen = of_torch;
  }).join();
  return chosen;
}

// A thread is started only if the caller's number has changed since the last evaluation: setting libtorch's
// number sets the caller's, too.
int torch_threads(int of_openmp)
{
  static thread_local int seen = 0, chosen = 0;
  if (seen != of_openmp) {
    chosen = look_up_torch_threads(of_openmp);
    seen = of_openmp;
  }
  return chosen;
}

}    // namespace

// OpenMP's number is read before any use of libtorch, which sets it at its first use.
ThreadGuard::ThreadGuard(int n_threads) : of_openmp_(openmp_threads()), of_torch_(torch_threads(of_openmp_))
{
  at::get_num_threads();    // so that it makes its setting now and not later
  at::set_num_threads(n_threads);
}

ThreadGuard::~ThreadGuard()
{
  at::set_num_threads(of_torch_);
  set_openmp_threads(of_openmp_);
}

}    // namespace nnpal
