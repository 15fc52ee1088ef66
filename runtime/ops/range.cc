// Range: start, start + delta, start + 2 delta ... up to limit, which is not included:
// max(0, ceil((limit - start) / delta)) numbers.
#include <cmath>

#include "kernels/generate.h"
#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Result<int64_t> CountOfIntegers(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0) return InvalidModel("delta: expected a number other than 0");
  if (delta > 0 ? start >= limit : start <= limit) return int64_t{0};
  const uint64_t low = static_cast<uint64_t>(delta > 0 ? start : limit);
  const uint64_t high = static_cast<uint64_t>(delta > 0 ? limit : start);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : -static_cast<uint64_t>(delta);
  const uint64_t count = (high - low - 1) / step + 1;
  if (count > static_cast<uint64_t>(kMaxTensorBytes)) {
    return LimitExceeded("a range of " + std::to_string(count) + " numbers");
  }
  return static_cast<int64_t>(count);
}

Result<int64_t> CountOfFloats(double start, double limit, double delta) {
  const double count = std::ceil((limit - start) / delta);
  if (delta == 0 || std::isnan(count)) {
    return InvalidModel("from " + std::to_string(start) + " to " + std::to_string(limit) + " by " +
                        std::to_string(delta) + " is no range");
  }
  if (count > static_cast<double>(kMaxTensorBytes)) {
    return LimitExceeded("a range of " + std::to_string(count) + " numbers");
  }
  return count > 0 ? static_cast<int64_t>(count) : 0;
}

// Fails, when all three are known, where they make no sequence; else the sequence, with count
// kUnknownDim when one is unknown.
template <class Context>
Result<kernels::SequenceProblem> ProblemOf(const Context& context) {
  constexpr const char* kNames[3] = {"start", "limit", "delta"};
  const ElementType element = context.inputs[0].element;
  const bool is_float = element == ElementType::kFloat32 || element == ElementType::kFloat64;
  if (!is_float && element != ElementType::kInt64 && element != ElementType::kInt32 &&
      element != ElementType::kInt16) {
    return Unsupported(
        std::string("start: expected float32, float64, int16, int32 or int64, got ") +
        ElementName(element));
  }
  bool known = true;
  double numbers[3] = {};
  int64_t integers[3] = {};
  for (size_t i = 0; i < 3; ++i) {
    const Type& type = context.inputs[i];
    PLEAT_RETURN_IF_ERROR(CheckSameElements(context.inputs[0], "start", type, kNames[i]));
    if (type.Known() && ElementCount(type.shape) != 1) {
      return InvalidModel(std::string(kNames[i]) + ": expected a scalar, got " + TypeText(type));
    }
    const Tensor* tensor = context.known_input(i);
    known = known && tensor != nullptr;
    if (tensor == nullptr) continue;
    if (is_float) {
      numbers[i] = ToDoubles(*tensor)[0];
    } else {
      integers[i] = ToInt64s(Cast(*tensor, ElementType::kInt64))[0];
    }
  }
  kernels::SequenceProblem problem{.type = element,
                                   .count = kUnknownDim,
                                   .start = integers[0],
                                   .delta = integers[2],
                                   .float_start = numbers[0],
                                   .float_delta = numbers[2]};
  if (!known) return problem;
  if (is_float) {
    PLEAT_ASSIGN_OR_RETURN(problem.count, CountOfFloats(numbers[0], numbers[1], numbers[2]));
  } else {
    PLEAT_ASSIGN_OR_RETURN(problem.count, CountOfIntegers(integers[0], integers[1], integers[2]));
  }
  return problem;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  PLEAT_ASSIGN_OR_RETURN(const kernels::SequenceProblem problem, ProblemOf(context));
  context.outputs[0] = {.element = problem.type, .shape = {problem.count}};
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const kernels::SequenceProblem problem, ProblemOf(context));
  if (problem.count == kUnknownDim) {
    return Unsupported("start, limit and delta must be known before the run");
  }
  SelectInto(context, kernels::SequenceCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kRangeRule;
const OpRule kRangeRule = {"Range", Infer, Prepare};

}  // namespace pleat::runtime
