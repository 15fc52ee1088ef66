#include "kernels/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <initializer_list>
#include <thread>
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

TEST(ThreadPool, RunsManyShortLoopsBackToBackAndAfterPauses) {
  for (int threads : {2, 3, 4, 7}) {
    ThreadPool pool(threads);
    std::atomic<size_t> sum{0};
    size_t expected = 0;
    for (size_t loop = 0; loop < 3000; ++loop) {
      const size_t count = loop % 9;
      pool.ParallelFor(count, [&](size_t index, size_t) { sum += index + 1; });
      expected += count * (count + 1) / 2;
      // Long enough for workers to fall asleep.
      if (loop % 600 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_EQ(sum, expected);
  }
}

// Whichever index takes long, the others do not wait for its thread.
TEST(ThreadPool, TakesOverWhatABusyThreadLeaves) {
  for (size_t slow = 0; slow < 8; ++slow) {
    ThreadPool pool(2);
    if (pool.threads() < 2) GTEST_SKIP() << "the system gives no second thread";
    std::atomic<size_t> done{0};
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    size_t met = 0;
    pool.ParallelFor(8, [&](size_t index, size_t) {
      while (index == slow && done < 7 && std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
      }
      if (index == slow) met = done;
      ++done;
    });
    EXPECT_EQ(met, 7u) << "slow index " << slow;
  }
}

// Processor time of all threads of the process, in seconds.
double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST(ThreadPool, IdleWorkersSleep) {
  ThreadPool pool(4);
  pool.ParallelFor(16, [](size_t, size_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = ProcessorSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(ProcessorSeconds() - before, 0.05);
}

TEST(ThreadPool, WorkersTakeNoSignalsButTheirOwnFaults) {
  const auto blocked = [](std::initializer_list<int> signals) {
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, nullptr, &set);
    int count = 0;
    for (const int signal : signals) count += sigismember(&set, signal);
    return count;
  };
  ThreadPool pool(2);
  EXPECT_EQ(blocked({SIGTERM, SIGINT, SIGUSR1, SIGALRM, SIGCHLD}), 0);  // the caller's as before
  ASSERT_EQ(pool.threads(), 2);
  int others = -1, faults = -1;
  std::atomic<bool> seen{false};
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  pool.ParallelFor(2, [&](size_t, size_t slot) {
    if (slot == 1) {
      others = blocked({SIGTERM, SIGINT, SIGUSR1, SIGALRM, SIGCHLD});
      faults = blocked({SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF});
      seen = true;
    }
    while (!seen && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  });
  EXPECT_EQ(others, 5);
  EXPECT_EQ(faults, 0);
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
