// LocalResponseNorm: x divided by a power of the squares in a window of channels -> y.
#include "kernels/local_response_norm.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFloat(x, "x"));
  if (x.ranked && x.rank() < 2) {
    return InvalidModel("expected x of rank 2 or more, got " + ShapeText(x.shape));
  }
  const int64_t size = context.node.As<fb::LocalResponseNormT>()->size;
  if (size < 1) return InvalidModel("expected size of 1 or more, got " + std::to_string(size));
  context.outputs[0] = x;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::LocalResponseNormT& fields = *context.node.As<fb::LocalResponseNormT>();
  const Type& x = context.inputs[0];
  const int axis = fields.channels_last ? x.rank() - 1 : 1;
  const AroundAxes sizes = Around(x.shape, axis, axis + 1);
  kernels::LocalResponseNormProblem problem;
  problem.type = x.element;
  problem.outer = sizes.outer;
  problem.channels = sizes.along;
  problem.inner = sizes.inner;
  problem.size = fields.size;
  problem.alpha = fields.alpha;
  problem.beta = fields.beta;
  problem.bias = fields.bias;
  problem.select = context.select;
  context.operands = {0};
  SelectInto(context, kernels::LocalResponseNormCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kLocalResponseNormRule;
const OpRule kLocalResponseNormRule = {"LocalResponseNorm", Infer, Prepare};

}  // namespace pleat::runtime
