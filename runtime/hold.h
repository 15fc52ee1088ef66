// One user at a time, without waiting.
#ifndef PLEAT_RUNTIME_HOLD_H_
#define PLEAT_RUNTIME_HOLD_H_

#include <atomic>

#include "runtime/status.h"

namespace pleat::runtime {

// Marks something busy while it lives; whoever comes second sees held() == false.
class Hold {
 public:
  explicit Hold(std::atomic<bool>& busy)
      : busy_(busy), held_(!busy.exchange(true, std::memory_order_acquire)) {}
  ~Hold() {
    if (held_) busy_.store(false, std::memory_order_release);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  bool held() const { return held_; }

 private:
  std::atomic<bool>& busy_;
  bool held_;
};

inline Status BusyStatus() {
  return {StatusCode::kBusy, "the session is in use by another call: make one for each thread"};
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_HOLD_H_
