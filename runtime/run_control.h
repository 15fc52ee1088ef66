// What may end a run early.
#ifndef PLEAT_RUNTIME_RUN_CONTROL_H_
#define PLEAT_RUNTIME_RUN_CONTROL_H_

#include <atomic>
#include <chrono>
#include <optional>

#include "runtime/status.h"

namespace pleat::runtime {

// Looked at between steps, and between the iterations of loops.
struct RunControl {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  const std::atomic<bool>* cancel = nullptr;

  Status Check() const {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
      return {StatusCode::kCancelled, "the run was cancelled"};
    }
    if (deadline && std::chrono::steady_clock::now() >= *deadline) {
      return {StatusCode::kDeadlineExceeded, "the run did not finish before its deadline"};
    }
    return Status::Ok();
  }
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_RUN_CONTROL_H_
