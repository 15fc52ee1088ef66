#include "kernels/threads.h"

#include <pthreadpool.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace pleat::kernels {
namespace {

// Longer than it takes from one step of a network to the next: a worker that sleeps in between
// comes too late for short steps.
constexpr std::chrono::microseconds kWatch{50};

// Whether a wait that began with this object has become long.
class Patience {
 public:
  bool Over() const { return std::chrono::steady_clock::now() - begin_ > kWatch; }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Threads made while it lives take no signals, which are for the program's own, but for what they
// do to themselves and a profiler's clock.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t set;
    sigfillset(&set);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF}) {
      sigdelset(&set, own);
    }
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Indices that are still to be handed out of those meant for a slot.
struct alignas(64) Share {
  std::atomic<size_t> next;
  size_t end;
};

struct Loop {
  Share* shares;
  size_t slots;
  ThreadPool::Body body;
  void* context;
};

// A slot's own share first, the same part of every loop: what a step writes is then often in the
// cache of the thread that reads it in the next. Then what the others have not got round to.
void RunSlot(void* argument, size_t slot) {
  auto* loop = static_cast<Loop*>(argument);
  for (size_t turn = 0; turn < loop->slots; ++turn) {
    Share& share = loop->shares[(slot + turn) % loop->slots];
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const size_t index = share.next.fetch_add(1, std::memory_order_relaxed);
      if (index < share.end) loop->body(loop->context, index, slot);
    }
  }
}

}  // namespace

// Loops are announced in `state_`: a number, whether it is open, and how many workers have joined.
// A worker joins only while the loop is open, so one that wakes late delays nobody.
struct ThreadPool::Impl {
  static constexpr uint32_t kJoined = 0x7fff, kOpen = 0x8000, kNumber = 0x10000;

  std::vector<std::thread> workers;
  std::atomic<uint32_t> state{0}, done{0}, asleep{0};
  std::atomic<bool> stop{false};
  Loop* loop = nullptr;  // of the open loop
  size_t slots = 0;
  pthreadpool_t native = nullptr;
  std::unique_ptr<Share[]> shares;
  Runner run = nullptr;
  void* callers_pool = nullptr;

  ~Impl() {
    stop = true;
    state.fetch_add(kNumber);
    state.notify_all();
    for (std::thread& worker : workers) worker.join();
    if (native != nullptr) pthreadpool_destroy(native);
  }

  // Returns the state once it is of another loop than number `seen`.
  uint32_t AwaitLoop(uint32_t seen) {
    for (const Patience patience; !patience.Over();) {
      const uint32_t now = state.load(std::memory_order_acquire);
      if (now / kNumber != seen) return now;
    }
    asleep.fetch_add(1);
    uint32_t now;
    while ((now = state.load()) / kNumber == seen) state.wait(now);
    asleep.fetch_sub(1);
    return now;
  }

  void Work(size_t slot) {
    for (uint32_t seen = 0;;) {
      uint32_t now = AwaitLoop(seen);
      seen = now / kNumber;
      if (stop) return;
      while ((now & kOpen) != 0 && now / kNumber == seen) {
        if (!state.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) continue;
        if (slot < slots) RunSlot(loop, slot);
        done.fetch_add(1, std::memory_order_release);
        done.notify_one();
        break;
      }
    }
  }

  void Run(Loop* all, size_t most_slots) {
    loop = all;
    slots = most_slots;
    done.store(0, std::memory_order_relaxed);
    const uint32_t number = state.load(std::memory_order_relaxed) / kNumber + 1;
    state.store(number * kNumber + kOpen);
    if (asleep.load() > 0) state.notify_all();
    RunSlot(all, 0);
    const uint32_t joined = state.fetch_and(~kOpen, std::memory_order_acq_rel) & kJoined;
    const Patience patience;
    for (uint32_t now; (now = done.load(std::memory_order_acquire)) != joined;) {
      if (patience.Over()) done.wait(now, std::memory_order_acquire);
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  const int most = std::min(threads, static_cast<int>(Impl::kJoined));
  impl_->shares = std::make_unique<Share[]>(static_cast<size_t>(std::max(most, 1)));
  if (most <= 1) return;
  const SignalsBlocked blocked;
  for (; threads_ < most; ++threads_) {
    try {
      impl_->workers.emplace_back([impl = impl_.get(), slot = static_cast<size_t>(threads_)] {
        impl->Work(slot);
      });
    } catch (const std::system_error&) {
      return;
    }
  }
}

ThreadPool::ThreadPool(int threads, Runner run, void* pool)
    : impl_(std::make_unique<Impl>()), threads_(threads) {
  impl_->shares = std::make_unique<Share[]>(static_cast<size_t>(std::max(threads, 1)));
  impl_->run = run;
  impl_->callers_pool = pool;
}

ThreadPool::~ThreadPool() = default;

pthreadpool_t ThreadPool::native() const {
  if (threads_ == 1 || impl_->run != nullptr) return nullptr;
  if (impl_->native == nullptr) {
    const SignalsBlocked blocked;
    impl_->native = pthreadpool_create(static_cast<size_t>(threads_));
  }
  return impl_->native;
}

void ThreadPool::Run(size_t count, Body body, void* context) {
  if (threads_ == 1 || count <= 1) {
    for (size_t index = 0; index < count; ++index) body(context, index, 0);
    return;
  }
  const size_t slots = std::min(count, static_cast<size_t>(threads_));
  Loop loop{.shares = impl_->shares.get(), .slots = slots, .body = body, .context = context};
  for (size_t slot = 0; slot < slots; ++slot) {
    const Range share = PartOf(count, slots, slot);
    loop.shares[slot].next.store(share.begin, std::memory_order_relaxed);
    loop.shares[slot].end = share.end;
  }
  if (impl_->run != nullptr) {
    impl_->run(impl_->callers_pool, slots, RunSlot, &loop);
    return;
  }
  impl_->Run(&loop, slots);
}

}  // namespace pleat::kernels
