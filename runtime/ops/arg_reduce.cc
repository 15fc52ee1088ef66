// ArgReduce: where along an axis the largest or smallest number stands.
#include "kernels/arg_reduce.h"

#include "kernels/visit_type.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const auto& fields = *context.node.As<fb::ArgReduceT>();
  const Type& x = context.inputs[0];
  if (!kernels::IsNumber(x.element)) {
    return Unsupported(std::string("the extreme of ") + ElementName(x.element));
  }
  Type& y = context.outputs[0];
  y = {ElementType::kInt64, x.ranked, x.shape};
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  if (x.shape[static_cast<size_t>(axis)] == 0) {
    return InvalidModel("axis " + std::to_string(axis) + " of " + TypeText(x) +
                        " is empty and has no extreme");
  }
  if (fields.keepdims) {
    y.shape[static_cast<size_t>(axis)] = 1;
  } else {
    y.shape.erase(y.shape.begin() + axis);
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::ArgReduceT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  const AxisSplit split = SplitAtAxis(x.shape, axis);
  const kernels::ArgReduceProblem problem{.type = x.element,
                                          .outer = split.outer,
                                          .size = split.size,
                                          .inner = split.inner,
                                          .max = fields.max,
                                          .last_index = fields.last_index,
                                          .select = context.select};
  context.operands = {0};
  SelectInto(context, kernels::ArgReduceCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kArgReduceRule = {"ArgReduce", Infer, Prepare};

}  // namespace pleat::runtime
