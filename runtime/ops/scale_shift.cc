// ScaleShift: x * scale[c] + shift[c], c running along `axis`, then an activation -> y.
#include "kernels/scale_shift.h"

#include "runtime/ops/activation.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/product_types.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const fb::ScaleShiftT& fields = *context.node.As<fb::ScaleShiftT>();
  PLEAT_RETURN_IF_ERROR(CheckFloat(context.inputs[0], "x"));
  PLEAT_RETURN_IF_ERROR(CheckFloat(context.inputs[1], "scale"));
  PLEAT_RETURN_IF_ERROR(CheckFloat(context.inputs[2], "shift"));
  PLEAT_RETURN_IF_ERROR(ActivationOf(fields.activation).status());
  Type y = context.inputs[0];
  if (y.ranked) {
    PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, y.rank()));
    int64_t& channels = y.shape[static_cast<size_t>(axis)];
    for (size_t i : {1, 2}) {
      const Type& vector = context.inputs[i];
      PLEAT_RETURN_IF_ERROR(CheckVector(vector, i == 1 ? "scale" : "shift", channels));
      if (channels == kUnknownDim && vector.ranked) channels = vector.shape[0];
    }
  }
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::ScaleShiftT& fields = *context.node.As<fb::ScaleShiftT>();
  const Shape& shape = context.inputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, context.inputs[0].rank()));
  const AroundAxes sizes = Around(shape, axis, axis + 1);
  kernels::ScaleShiftProblem problem;
  problem.type = context.inputs[0].element;
  problem.scale_type = context.inputs[1].element;
  problem.shift_type = context.inputs[2].element;
  problem.outer = sizes.outer;
  problem.channels = sizes.along;
  problem.inner = sizes.inner;
  PLEAT_ASSIGN_OR_RETURN(problem.activation, ActivationOf(fields.activation));
  problem.select = context.select;
  context.operands = {0};
  problem.scale = ConstantOrOperand(context, 1);
  problem.shift = ConstantOrOperand(context, 2);
  context.in_place = {0};
  context.multiply_adds = static_cast<double>(ElementCount(shape));
  SelectInto(context, kernels::ScaleShiftCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kScaleShiftRule;
const OpRule kScaleShiftRule = {"ScaleShift", Infer, Prepare};

}  // namespace pleat::runtime
