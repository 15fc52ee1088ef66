// CumSum: running sums, or products, along an axis.
#include "kernels/cum_sum.h"

#include "kernels/visit_type.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"

namespace pleat::runtime {
namespace {

// The axis of a known second input. REQUIRES: x is ranked and the input is known.
template <class Context>
Result<int> Axis(const Context& context) {
  const Tensor& axis = *context.known_input(1);
  if (axis.count() != 1) return InvalidModel("expected one axis, got " + TypeText(axis.type()));
  return NormalizeAxis(ToInt64s(axis)[0], context.inputs[0].rank());
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  if (!kernels::IsNumber(x.element)) {
    return Unsupported(std::string("running sums of ") + ElementName(x.element));
  }
  if (context.inputs[1].element != ElementType::kInt64 &&
      context.inputs[1].element != ElementType::kInt32) {
    return InvalidModel("expected an axis of type int64, got " + TypeText(context.inputs[1]));
  }
  context.outputs[0] = x;
  if (!x.ranked || context.known_input(1) == nullptr) return Status::Ok();
  return Axis(context).status();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::CumSumT>();
  const Type& x = context.inputs[0];
  if (context.known_input(1) == nullptr) return Unsupported("an axis computed during a run");
  PLEAT_ASSIGN_OR_RETURN(const int axis, Axis(context));
  const AxisSplit split = SplitAtAxis(x.shape, axis);
  const kernels::CumSumProblem problem{.type = x.element,
                                       .outer = split.outer,
                                       .size = split.size,
                                       .inner = split.inner,
                                       .exclusive = fields.exclusive,
                                       .reverse = fields.reverse,
                                       .product = fields.product,
                                       .select = context.select};
  context.operands = {0};
  context.in_place = {0};
  SelectInto(context, kernels::CumSumCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kCumSumRule = {"CumSum", Infer, Prepare};

}  // namespace pleat::runtime
