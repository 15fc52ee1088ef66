// Where: condition ? a : b, broadcast as Numpy does -> y.
#include "kernels/where.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const Type &condition = context.inputs[0], &a = context.inputs[1], &b = context.inputs[2];
  if (condition.element != ElementType::kBool) {
    return InvalidModel(std::string("expected the condition to be bool, got ") +
                        ElementName(condition.element));
  }
  PLEAT_RETURN_IF_ERROR(CheckSameElements(a, "a", b, "b"));
  Type y = a;
  PLEAT_RETURN_IF_ERROR(BroadcastInto(y, b));
  PLEAT_RETURN_IF_ERROR(BroadcastInto(y, condition));
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  kernels::WhereProblem problem;
  problem.type = context.outputs[0].element;
  problem.condition_shape = context.inputs[0].shape;
  problem.a_shape = context.inputs[1].shape;
  problem.b_shape = context.inputs[2].shape;
  problem.select = context.select;
  context.operands = {0, 1, 2};
  for (int i : {1, 2}) {
    if (context.inputs[static_cast<size_t>(i)] == context.outputs[0]) context.in_place.push_back(i);
  }
  SelectInto(context, kernels::WhereCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kWhereRule;
const OpRule kWhereRule = {"Where", Infer, Prepare};

}  // namespace pleat::runtime
