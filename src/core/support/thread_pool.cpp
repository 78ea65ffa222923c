#include "support/thread_pool.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

#if defined(__GLIBCXX__) && defined(__x86_64__)
// GCC 12 added a second version of this symbol, which the libstdc++ of RHEL 9 lacks; the first is equivalent
#define NNPAL_WAIT "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE"
__asm__(".symver " NNPAL_WAIT ", " NNPAL_WAIT "@GLIBCXX_3.4.11");
#undef NNPAL_WAIT
#endif

namespace nnpal {
namespace {

// A loop that threads share in equal parts.
struct Loop {
  std::int64_t n, n_parts;
  const RangeAction &act;
  std::mutex failing;
  std::exception_ptr failure;

  void work(std::int64_t part)
  {
    if (part >= n_parts) return;
    try {
      act(part * n / n_parts, (part + 1) * n / n_parts);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      if (!failure) failure = std::current_exception();
    }
  }
};

}    // namespace

struct ThreadPool::Workers {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable has_loop, is_done;
  Loop *loop = nullptr;
  std::int64_t round = 0;    // of the latest loop
  std::size_t n_busy = 0;
  bool stops = false;

  explicit Workers(int n)
  {
    for (int i = 0; i < n; ++i) threads.emplace_back([this, i] { serve(i + 1); });
  }

  ~Workers()
  {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stops = true;
    }
    has_loop.notify_all();
    for (std::thread &thread : threads) thread.join();
  }

  void serve(int part)
  {
    std::int64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      has_loop.wait(lock, [&] { return stops || round != seen; });
      if (stops) return;
      seen = round;
      Loop *const own = loop;
      lock.unlock();
      own->work(part);
      lock.lock();
      if (--n_busy == 0) is_done.notify_one();
    }
  }

  void run(Loop &own)
  {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      loop = &own;
      n_busy = threads.size();
      ++round;
    }
    has_loop.notify_all();
    own.work(0);
    std::unique_lock<std::mutex> lock(mutex);
    is_done.wait(lock, [&] { return n_busy == 0; });
  }
};

ThreadPool::ThreadPool(int n_threads) : n_threads_(std::max(n_threads, 1)) {}

ThreadPool::~ThreadPool()
{
  if (workers_ && process_ != getpid()) (void)workers_.release();    // threads of the parent cannot be joined
}

void ThreadPool::share(std::int64_t n, std::int64_t grain, const RangeAction &act)
{
  const std::int64_t n_shares = std::min<std::int64_t>(n_threads_, n / std::max<std::int64_t>(grain, 1));
  if (n_shares <= 1) {
    if (n > 0) act(0, n);
    return;
  }
  if (workers_ && process_ != getpid()) (void)workers_.release();
  if (!workers_) {
    workers_ = std::make_unique<Workers>(n_threads_ - 1);
    process_ = getpid();
  }
  Loop loop{n, n_shares, act, {}, {}};
  workers_->run(loop);
  if (loop.failure) std::rethrow_exception(loop.failure);
}

}    // namespace nnpal
