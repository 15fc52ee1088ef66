// How long each step of a plan takes, and each node that is left to the run.
#ifndef PLEAT_TOOLS_PROFILE_H_
#define PLEAT_TOOLS_PROFILE_H_

#include <vector>

#include "runtime/session.h"

namespace pleat::tools {

struct StepProfile {
  size_t runs = 0;
  // Median of each step, then of what was left to the run.
  std::vector<double> milliseconds;
  std::vector<runtime::DeferredStep> deferred;  // of the last run
  double Total() const;
};

// Runs for about `seconds` after two runs to warm up, at least five times and at most 1000.
runtime::Result<StepProfile> ProfileSteps(runtime::Session& session, const runtime::Plan& plan,
                                          const std::vector<runtime::Tensor>& inputs,
                                          double seconds);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_PROFILE_H_
