#include "tools/profile.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace pleat::tools {

double StepProfile::Total() const {
  return std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0);
}

runtime::Result<StepProfile> ProfileSteps(runtime::Session& session, const runtime::Plan& plan,
                                          const std::vector<runtime::Tensor>& inputs,
                                          double seconds) {
  constexpr size_t kFewest = 5, kMost = 1000;
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 2; ++i) PLEAT_RETURN_IF_ERROR(session.Run(inputs).status());

  std::vector<std::vector<double>> times(plan.steps.size() + plan.deferred.size());
  session.Profile([&times](size_t step, double t) { times[step].push_back(t * 1000); });
  StepProfile profile;
  runtime::Status status;
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  while (status.ok() && profile.runs < kMost && (profile.runs < kFewest || elapsed() < seconds)) {
    status = session.Run(inputs).status();
    ++profile.runs;
  }
  session.Profile(nullptr);
  PLEAT_RETURN_IF_ERROR(status);
  profile.deferred.assign(session.Deferred().begin(), session.Deferred().end());
  for (std::vector<double>& step : times) {
    const auto middle = step.begin() + static_cast<std::ptrdiff_t>(step.size() / 2);
    std::nth_element(step.begin(), middle, step.end());
    profile.milliseconds.push_back(step.empty() ? 0 : *middle);
  }
  return profile;
}

}  // namespace pleat::tools
