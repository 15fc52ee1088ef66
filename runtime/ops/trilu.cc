// Trilu: the upper or lower triangle of each matrix from the k-th diagonal on, zeros elsewhere.
#include "kernels/masks.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 1));
  const Type& x = context.inputs[0];
  if (x.ranked && x.rank() < 2) {
    return InvalidModel("expected at least 2 axes, got " + TypeText(x));
  }
  PLEAT_ASSIGN_OR_RETURN(const Integers k, ScalarInput(context, 1, "k"));
  static_cast<void>(k);
  context.outputs[0] = x;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const Shape& shape = context.inputs[0].shape;
  kernels::TriluProblem problem{.element_size = ElementSize(context.inputs[0].element),
                                .upper = context.node.As<fb::TriluT>()->upper,
                                .rows = shape[shape.size() - 2],
                                .columns = shape[shape.size() - 1]};
  PLEAT_ASSIGN_OR_RETURN(problem.batch, SizeProduct(shape, 0, shape.size() - 2));
  context.operands = {0};
  if (context.has_input(1)) {
    problem.has_k = true;
    problem.k_type = context.inputs[1].element;
    context.operands.push_back(1);
  }
  SelectInto(context, kernels::TriluCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kTriluRule;
const OpRule kTriluRule = {"Trilu", Infer, Prepare};

}  // namespace pleat::runtime
