// How long each step of a plan takes.
#ifndef PLEAT_TOOLS_PROFILE_H_
#define PLEAT_TOOLS_PROFILE_H_

#include <vector>

#include "runtime/session.h"

namespace pleat::tools {

struct StepProfile {
  size_t runs = 0;
  std::vector<double> milliseconds;  // median of each step
  double Total() const;
};

// Runs for about `seconds` after two runs to warm up, at least five times and at most 1000.
runtime::Result<StepProfile> ProfileSteps(runtime::Session& session, size_t steps,
                                          const std::vector<runtime::Tensor>& inputs,
                                          double seconds);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_PROFILE_H_
