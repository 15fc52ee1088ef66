// Eight threads load, plan anew, run, cancel, let deadlines pass and destroy, all at once, for
// PLEAT_SOAK seconds (a moment without it): answers stay those of one thread, memory stays flat.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/api/support.h"

namespace pleat::tests {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreads = 8;
constexpr int64_t kSizes[] = {24, 40, 8, 65};
constexpr long kMaxGrowthKib = 8 << 10;

double SoakSeconds() {
  const char* seconds = std::getenv("PLEAT_SOAK");
  return seconds == nullptr ? 0.3 : std::atof(seconds);
}

long ResidentKib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

// A network and its answers by one thread.
struct Subject {
  int file = -1;  // in memory; loaded by mapping it
  ModelHandle shared;
  std::vector<std::vector<float>> inputs, answers;  // of each variant
  std::vector<std::vector<int64_t>> shapes;
  std::vector<float> offset;  // OpenModel's second input; empty: there is none

  explicit Subject(const std::string& bytes)
      : file(memfd_create("soak.pleat", MFD_CLOEXEC)), shared(Load(bytes)) {
    EXPECT_EQ(write(file, bytes.data(), bytes.size()), std::ssize(bytes));
  }
  ~Subject() { close(file); }

  // Sets variant `v`.
  bool Set(pleat_session* session, size_t v) const {
    const pleat_tensor x = Dense(inputs[v], shapes[v]);
    if (pleat_set_input(session, 0, &x) != PLEAT_OK) return false;
    if (offset.empty()) return true;
    const std::vector<int64_t> shape = {3, 1, 1};
    const pleat_tensor second = Dense(offset, shape);
    return pleat_set_input(session, 1, &second) == PLEAT_OK;
  }

  void Add(std::vector<int64_t> shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    std::vector<float> numbers(count);
    for (size_t i = 0; i < count; ++i) {
      numbers[i] = static_cast<float>((i * 37 + inputs.size() * 11) % 101) / 50.0f - 1;
    }
    inputs.push_back(std::move(numbers));
    shapes.push_back(std::move(shape));
  }

  void Answer() {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    const SessionHandle session = MakeSession(shared.get(), &options);
    for (size_t v = 0; v < inputs.size(); ++v) {
      ASSERT_TRUE(Set(session.get(), v));
      ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
      answers.push_back(Floats(session.get(), 0));
    }
  }
};

struct Counts {
  std::atomic<int64_t> sessions{0}, runs{0}, ended_early{0}, wrong{0};
};

void RunOnce(const Subject& subject, pleat_session* session, size_t turn, Counts& counts) {
  const size_t v = turn % subject.inputs.size();
  std::thread canceller;
  if (turn % 4 == 3) canceller = std::thread([=] { pleat_cancel(session); });
  auto options = Sized<pleat_run_options>();
  if (turn % 5 == 4) options.timeout_ns = 20'000;
  const pleat_code code =
      subject.Set(session, v) ? pleat_run(session, &options) : PLEAT_INTERNAL;
  if (canceller.joinable()) canceller.join();
  ++counts.runs;
  if (code == PLEAT_CANCELLED || code == PLEAT_DEADLINE_EXCEEDED) {
    ++counts.ended_early;
    return;
  }
  auto y = Sized<pleat_tensor>();
  const std::vector<float>& answer = subject.answers[v];
  if (code != PLEAT_OK || pleat_get_output(session, 0, &y) != PLEAT_OK ||
      y.bytes != answer.size() * sizeof(float) ||
      std::memcmp(y.data, answer.data(), y.bytes) != 0) {
    ++counts.wrong;
  }
}

void OneSession(const Subject& subject, size_t number, Counts& counts) {
  pleat_model* own = nullptr;
  if (number % 3 != 0 && pleat_model_load_fd(subject.file, &own) != PLEAT_OK) {
    ++counts.wrong;
    return;
  }
  auto options = Sized<pleat_options>();
  options.threads = 1 + static_cast<int>(number % 3);
  pleat_session* session = nullptr;
  if (pleat_session_create(own == nullptr ? subject.shared.get() : own, &options, &session) !=
      PLEAT_OK) {
    ++counts.wrong;
  }
  pleat_model_destroy(own);  // the session keeps what it needs
  for (size_t turn = 0; session != nullptr && turn < 12; ++turn) {
    RunOnce(subject, session, number + turn, counts);
  }
  pleat_session_destroy(session);
  ++counts.sessions;
}

TEST(Soak, EightThreadsDoEverythingAtOnce) {
  Subject open(OpenModel()), conv(WinogradModel());
  open.offset = {1, 2, 3};
  for (const int64_t size : kSizes) open.Add({1, 3, size, size});
  for (int i = 0; i < 4; ++i) conv.Add({1, 16, 16, 16});
  ASSERT_NO_FATAL_FAILURE(open.Answer());
  ASSERT_NO_FATAL_FAILURE(conv.Answer());

  Counts counts;
  const double seconds = SoakSeconds();
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t number = t; Clock::now() < end && counts.wrong == 0; ++number) {
        OneSession(number % 2 == 0 ? open : conv, number / 2, counts);
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds / 10));
  const long early = ResidentKib();
  for (std::thread& thread : threads) thread.join();
  const long late = ResidentKib();
  std::printf("sessions %lld, runs %lld, ended early %lld, KiB at a tenth %ld, at the end %ld\n",
              static_cast<long long>(counts.sessions), static_cast<long long>(counts.runs),
              static_cast<long long>(counts.ended_early), early, late);
  EXPECT_EQ(counts.wrong, 0);
  EXPECT_GT(counts.runs - counts.ended_early, 0);
  if (seconds >= 60) {
    EXPECT_LT(late - early, kMaxGrowthKib);
  }
}

}  // namespace
}  // namespace pleat::tests
