// Computing a node ahead of a run, as long as that is worth it.
#ifndef PLEAT_RUNTIME_EVALUATION_H_
#define PLEAT_RUNTIME_EVALUATION_H_

#include "runtime/op.h"

namespace pleat::runtime {

// What may be spent ahead of a run on one graph, in multiply-adds.
constexpr double kEvaluationBudget = 2e9;

// EvaluateNode within a budget: takes what the node costs from it, or fails with kLimitExceeded and
// computes nothing where that is more than is left.
Result<std::vector<Tensor>> EvaluateWithin(const Node& node, std::span<const Tensor* const> inputs,
                                           double* budget);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_EVALUATION_H_
