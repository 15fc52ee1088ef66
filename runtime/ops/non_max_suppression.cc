// NonMaxSuppression: how many boxes are chosen depends on the numbers, so the type rule chooses
// them as soon as all inputs are known; without that there is no size and nothing to prepare.
#include "kernels/non_max_suppression.h"

#include <algorithm>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status CheckInput(const Type& type, const char* name, int rank) {
  if (!type.ranked || type.rank() == rank) return Status::Ok();
  return InvalidModel(std::string("expected ") + name + " of " + std::to_string(rank) +
                      " dimensions, got " + TypeText(type));
}

Result<double> Number(const InferContext& context, size_t i, double otherwise) {
  const Tensor* known = context.known_input(i);
  if (known == nullptr || known->count() == 0) return otherwise;
  if (known->count() == 1) return ToDoubles(*known)[0];
  return InvalidModel("input " + std::to_string(i) + ": expected one number, got " +
                      TypeText(known->type()));
}

bool AllKnown(const InferContext& context) {
  for (size_t i = 0; i < context.node.inputs.size(); ++i) {
    if (context.has_input(i) && context.known_input(i) == nullptr) return false;
  }
  return true;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2, 3));
  const Type& boxes = context.inputs[0];
  const Type& scores = context.inputs[1];
  PLEAT_RETURN_IF_ERROR(CheckFloat(boxes, "boxes"));
  PLEAT_RETURN_IF_ERROR(CheckSameElements(boxes, "boxes", scores, "scores"));
  PLEAT_RETURN_IF_ERROR(CheckInput(boxes, "boxes", 3));
  PLEAT_RETURN_IF_ERROR(CheckInput(scores, "scores", 3));
  if (boxes.ranked && !Agree(boxes.shape[2], 4)) {
    return InvalidModel("expected 4 numbers for a box, got " + TypeText(boxes));
  }
  if (boxes.ranked && scores.ranked &&
      (!Agree(boxes.shape[0], scores.shape[0]) || !Agree(boxes.shape[1], scores.shape[2]))) {
    return InvalidModel("boxes " + TypeText(boxes) + " do not fit scores " + TypeText(scores));
  }
  context.outputs[0] = {.element = ElementType::kInt64, .shape = {kUnknownDim, 3}};
  if (!AllKnown(context)) return Status::Ok();

  kernels::NonMaxSuppressionProblem problem{
      .batch = scores.shape[0],
      .classes = scores.shape[1],
      .boxes = scores.shape[2],
      .centred = context.node.As<fb::NonMaxSuppressionT>()->centred};
  PLEAT_ASSIGN_OR_RETURN(const double most, Number(context, 2, 0));
  PLEAT_ASSIGN_OR_RETURN(problem.overlap, Number(context, 3, 0));
  if (most > 0) {
    problem.most = static_cast<int64_t>(std::min(most, static_cast<double>(problem.boxes)));
  }
  problem.has_threshold = context.has_input(4);
  PLEAT_ASSIGN_OR_RETURN(problem.threshold, Number(context, 4, 0));
  const Tensor& b = *context.known_input(0);
  const Tensor& s = *context.known_input(1);
  const std::vector<int64_t> chosen =
      b.element() == ElementType::kFloat64
          ? kernels::NonMaxSuppression(problem, b.data<double>().data(), s.data<double>().data())
          : kernels::NonMaxSuppression(problem, b.data<float>().data(), s.data<float>().data());
  const auto rows = static_cast<int64_t>(chosen.size()) / 3;
  context.values[0] = Tensor::Of<int64_t>({rows, 3}, chosen);
  context.outputs[0] = context.values[0].type();
  return Status::Ok();
}

Status Prepare(PrepareContext&) {
  return Unsupported("boxes and scores must be known before it runs: the output's size depends on "
                     "them");
}

}  // namespace

extern const OpRule kNonMaxSuppressionRule;
const OpRule kNonMaxSuppressionRule = {"NonMaxSuppression", Infer, Prepare};

}  // namespace pleat::runtime
