// Cast: x's numbers as another type -> y.
#include "kernels/cast.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const int to = context.node.As<fb::CastT>()->to;
  if (to >= kernels::kElementTypeCount) {
    return InvalidModel("unknown element type " + std::to_string(to));
  }
  context.outputs[0] = context.inputs[0];
  context.outputs[0].element = static_cast<ElementType>(to);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  kernels::CastProblem problem;
  problem.from = context.inputs[0].element;
  problem.to = context.outputs[0].element;
  if (problem.from == problem.to) {
    context.view_of = 0;
    return Status::Ok();
  }
  problem.count = ElementCount(context.inputs[0].shape);
  problem.select = context.select;
  context.operands = {0};
  if (ElementSize(problem.from) == ElementSize(problem.to)) context.in_place = {0};
  SelectInto(context, kernels::CastCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kCastRule;
const OpRule kCastRule = {"Cast", Infer, Prepare};

}  // namespace pleat::runtime
