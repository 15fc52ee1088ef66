// How a kernel shares its outputs among threads.
#ifndef PLEAT_KERNELS_SPLIT_H_
#define PLEAT_KERNELS_SPLIT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/threads.h"

namespace pleat::kernels {

// Calls f(begin, end, slot) on consecutive parts that cover [0, count): one part when a single
// thread would do it soonest, else at most 8 per thread and none below `grain` items.
template <class F>
void ForRanges(ThreadPool& threads, int64_t count, int64_t grain, F&& f) {
  if (count <= 0) return;
  const int64_t most = threads.threads() == 1 ? 1 : int64_t{8} * threads.threads();
  const int64_t parts = std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, most);
  threads.ParallelFor(static_cast<size_t>(parts), [&](size_t index, size_t slot) {
    const int64_t i = static_cast<int64_t>(index);
    f(count / parts * i + std::min(i, count % parts),
      count / parts * (i + 1) + std::min(i + 1, count % parts), slot);
  });
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_SPLIT_H_
