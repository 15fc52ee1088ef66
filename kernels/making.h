// Threads that help to make kernels, for those whose weights take long to prepare.
#ifndef PLEAT_KERNELS_MAKING_H_
#define PLEAT_KERNELS_MAKING_H_

#include "kernels/threads.h"

namespace pleat::kernels {

// While an object lives, kernels that are made on its thread are made with the help of its pool,
// which nobody else uses meanwhile. They are the same to the bit.
class MakingThreads {
 public:
  explicit MakingThreads(ThreadPool& pool);
  ~MakingThreads();
  MakingThreads(const MakingThreads&) = delete;
  MakingThreads& operator=(const MakingThreads&) = delete;

  // Of this thread's latest object, or null.
  static ThreadPool* Current();

 private:
  ThreadPool* const before_;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_MAKING_H_
