// LayerNorm: x normalised over axes [axis, rank), then times scale and plus an optional bias, which
// both have the shape of those axes -> y.
#include "kernels/layer_norm.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

// Fails unless the parameter, called `name`, has the shape of x from `axis` on, as far as is known.
Status CheckParameter(const Type& x, int axis, const Type& parameter, const char* name) {
  PLEAT_RETURN_IF_ERROR(CheckSameElements(x, "x", parameter, name));
  if (!parameter.ranked) return Status::Ok();
  const Shape expected(x.shape.begin() + axis, x.shape.end());
  bool fits = parameter.shape.size() == expected.size();
  for (size_t i = 0; fits && i < expected.size(); ++i) {
    const int64_t size = parameter.shape[i];
    fits = size == expected[i] || size == kUnknownDim || expected[i] == kUnknownDim;
  }
  if (fits) return Status::Ok();
  return Unsupported(std::string("expected ") + name + " of shape " + ShapeText(expected) +
                     ", got " + ShapeText(parameter.shape));
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2, 1));
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFloat(x, "x"));
  if (x.ranked) {
    PLEAT_ASSIGN_OR_RETURN(const int axis,
                           NormalizeAxis(context.node.As<fb::LayerNormT>()->axis, x.rank()));
    PLEAT_RETURN_IF_ERROR(CheckParameter(x, axis, context.inputs[1], "scale"));
    if (context.has_input(2)) {
      PLEAT_RETURN_IF_ERROR(CheckParameter(x, axis, context.inputs[2], "bias"));
    }
  }
  context.outputs[0] = x;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::LayerNormT& fields = *context.node.As<fb::LayerNormT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  const AroundAxes sizes = Around(x.shape, axis, x.rank());
  kernels::LayerNormProblem problem;
  problem.type = x.element;
  problem.rows = sizes.outer;
  problem.length = sizes.along;
  problem.epsilon = fields.epsilon;
  problem.has_bias = context.has_input(2);
  problem.select = context.select;
  context.operands = {0, 1};
  if (problem.has_bias) context.operands.push_back(2);
  context.in_place = {0};
  SelectInto(context, kernels::LayerNormCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kLayerNormRule;
const OpRule kLayerNormRule = {"LayerNorm", Infer, Prepare};

}  // namespace pleat::runtime
