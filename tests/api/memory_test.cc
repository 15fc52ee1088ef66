// Where memory comes from, that a run asks for none, and what happens when there is none.
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "tests/api/support.h"
#include "tests/support/sanitizers.h"

namespace {

// Every allocation of this program passes here: `remaining` counts down to the one that fails.
std::atomic<long> allocations{0};
std::atomic<long> locks{0};
std::atomic<long> futexes{0};  // sleeping on a number, and waking who sleeps
std::atomic<long> remaining{-1};

bool Refused() {
  ++allocations;
  long left = remaining.load();
  while (left > 0 && !remaining.compare_exchange_weak(left, left - 1)) {
  }
  return left == 0;
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PLEAT_HOOKS_MALLOC 1
// The function that the hook of this name stands in front of.
template <class F>
F* Next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void* malloc(size_t bytes) { return ++allocations, __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) { return ++allocations, __libc_calloc(count, bytes); }
void* realloc(void* memory, size_t bytes) { return ++allocations, __libc_realloc(memory, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) {
  return ++allocations, __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, size_t alignment, size_t bytes) {
  ++allocations;
  *out = __libc_memalign(alignment, bytes);
  return *out == nullptr ? 12 : 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  return ++locks, Next<decltype(pthread_mutex_lock)>("pthread_mutex_lock")(mutex);
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  return ++locks, Next<decltype(pthread_mutex_trylock)>("pthread_mutex_trylock")(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  return ++locks, Next<decltype(pthread_rwlock_rdlock)>("pthread_rwlock_rdlock")(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  return ++locks, Next<decltype(pthread_rwlock_wrlock)>("pthread_rwlock_wrlock")(lock);
}
long syscall(long number, ...) {
  if (number == SYS_futex) ++futexes;
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  return Next<long(long, ...)>("syscall")(number, arguments[0], arguments[1], arguments[2],
                                          arguments[3], arguments[4], arguments[5]);
}
}
#endif

namespace {

void* New(size_t bytes, size_t alignment) {
  if (Refused()) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes == 0 ? 1 : bytes);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* NewOrThrow(size_t bytes, size_t alignment) {
  void* memory = New(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return NewOrThrow(bytes, 1); }
void* operator new[](size_t bytes) { return NewOrThrow(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return NewOrThrow(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return NewOrThrow(bytes, static_cast<size_t>(alignment));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return New(bytes, 1); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return New(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return New(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace pleat::tests {
namespace {

TEST(Memory, TheHooksSeeAllocations) {
  const long before = allocations;
  const std::vector<int> numbers(1000);
  EXPECT_GT(allocations, before);
#if defined(PLEAT_HOOKS_MALLOC)
  const long after_new = allocations;
  void* volatile memory = std::malloc(10);
  EXPECT_GT(allocations, after_new);
  std::free(memory);
  const long locks_before = locks;
  std::mutex mutex;
  { const std::lock_guard lock(mutex); }
  EXPECT_EQ(locks, locks_before + 1);
#endif
}

// Workers of a session with threads of its own sleep and are woken; nothing else ever waits.
TEST(Memory, RunsAllocateNothingAndLockNothing) {
  const ModelHandle model = Load(WinogradModel());
  const std::vector<float> picture(16 * 16 * 16, 0.5f);
  const std::vector<int64_t> shape = {1, 16, 16, 16};
  const pleat_tensor x = Dense(picture, shape);
  const auto in_turn = [](void*, size_t count, pleat_task task, void* argument) {
    for (size_t i = 0; i < count; ++i) task(argument, i);
  };
  enum { kOneThread, kTwoThreads, kCallersPool };
  for (const int way : {kOneThread, kTwoThreads, kCallersPool}) {
    auto options = Sized<pleat_options>();
    options.threads = way == kOneThread ? 1 : 2;
    if (way == kCallersPool) options.parallel_for = in_turn;
    const SessionHandle session = MakeSession(model.get(), &options);
    ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    const long allocations_before = allocations, locks_before = locks, futexes_before = futexes;
    int failed = 0;
    for (int run = 0; run < 20; ++run) {
      failed += pleat_run(session.get(), nullptr) != PLEAT_OK;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const long allocated = allocations - allocations_before, locked = locks - locks_before;
    const bool slept = futexes != futexes_before;
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(allocated, 0) << way;
    EXPECT_EQ(locked, 0) << way;
#if defined(PLEAT_HOOKS_MALLOC)
    EXPECT_EQ(slept, way == kTwoThreads) << way;
#else
    EXPECT_FALSE(slept);
#endif
  }
}

TEST(Memory, RunsAllocateNothingAfterTheFirstOfAShape) {
  for (int threads : {1, 2}) {
    const ModelHandle model = Load(OpenModel());
    auto options = Sized<pleat_options>();
    options.threads = threads;
    const SessionHandle session = MakeSession(model.get(), &options);
    const OpenInputs small(3, 4), large(30, 40);
    std::vector<float> buffer(3 * 30 * 40);
    for (const OpenInputs* inputs : {&small, &large}) {
      ASSERT_EQ(inputs->Set(session.get()), PLEAT_OK);
      ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    }
    auto run_options = Sized<pleat_run_options>();
    run_options.timeout_ns = 1'000'000'000'000;
    auto output = Sized<pleat_tensor>();
    std::vector<uint8_t> pixels(3 * 30 * 40, 7);
    const int64_t pixel_shape[] = {1, 30, 40, 3};
    static const float kMean[] = {1, 2, 3};
    auto picture = Sized<pleat_tensor>();
    picture.data = pixels.data();
    picture.bytes = pixels.size();
    picture.element = PLEAT_UINT8;
    picture.layout = PLEAT_CHANNELS_LAST;
    picture.rank = 4;
    picture.shape = pixel_shape;
    picture.mean = kMean;
    ASSERT_EQ(pleat_set_input(session.get(), 0, &picture), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);

    const long before = allocations;
    pleat_code codes = PLEAT_OK;
    const auto check = [&](pleat_code code) {
      if (code != PLEAT_OK) codes = code;
    };
    for (int frame = 0; frame < 20; ++frame) {
      check(pleat_set_input(session.get(), 0, &picture));
      check(pleat_set_output(session.get(), 0, frame % 2 != 0 ? buffer.data() : nullptr,
                             buffer.size() * sizeof(float)));
      check(pleat_run(session.get(), frame % 3 != 0 ? &run_options : nullptr));
      check(pleat_get_output(session.get(), 0, &output));
    }
    const long after = allocations;
    EXPECT_EQ(codes, PLEAT_OK);
    EXPECT_EQ(after - before, 0) << threads << " threads";
  }
}

TEST(Memory, TheCallersAllocatorGetsEverythingBack) {
  struct Counter {
    size_t bytes = 0;
    int blocks = 0;
  } counter;
  const ModelHandle model = Load(OpenModel());
  auto options = Sized<pleat_options>();
  options.threads = 1;
  options.allocate = [](void* context, size_t bytes, size_t alignment) {
    auto* count = static_cast<Counter*>(context);
    count->bytes += bytes;
    ++count->blocks;
    EXPECT_EQ(alignment, 64u);
    return std::aligned_alloc(alignment, (bytes + 63) / 64 * 64);
  };
  options.deallocate = [](void* context, void* memory, size_t bytes) {
    auto* count = static_cast<Counter*>(context);
    count->bytes -= bytes;
    --count->blocks;
    std::free(memory);
  };
  options.allocator = &counter;
  {
    const SessionHandle session = MakeSession(model.get(), &options);
    for (int64_t size : {2, 30, 3}) {
      const OpenInputs inputs(size, size);
      ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
      ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
      EXPECT_EQ(Floats(session.get(), 0), inputs.ExpectedSum());
      EXPECT_EQ(counter.blocks, 1);
    }
  }
  EXPECT_EQ(counter.blocks, 0);
  EXPECT_EQ(counter.bytes, 0u);
}

TEST(Memory, AnAllocatorThatFailsOrMisalignsIsTold) {
  const ModelHandle model = Load(OpenModel());
  const OpenInputs inputs(2, 2);
  static bool fail = true;
  alignas(64) static char memory[1 << 16];
  auto options = Sized<pleat_options>();
  options.allocate = [](void*, size_t, size_t) -> void* { return fail ? nullptr : memory + 4; };
  options.deallocate = [](void*, void*, size_t) {};
  const SessionHandle session = MakeSession(model.get(), &options);
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OUT_OF_MEMORY);
  EXPECT_EQ(pleat_prepare(session.get()), PLEAT_OUT_OF_MEMORY);
  fail = false;
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_INVALID_ARGUMENT);
  EXPECT_STREQ(pleat_last_error()->rule, "ALLOCATOR");
}

// Load, make a session, set, run: whichever allocation fails, the code says so and nothing leaks.
pleat_code WholeLife(const std::string& bytes, const std::vector<float>& picture,
                     const std::vector<int64_t>& shape) {
  pleat_model* model = nullptr;
  pleat_code code = pleat_model_load_memory(bytes.data(), bytes.size(), PLEAT_COPY, &model);
  if (code != PLEAT_OK) return code;
  auto options = Sized<pleat_options>();
  options.threads = 1;
  pleat_session* session = nullptr;
  code = pleat_session_create(model, &options, &session);
  const pleat_tensor x = Dense(picture, shape);
  if (code == PLEAT_OK) code = pleat_set_input(session, 0, &x);
  if (code == PLEAT_OK) code = pleat_run(session, nullptr);
  pleat_session_destroy(session);
  pleat_model_destroy(model);
  return code;
}

// Fails each allocation of `body` in turn until one call has needed no more.
template <class Body>
long FailEach(Body&& body) {
  for (long failing = 0; failing < 100000; ++failing) {
    remaining = failing;
    const pleat_code code = body();
    const bool reached = remaining == 0;
    remaining = -1;
    if (!reached) return failing;
    EXPECT_TRUE(code == PLEAT_OUT_OF_MEMORY || code == PLEAT_OK) << failing << ": " << code;
  }
  return -1;
}

TEST(Memory, EveryAllocationOfReadingAFileMayFail) {
  std::string path = testing::TempDir() + "/pleat_memory_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  const std::string& bytes = ConvModel();
  ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const auto by_path = [&] {
    pleat_model* model = nullptr;
    const pleat_code code = pleat_model_load(path.c_str(), &model);
    pleat_model_destroy(model);
    return code;
  };
  const auto by_descriptor = [&] {
    pleat_model* model = nullptr;
    const pleat_code code = pleat_model_load_fd(fd, &model);
    pleat_model_destroy(model);
    return code;
  };
  EXPECT_EQ(by_path(), PLEAT_OK);
  EXPECT_GT(FailEach(by_path), 20);
  EXPECT_GT(FailEach(by_descriptor), 20);
  close(fd);
  unlink(path.c_str());
}

TEST(Memory, EveryAllocationOfPlanningMayFail) {
  const ModelHandle model = Load(ConvModel());
  const std::vector<float> picture(2 * 8 * 8, 1);
  const std::vector<int64_t> shape = {1, 2, 8, 8};
  const pleat_tensor x = Dense(picture, shape);
  EXPECT_GT(FailEach([&] {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    pleat_session* session = nullptr;
    pleat_code code = pleat_session_create(model.get(), &options, &session);
    if (code == PLEAT_OK) code = pleat_set_input(session, 0, &x);
    if (code == PLEAT_OK) code = pleat_prepare(session);
    pleat_session_destroy(session);
    return code;
  }), 20);
}

TEST(Memory, CallbacksThatThrowAreTold) {
  const ModelHandle model = Load(OpenModel());
  const OpenInputs inputs(2, 2);
  auto options = Sized<pleat_options>();
  options.deallocate = [](void*, void*, size_t) {};
  const auto run = [&] {
    const SessionHandle session = MakeSession(model.get(), &options);
    EXPECT_EQ(inputs.Set(session.get()), PLEAT_OK);
    return pleat_run(session.get(), nullptr);
  };
  options.allocate = [](void*, size_t, size_t) -> void* { throw std::runtime_error("no room"); };
  EXPECT_EQ(run(), PLEAT_INTERNAL);
  EXPECT_STREQ(pleat_last_error()->rule, "EXCEPTION");
  EXPECT_NE(std::string(pleat_last_error()->message).find("no room"), std::string::npos);
  options.allocate = [](void*, size_t, size_t) -> void* { throw 7; };
  EXPECT_EQ(run(), PLEAT_INTERNAL);
  EXPECT_NE(std::string(pleat_last_error()->message).find("unknown type"), std::string::npos);
}

TEST(Memory, EveryAllocationMayFail) {
  const std::string& bytes = ConvModel();
  const std::vector<float> picture(2 * 8 * 8, 1);
  const std::vector<int64_t> shape = {1, 2, 8, 8};
  ASSERT_EQ(WholeLife(bytes, picture, shape), PLEAT_OK);
  EXPECT_GT(FailEach([&] { return WholeLife(bytes, picture, shape); }), 20);
}

}  // namespace
}  // namespace pleat::tests
