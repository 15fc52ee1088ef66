#include "kernels/threads.h"

#include <pthreadpool.h>

#include <algorithm>
#include <atomic>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace pleat::kernels {

struct ThreadPool::Impl {
  pthreadpool_t pool = nullptr;
  Runner run = nullptr;
  void* callers_pool = nullptr;
  ~Impl() {
    if (pool != nullptr) pthreadpool_destroy(pool);
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads <= 1) return;
  impl_->pool = pthreadpool_create(static_cast<size_t>(threads));
  if (impl_->pool != nullptr) {
    threads_ = static_cast<int>(pthreadpool_get_threads_count(impl_->pool));
  }
}

ThreadPool::ThreadPool(int threads, Runner run, void* pool)
    : impl_(std::make_unique<Impl>()), threads_(threads) {
  impl_->run = run;
  impl_->callers_pool = pool;
}

ThreadPool::~ThreadPool() = default;

pthreadpool_t ThreadPool::native() const { return impl_->pool; }

namespace {

struct Loop {
  std::atomic<size_t> next{0};
  size_t count;
  ThreadPool::Body body;
  void* context;
};

// pthreadpool hands loops over in ways that ThreadSanitizer does not see: it is told.
void HandOver([[maybe_unused]] Loop* loop) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(loop);
#endif
}
void TakeOver([[maybe_unused]] Loop* loop) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(loop);
#endif
}

void RunSlot(void* argument, size_t slot) {
  auto* loop = static_cast<Loop*>(argument);
  TakeOver(loop);
  for (size_t index; (index = loop->next.fetch_add(1, std::memory_order_relaxed)) < loop->count;) {
    loop->body(loop->context, index, slot);
  }
  HandOver(loop);
}

}  // namespace

void ThreadPool::Run(size_t count, Body body, void* context) {
  if (threads_ == 1 || count <= 1) {
    for (size_t index = 0; index < count; ++index) body(context, index, 0);
    return;
  }
  Loop loop{.count = count, .body = body, .context = context};
  const size_t slots = std::min(count, static_cast<size_t>(threads_));
  if (impl_->run != nullptr) {
    impl_->run(impl_->callers_pool, slots, RunSlot, &loop);
    return;
  }
  HandOver(&loop);
  pthreadpool_parallelize_1d(impl_->pool, RunSlot, &loop, slots, PTHREADPOOL_FLAG_YIELD_WORKERS);
  TakeOver(&loop);
}

}  // namespace pleat::kernels
