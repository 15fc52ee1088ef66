// Softmax: exp(x - max) / sum along one axis, or along `axis` and all after it -> y; its logarithm
// when `log`.
#include "kernels/softmax.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFloat(x, "x"));
  if (x.ranked) {
    PLEAT_RETURN_IF_ERROR(NormalizeAxis(context.node.As<fb::SoftmaxT>()->axis, x.rank()).status());
  }
  context.outputs[0] = x;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::SoftmaxT& fields = *context.node.As<fb::SoftmaxT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  const AroundAxes sizes = Around(x.shape, axis, fields.to_end ? x.rank() : axis + 1);
  kernels::SoftmaxProblem problem;
  problem.type = x.element;
  problem.outer = sizes.outer;
  problem.length = sizes.along;
  problem.inner = sizes.inner;
  problem.log = fields.log;
  problem.select = context.select;
  context.operands = {0};
  context.in_place = {0};
  SelectInto(context, kernels::SoftmaxCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kSoftmaxRule;
const OpRule kSoftmaxRule = {"Softmax", Infer, Prepare};

}  // namespace pleat::runtime
