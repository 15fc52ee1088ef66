// Reshape: the elements of x under another shape.
#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// The size that -1 stands for: what x's elements leave after the other sizes. Sizes copied by a 0
// stand on both sides and cancel, known or not.
Result<int64_t> InferredSize(const Shape& x, const std::vector<int64_t>& shape, bool allow_zero) {
  Checked elements = 1, others = 1;
  bool unknown = false;
  for (size_t d = 0; d < x.size(); ++d) {
    const bool copied = !allow_zero && d < shape.size() && shape[d] == 0;
    if (copied) continue;
    unknown = unknown || x[d] == kUnknownDim;
    if (x[d] != kUnknownDim) elements = elements * x[d];
  }
  for (int64_t size : shape) {
    const bool copied = !allow_zero && size == 0;
    if (!copied && size != -1) others = others * size;
  }
  if (!elements.ok() || !others.ok()) return LimitExceeded("the sizes' product overflows");
  if (unknown) return kUnknownDim;
  const int64_t whole = *elements.get(), part = *others.get();
  if (part == 0 ? whole != 0 : whole % part != 0) {
    return InvalidModel("shape: " + ShapeText(x) + " does not divide into " + std::to_string(part) +
                        " equal parts for the size -1");
  }
  return part == 0 ? 0 : whole / part;
}

Result<Type> ReshapedType(const Type& x, const std::vector<int64_t>& shape, bool allow_zero) {
  Type y{.element = x.element};
  int inferred = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t size = shape[d];
    if (size < -1) return InvalidModel("shape: negative size " + std::to_string(size));
    if (size == -1) {
      if (inferred >= 0) return InvalidModel("shape: -1 is given twice");
      inferred = static_cast<int>(d);
    } else if (size == 0 && !allow_zero) {
      if (x.ranked && d >= x.shape.size()) {
        return InvalidModel("shape: 0 at position " + std::to_string(d) + " copies no axis of " +
                            TypeText(x));
      }
      size = x.ranked ? x.shape[d] : kUnknownDim;
    }
    y.shape.push_back(size);
  }
  if (allow_zero && inferred >= 0 && std::count(shape.begin(), shape.end(), 0) > 0) {
    return InvalidModel("shape: beside a size of 0 that stands for itself, -1 could be any");
  }
  if (!x.ranked) return y;
  if (inferred >= 0) {
    PLEAT_ASSIGN_OR_RETURN(y.shape[static_cast<size_t>(inferred)],
                           InferredSize(x.shape, shape, allow_zero));
  }
  PLEAT_ASSIGN_OR_RETURN(const int64_t before, SizeProduct(x.shape, 0, x.shape.size()));
  PLEAT_ASSIGN_OR_RETURN(const int64_t after, SizeProduct(y.shape, 0, y.shape.size()));
  if (!Agree(before, after)) {
    return InvalidModel("shape: " + TypeText(x) + " has " + std::to_string(before) +
                        " elements, the new shape " + ShapeText(y.shape) + " has " +
                        std::to_string(after));
  }
  return y;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 1, "shape"));
  if (shape.values) {
    PLEAT_ASSIGN_OR_RETURN(
        context.outputs[0],
        ReshapedType(x, *shape.values, context.node.As<fb::ReshapeT>()->allow_zero));
  } else {
    context.outputs[0] =
        shape.count == kUnknownDim ? Unranked(x.element) : UnknownSizes(x.element, shape.count);
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 1, "shape"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(shape, "the shape"));
  context.view_of = 0;
  return Status::Ok();
}

}  // namespace

extern const OpRule kReshapeRule;
const OpRule kReshapeRule = {"Reshape", Infer, Prepare};

}  // namespace pleat::runtime
