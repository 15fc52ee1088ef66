// What each step of a plan could be computed with: every candidate's time, or why it has none.
#ifndef PLEAT_TOOLS_CANDIDATES_H_
#define PLEAT_TOOLS_CANDIDATES_H_

#include <string>
#include <vector>

#include "runtime/session.h"

namespace pleat::tools {

struct CandidateTime {
  std::string name;
  bool chosen = false;       // by the plan
  std::string refusal;       // why it cannot be used here, or is not to be
  std::string not_measured;  // why it has no time though it does not refuse
  double ms = 0, min_ms = 0;  // median and least; 0 where not measured

  bool measured() const { return refusal.empty() && not_measured.empty(); }
};

// Of one step, in order of preference.
using StepCandidates = std::vector<CandidateTime>;

// Steps that count multiply-adds of float32 are measured, kernel by kernel on dense tensors of
// random numbers: all steps' first candidates, then all second ones and so on, so that weights are as cold
// as in a run; for `seconds`, at least five times each.
runtime::Result<std::vector<StepCandidates>> MeasureCandidates(
    const runtime::Graph& graph, const runtime::Plan& plan,
    const runtime::Session::Options& options, double seconds);

// The measured one with the least median, null where fewer than two are measured.
const CandidateTime* BestOf(const StepCandidates& candidates);
const CandidateTime* ChosenOf(const StepCandidates& candidates);

// Of the steps where there was a choice, how many took one within 10 % of the best.
struct Choices {
  size_t steps = 0, good = 0;
};
Choices CountChoices(const std::vector<StepCandidates>& steps);
bool IsGoodChoice(const StepCandidates& candidates);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CANDIDATES_H_
