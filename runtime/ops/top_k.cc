// TopK: the k largest or smallest numbers along an axis, and their positions.
#include "kernels/top_k.h"

#include "kernels/visit_type.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"

namespace pleat::runtime {
namespace {

// The second input's number, kUnknownDim while it is not known.
template <class Context>
Result<int64_t> WrittenK(const Context& context) {
  if (context.inputs[1].element != ElementType::kInt64 &&
      context.inputs[1].element != ElementType::kInt32) {
    return InvalidModel("expected k of type int64, got " + TypeText(context.inputs[1]));
  }
  const Tensor* known = context.known_input(1);
  if (known == nullptr) return kUnknownDim;
  if (known->count() != 1) {
    return InvalidModel("expected one number k, got " + TypeText(known->type()));
  }
  const int64_t k = ToInt64s(*known)[0];
  if (k < 0) return InvalidModel("expected k of at least 0, got " + std::to_string(k));
  return k;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2, 0, 2));
  const auto& fields = *context.node.As<fb::TopKT>();
  const Type& x = context.inputs[0];
  if (!kernels::IsNumber(x.element)) {
    return Unsupported(std::string("the largest of ") + ElementName(x.element));
  }
  PLEAT_ASSIGN_OR_RETURN(const int64_t k, WrittenK(context));
  Type y = x;
  if (x.ranked) {
    PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
    int64_t& size = y.shape[static_cast<size_t>(axis)];
    if (size != kUnknownDim && k > size) {
      return InvalidModel("expected k of at most " + std::to_string(size) + ", the size of axis " +
                          std::to_string(axis) + ", got " + std::to_string(k));
    }
    size = k;
  }
  for (Type& output : context.outputs) output = y;
  if (context.outputs.size() > 1) context.outputs[1].element = ElementType::kInt64;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::TopKT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int64_t k, WrittenK(context));
  if (k == kUnknownDim) return Unsupported("a k that is computed during a run");
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.axis, x.rank()));
  const AxisSplit split = SplitAtAxis(x.shape, axis);
  const std::vector<ValueId>& outputs = context.node.outputs;
  const kernels::TopKProblem problem{.type = x.element,
                                     .outer = split.outer,
                                     .size = split.size,
                                     .inner = split.inner,
                                     .k = k,
                                     .largest = fields.largest,
                                     .values = outputs[0] != kNoValue,
                                     .indices = outputs.size() > 1 && outputs[1] != kNoValue,
                                     .select = context.select};
  context.operands = {0};
  SelectInto(context, kernels::TopKCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kTopKRule = {"TopK", Infer, Prepare};

}  // namespace pleat::runtime
