// What several threads may do with one model and one session.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

#include "tests/api/support.h"
#include "tests/support/sanitizers.h"

namespace pleat::tests {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRuns = 100;
#else
constexpr int kRuns = 1000;
#endif

std::vector<float> Picture(int seed) {
  std::vector<float> numbers(2 * 8 * 8);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>((i * 31 + static_cast<size_t>(seed) * 7) % 101) / 50.0f - 1;
  }
  return numbers;
}

const std::vector<int64_t> kShape = {1, 2, 8, 8};

TEST(Threads, EightShareOneModelAndAgreeToTheBit) {
  const ModelHandle model = Load(ConvModel());
  constexpr int kPictures = 5;
  std::vector<std::vector<float>> pictures, expected;
  auto single = Sized<pleat_options>();
  single.threads = 1;
  {
    const SessionHandle session = MakeSession(model.get(), &single);
    for (int p = 0; p < kPictures; ++p) {
      pictures.push_back(Picture(p));
      const pleat_tensor x = Dense(pictures.back(), kShape);
      ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
      ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
      expected.push_back(Floats(session.get(), 0));
    }
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      auto options = Sized<pleat_options>();
      options.threads = 1 + t % 3;
      const SessionHandle session = MakeSession(model.get(), &options);
      for (int run = 0; run < kRuns; ++run) {
        const auto p = static_cast<size_t>((run + t) % kPictures);
        const pleat_tensor x = Dense(pictures[p], kShape);
        auto y = Sized<pleat_tensor>();
        const bool ran = pleat_set_input(session.get(), 0, &x) == PLEAT_OK &&
                         pleat_run(session.get(), nullptr) == PLEAT_OK &&
                         pleat_get_output(session.get(), 0, &y) == PLEAT_OK;
        if (!ran || std::memcmp(y.data, expected[p].data(), y.bytes) != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, CreateAndDestroyAtTheSameTime) {
  const ModelHandle shared = Load(ConvModel());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<float> picture = Picture(t);
      for (int round = 0; round < kRuns / 50; ++round) {
        pleat_model* model = nullptr;
        if (pleat_model_load_memory(ConvModel().data(), ConvModel().size(), PLEAT_COPY, &model) !=
            PLEAT_OK) {
          ++wrong;
          return;
        }
        auto options = Sized<pleat_options>();
        options.threads = 1 + round % 2;
        for (const pleat_model* source : {static_cast<const pleat_model*>(model),
                                          static_cast<const pleat_model*>(shared.get())}) {
          pleat_session* session = nullptr;
          if (pleat_session_create(source, &options, &session) != PLEAT_OK) ++wrong;
          if (source == model) pleat_model_destroy(model);
          const pleat_tensor x = Dense(picture, kShape);
          if (pleat_set_input(session, 0, &x) != PLEAT_OK ||
              pleat_run(session, nullptr) != PLEAT_OK) {
            ++wrong;
          }
          pleat_session_destroy(session);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// A session whose allocator calls back into the API in the middle of a run.
struct Meddler {
  std::function<void()> act;
  static void* Allocate(void* context, size_t bytes, size_t alignment) {
    static_cast<Meddler*>(context)->act();
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void Deallocate(void*, void* memory, size_t) { std::free(memory); }
  pleat_options Options() {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    options.allocate = Allocate;
    options.deallocate = Deallocate;
    options.allocator = this;
    return options;
  }
};

TEST(Threads, EveryCallOnABusySessionIsTold) {
  const ModelHandle model = Load(ConvModel());
  Meddler meddler;
  const pleat_options options = meddler.Options();
  const SessionHandle session = MakeSession(model.get(), &options);
  const std::vector<float> picture = Picture(1);
  const pleat_tensor x = Dense(picture, kShape);
  ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
  int calls = 0;
  meddler.act = [&] {
    ++calls;
    std::thread other([&] {
      auto tensor = Sized<pleat_tensor>();
      auto info = Sized<pleat_session_info>();
      EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_BUSY);
      EXPECT_STREQ(pleat_last_error()->rule, "BUSY");
      EXPECT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_BUSY);
      EXPECT_EQ(pleat_set_output(session.get(), 0, nullptr, 0), PLEAT_BUSY);
      EXPECT_EQ(pleat_get_output(session.get(), 0, &tensor), PLEAT_BUSY);
      EXPECT_EQ(pleat_prepare(session.get()), PLEAT_BUSY);
      EXPECT_EQ(pleat_session_get_info(session.get(), &info), PLEAT_BUSY);
    });
    other.join();
    EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_BUSY) << "from the same thread as well";
  };
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
}

TEST(Threads, AnyThreadMayCancelTheRunInProgress) {
  const ModelHandle model = Load(ConvModel());
  Meddler meddler;
  const pleat_options options = meddler.Options();
  const SessionHandle session = MakeSession(model.get(), &options);
  const std::vector<float> picture = Picture(1);
  const pleat_tensor x = Dense(picture, kShape);
  ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
  meddler.act = [&] {
    std::thread([&] { EXPECT_EQ(pleat_cancel(session.get()), PLEAT_OK); }).join();
  };
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_CANCELLED);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK) << "the next run is not concerned";
  EXPECT_EQ(pleat_cancel(session.get()), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK) << "nor is one begun after the cancel";
}

// Pools a caller might have: one thread after another, backwards, all at once.
struct Pool {
  enum Kind { kInTurn, kBackwards, kThreads } kind;
  size_t largest = 0;
  int loops = 0;
  static void Run(void* self, size_t count, pleat_task task, void* argument) {
    Pool& pool = *static_cast<Pool*>(self);
    pool.largest = std::max(pool.largest, count);
    ++pool.loops;
    if (pool.kind == kThreads) {
      std::vector<std::thread> threads;
      for (size_t i = 0; i < count; ++i) threads.emplace_back(task, argument, i);
      for (std::thread& thread : threads) thread.join();
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      task(argument, pool.kind == kBackwards ? count - 1 - i : i);
    }
  }
};

TEST(Threads, CallersPoolDoesTheWork) {
  const ModelHandle model = Load(ConvModel());
  const std::vector<float> picture = Picture(3);
  const pleat_tensor x = Dense(picture, kShape);
  auto single = Sized<pleat_options>();
  single.threads = 1;
  const SessionHandle reference = MakeSession(model.get(), &single);
  ASSERT_EQ(pleat_set_input(reference.get(), 0, &x), PLEAT_OK);
  ASSERT_EQ(pleat_run(reference.get(), nullptr), PLEAT_OK);
  for (Pool::Kind kind : {Pool::kInTurn, Pool::kBackwards, Pool::kThreads}) {
    Pool pool{kind};
    auto options = Sized<pleat_options>();
    options.threads = 3;
    options.parallel_for = Pool::Run;
    options.pool = &pool;
    const SessionHandle session = MakeSession(model.get(), &options);
    ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    EXPECT_EQ(Floats(session.get(), 0), Floats(reference.get(), 0));
    EXPECT_GT(pool.loops, 0);
    EXPECT_GT(pool.largest, 1u);
    EXPECT_LE(pool.largest, 3u);
  }
}

}  // namespace
}  // namespace pleat::tests
