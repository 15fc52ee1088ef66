// A pool of threads that splits loops. Work is split over outputs only, never inside a reduction,
// so results do not depend on the number of threads. Idle workers watch for the next loop for some
// 50 microseconds, then sleep.
#ifndef PLEAT_KERNELS_THREADS_H_
#define PLEAT_KERNELS_THREADS_H_

#include <cstddef>
#include <functional>
#include <memory>

struct pthreadpool;

namespace pleat::kernels {

class ThreadPool {
 public:
  // `threads` >= 1. One thread means: everything runs on the caller's thread and none is created.
  // Falls back to fewer threads when the system gives none. They take no signals.
  explicit ThreadPool(int threads);
  // Uses threads that belong to the caller: run(pool, count, task, argument) must call
  // task(argument, i) once for every i in [0, count), on any threads, all at once or one after
  // another, and return when all are done. `count` is never above `threads`.
  using Task = void (*)(void* argument, size_t index);
  using Runner = void (*)(void* pool, size_t count, Task task, void* argument);
  ThreadPool(int threads, Runner run, void* pool);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  // For libraries that split their own work, made when first asked for: null where the threads are
  // the caller's, or only one.
  struct pthreadpool* native() const;

  // Calls body(context, index, slot) once for every index in [0, count) and returns when all are
  // done. `slot` is in [0, threads()) and no two calls that run at the same time share one, so it
  // selects scratch memory. Indices are handed out one at a time: give 4 to 8 of them per thread.
  // Allocates nothing. Not to be called from inside a body, nor by two threads at once.
  using Body = void (*)(void* context, size_t index, size_t slot);
  void Run(size_t count, Body body, void* context);

  // The same for a callable `f(index, slot)`.
  template <class F>
  void ParallelFor(size_t count, F&& f) {
    Run(
        count,
        [](void* context, size_t index, size_t slot) {
          (*static_cast<std::remove_reference_t<F>*>(context))(index, slot);
        },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int threads_ = 1;
};

// Half-open range of the `index`-th of `parts` nearly equal parts of [0, count).
struct Range {
  size_t begin, end;
};
inline Range PartOf(size_t count, size_t parts, size_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_THREADS_H_
