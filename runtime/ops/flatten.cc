// Flatten: x as a matrix, axes before `axis` against the rest.
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  context.outputs[0] = UnknownSizes(x.element, 2);
  if (!x.ranked) return Status::Ok();
  int64_t axis = context.node.As<fb::FlattenT>()->axis;
  if (axis != x.rank()) {
    PLEAT_ASSIGN_OR_RETURN(axis, NormalizeAxis(axis, x.rank()));
  }
  const auto split = static_cast<size_t>(axis);
  Shape& shape = context.outputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(shape[0], SizeProduct(x.shape, 0, split));
  PLEAT_ASSIGN_OR_RETURN(shape[1], SizeProduct(x.shape, split, x.shape.size()));
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  context.view_of = 0;
  return Status::Ok();
}

}  // namespace

extern const OpRule kFlattenRule;
const OpRule kFlattenRule = {"Flatten", Infer, Prepare};

}  // namespace pleat::runtime
