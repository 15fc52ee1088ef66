// BatchNormTraining: x, gamma, beta, mean, variance -> y normalised by the batch's own mean and
// population variance, and the two running averages moved towards those.
#include "kernels/batch_norm_training.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

constexpr const char* kNames[] = {"x", "gamma", "beta", "mean", "variance"};

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 5, 0, 3));
  const fb::BatchNormTrainingT& fields = *context.node.As<fb::BatchNormTrainingT>();
  Type y = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFloat(y, kNames[0]));
  PLEAT_RETURN_IF_ERROR(CheckFloat(context.inputs[1], kNames[1]));
  int axis = 0;
  if (y.ranked) {
    PLEAT_ASSIGN_OR_RETURN(axis, NormalizeAxis(fields.axis, y.rank()));
  }
  int64_t channels = y.ranked ? y.shape[static_cast<size_t>(axis)] : kUnknownDim;
  for (size_t i = 1; i < 5; ++i) {
    const Type& parameter = context.inputs[i];
    PLEAT_RETURN_IF_ERROR(CheckSameElements(context.inputs[1], "gamma", parameter, kNames[i]));
    PLEAT_RETURN_IF_ERROR(CheckVector(parameter, kNames[i], channels));
    if (channels == kUnknownDim && parameter.ranked) channels = parameter.shape[0];
  }
  if (y.ranked) y.shape[static_cast<size_t>(axis)] = channels;
  context.outputs[0] = std::move(y);
  for (size_t i = 1; i < context.outputs.size(); ++i) {
    context.outputs[i] = {context.inputs[1].element, true, {channels}};
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::BatchNormTrainingT& fields = *context.node.As<fb::BatchNormTrainingT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  const AroundAxes sizes = Around(x.shape, axis, axis + 1);
  kernels::BatchNormTrainingProblem problem;
  problem.type = x.element;
  problem.parameter_type = context.inputs[1].element;
  problem.outer = sizes.outer;
  problem.channels = sizes.along;
  problem.inner = sizes.inner;
  problem.epsilon = fields.epsilon;
  problem.momentum = fields.momentum;
  const std::vector<ValueId>& outputs = context.node.outputs;
  for (size_t i = 0; i < 3; ++i) {
    problem.wants[i] = i < outputs.size() && outputs[i] != kNoValue;
  }
  problem.select = context.select;
  context.operands = {0, 1, 2, 3, 4};
  if (problem.wants[0]) context.in_place = {0};
  SelectInto(context, kernels::BatchNormTrainingCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kBatchNormTrainingRule;
const OpRule kBatchNormTrainingRule = {"BatchNormTraining", Infer, Prepare};

}  // namespace pleat::runtime
