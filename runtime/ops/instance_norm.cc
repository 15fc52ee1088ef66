// InstanceNorm: every (n, c) of x normalised over space, then times scale[c] and plus bias[c] -> y.
#include "kernels/instance_norm.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  Type y = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFloat(y, "x"));
  if (y.ranked && y.rank() < 2) {
    return InvalidModel("expected x of rank 2 or more, got " + ShapeText(y.shape));
  }
  const bool channels_last = context.node.As<fb::InstanceNormT>()->channels_last;
  for (size_t i : {1, 2}) {
    const char* name = i == 1 ? "scale" : "bias";
    const Type& parameter = context.inputs[i];
    PLEAT_RETURN_IF_ERROR(CheckSameElements(y, "x", parameter, name));
    if (!y.ranked) continue;
    int64_t& channels = channels_last ? y.shape.back() : y.shape[1];
    PLEAT_RETURN_IF_ERROR(CheckVector(parameter, name, channels));
    if (channels == kUnknownDim && parameter.ranked) channels = parameter.shape[0];
  }
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::InstanceNormT& fields = *context.node.As<fb::InstanceNormT>();
  const Type& x = context.inputs[0];
  const int axis = fields.channels_last ? x.rank() - 1 : 1;
  const AroundAxes sizes = Around(x.shape, axis, axis + 1);
  kernels::InstanceNormProblem problem;
  problem.type = x.element;
  problem.channels_last = fields.channels_last;
  problem.batch = x.shape[0];
  problem.channels = sizes.along;
  problem.space = fields.channels_last ? Around(x.shape, 1, axis).along : sizes.inner;
  problem.epsilon = fields.epsilon;
  problem.select = context.select;
  context.operands = {0, 1, 2};
  context.in_place = {0};
  SelectInto(context, kernels::InstanceNormCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kInstanceNormRule;
const OpRule kInstanceNormRule = {"InstanceNorm", Infer, Prepare};

}  // namespace pleat::runtime
