// ShapeOf and SizeOf: the sizes of x, and their product, as int64.
#include <algorithm>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// The sizes of x from `start` to `end`, negative ones counted from the end, clamped to the rank.
Shape Part(const Node& node, const Shape& shape) {
  const auto* fields = node.As<fb::ShapeOfT>();
  const auto rank = static_cast<int64_t>(shape.size());
  const auto clamped = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + rank : position, 0, rank);
  };
  const int64_t begin = clamped(fields->start), end = std::max(begin, clamped(fields->end));
  return {shape.begin() + begin, shape.begin() + end};
}

Status InferShape(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  context.outputs[0] = UnknownSizes(ElementType::kInt64, 1);
  if (!x.ranked) return Status::Ok();
  const Shape part = Part(context.node, x.shape);
  context.outputs[0].shape[0] = static_cast<int64_t>(part.size());
  if (std::find(part.begin(), part.end(), kUnknownDim) == part.end()) {
    context.values[0] = Tensor::Vector(part);
  }
  return Status::Ok();
}

Status InferSize(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  context.outputs[0] = {.element = ElementType::kInt64};
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int64_t size, SizeProduct(x.shape, 0, x.shape.size()));
  if (size != kUnknownDim) context.values[0] = Tensor::Of<int64_t>({}, std::span(&size, 1));
  return Status::Ok();
}

// Where the sizes are known the rules above have said all.
Status Prepare(PrepareContext&) {
  return Unsupported("the sizes of x must be known before it runs");
}

}  // namespace

extern const OpRule kShapeOfRule, kSizeOfRule;
const OpRule kShapeOfRule = {"ShapeOf", InferShape, Prepare};
const OpRule kSizeOfRule = {"SizeOf", InferSize, Prepare};

}  // namespace pleat::runtime
