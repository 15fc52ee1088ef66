#include "kernels/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "kernels/fma_peak.h"

namespace pleat::kernels {
namespace {

TEST(ThreadPool, RunsEveryIndexOnceOnExclusiveSlots) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    ASSERT_GE(pool.threads(), 1);
    ASSERT_LE(pool.threads(), threads);
    for (size_t count : {0u, 1u, 2u, 5u, 1000u}) {
      std::vector<std::atomic<int>> calls(count);
      std::vector<std::atomic<int>> busy(static_cast<size_t>(pool.threads()));
      std::atomic<int> shared{0};
      pool.ParallelFor(count, [&](size_t index, size_t slot) {
        if (busy[slot].fetch_add(1) != 0) ++shared;
        ++calls[index];
        busy[slot].fetch_sub(1);
      });
      EXPECT_EQ(shared, 0);
      for (const auto& c : calls) EXPECT_EQ(c, 1);
    }
  }
}

TEST(PartOf, CoversTheRangeWithoutGaps) {
  for (size_t count : {0u, 1u, 7u, 64u}) {
    size_t next = 0;
    for (size_t i = 0; i < 5; ++i) {
      const Range range = PartOf(count, 5, i);
      EXPECT_EQ(range.begin, next);
      next = range.end;
    }
    EXPECT_EQ(next, count);
  }
}

TEST(FmaPeak, IsWhatSomeProcessorCouldDo) {
  ThreadPool pool(2);
  const double peak = MeasureFmaPeak(pool);
  EXPECT_GT(peak, 1e6);
  EXPECT_LT(peak, 2.0 * 512e9);  // two threads, two 16-wide units, 8 GHz
}

}  // namespace
}  // namespace pleat::kernels
