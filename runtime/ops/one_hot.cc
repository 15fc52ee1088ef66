// OneHot: a new axis of size `depth` that holds values[1] where the index says, else values[0].
#include "kernels/masks.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// The new axis, in [0, rank of indices].
Result<int> AxisOf(const Node& node, const Type& indices) {
  return NormalizeAxis(node.As<fb::OneHotT>()->axis, indices.rank() + 1);
}

Result<int64_t> DepthOf(const InferContext& context) {
  const Type& type = context.inputs[1];
  if (type.Known() && ElementCount(type.shape) != 1) {
    return InvalidModel("depth: expected a scalar, got " + TypeText(type));
  }
  const Tensor* known = context.known_input(1);
  if (known == nullptr) return kUnknownDim;
  const double depth = ToDoubles(*known)[0];
  if (!(depth >= 0 && depth <= static_cast<double>(kMaxTensorBytes))) {
    return InvalidModel("depth: expected 0 to 2^42, got " + std::to_string(depth));
  }
  return static_cast<int64_t>(depth);
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const Type& indices = context.inputs[0];
  const Type& values = context.inputs[2];
  if (indices.element != ElementType::kInt64 && indices.element != ElementType::kInt32 &&
      indices.element != ElementType::kFloat32 && indices.element != ElementType::kFloat64) {
    return Unsupported(std::string("indices: expected int64, int32, float32 or float64, got ") +
                       ElementName(indices.element));
  }
  if (values.Known() && values.shape != Shape{2}) {
    return InvalidModel("values: expected the 2 values off and on, got " + TypeText(values));
  }
  PLEAT_ASSIGN_OR_RETURN(const int64_t depth, DepthOf(context));
  Type& y = context.outputs[0];
  y = Unranked(values.element);
  if (!indices.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int axis, AxisOf(context.node, indices));
  y = {.element = values.element, .shape = indices.shape};
  y.shape.insert(y.shape.begin() + axis, depth);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  if (context.known_input(1) == nullptr) {
    return Unsupported("the depth must be known before the run");
  }
  const Type& indices = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const int axis, AxisOf(context.node, indices));
  const auto split = static_cast<size_t>(axis);
  kernels::OneHotProblem problem{.element_size = ElementSize(context.inputs[2].element),
                                 .index_type = indices.element,
                                 .depth = context.outputs[0].shape[split]};
  PLEAT_ASSIGN_OR_RETURN(problem.outer, SizeProduct(indices.shape, 0, split));
  PLEAT_ASSIGN_OR_RETURN(problem.inner, SizeProduct(indices.shape, split, indices.shape.size()));
  context.operands = {0, 2};
  SelectInto(context, kernels::OneHotCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kOneHotRule;
const OpRule kOneHotRule = {"OneHot", Infer, Prepare};

}  // namespace pleat::runtime
