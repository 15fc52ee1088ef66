// ScatterElements and ScatterND: a copy of x with elements replaced or combined at indices. Known
// indices are checked here; those that come with the run are taken into range by the kernel.
#include "kernels/scatter.h"

#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/index_check.h"

namespace pleat::runtime {
namespace {

static_assert(static_cast<int>(kernels::ScatterKind::kAdd) ==
                  static_cast<int>(fb::ScatterReduction::Add) &&
              static_cast<int>(kernels::ScatterKind::kMin) ==
                  static_cast<int>(fb::ScatterReduction::Min));

Status CheckReduction(const InferContext& context, fb::ScatterReduction reduction) {
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckSameElements(x, "x", context.inputs[2], "updates"));
  if (reduction > fb::ScatterReduction::MAX) {
    return InvalidModel("reduction: unknown value " + std::to_string(static_cast<int>(reduction)));
  }
  if (reduction != fb::ScatterReduction::None &&
      (x.element == ElementType::kFloat16 || x.element == ElementType::kBFloat16)) {
    return Unsupported(std::string("reduction of ") + ElementName(x.element));
  }
  return Status::Ok();
}

Status InferScatterElements(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const auto* fields = context.node.As<fb::ScatterElementsT>();
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  const Type& updates = context.inputs[2];
  PLEAT_RETURN_IF_ERROR(CheckReduction(context, fields->reduction));
  PLEAT_RETURN_IF_ERROR(CheckElementIndex(x, index, fields->axis));
  if (index.ranked && updates.ranked &&
      !std::equal(index.shape.begin(), index.shape.end(), updates.shape.begin(),
                  updates.shape.end(), Agree)) {
    return InvalidModel("updates: expected the shape of indices " + ShapeText(index.shape) +
                        ", got " + TypeText(updates));
  }
  context.outputs[0] = x;
  return Status::Ok();
}

Status PrepareScatterElements(PrepareContext& context) {
  const auto* fields = context.node.As<fb::ScatterElementsT>();
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields->axis, x.rank()));
  const int64_t sizes[] = {x.shape[static_cast<size_t>(axis)]};
  PLEAT_RETURN_IF_ERROR(CheckIndices(index, context.known_input(1), sizes));
  context.operands = {0, 1, 2};
  context.in_place = {0};
  SelectInto(
      context, kernels::ScatterElementsCandidates(),
      kernels::ScatterElementsProblem{.type = x.element,
                                      .index_type = index.element,
                                      .kind = static_cast<kernels::ScatterKind>(fields->reduction),
                                      .axis = axis,
                                      .shape = x.shape,
                                      .index_shape = index.shape});
  return Status::Ok();
}

Status InferScatterND(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  const Type& updates = context.inputs[2];
  PLEAT_RETURN_IF_ERROR(CheckReduction(context, context.node.As<fb::ScatterNDT>()->reduction));
  PLEAT_RETURN_IF_ERROR(CheckIndexType(index));
  context.outputs[0] = x;
  if (!index.ranked) return Status::Ok();
  if (index.rank() == 0) return InvalidModel("indices: expected coordinates, got a scalar");
  const int64_t width = index.shape.back();
  if (!x.ranked || width == kUnknownDim) return Status::Ok();
  if (width > x.rank()) {
    return InvalidModel("indices: expected at most " + std::to_string(x.rank()) +
                        " coordinates, got " + std::to_string(width));
  }
  Shape expected(index.shape.begin(), index.shape.end() - 1);
  expected.insert(expected.end(), x.shape.begin() + width, x.shape.end());
  if (updates.ranked && !std::equal(expected.begin(), expected.end(), updates.shape.begin(),
                                    updates.shape.end(), Agree)) {
    return InvalidModel("updates: expected shape " + ShapeText(expected) + ", got " +
                        TypeText(updates));
  }
  return Status::Ok();
}

Status PrepareScatterND(PrepareContext& context) {
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  const auto width = static_cast<size_t>(index.shape.back());
  kernels::ScatterNDProblem problem{
      .type = x.element,
      .index_type = index.element,
      .kind = static_cast<kernels::ScatterKind>(context.node.As<fb::ScatterNDT>()->reduction)};
  problem.sizes.assign(x.shape.begin(), x.shape.begin() + index.shape.back());
  PLEAT_ASSIGN_OR_RETURN(problem.tuples, SizeProduct(index.shape, 0, index.shape.size() - 1));
  PLEAT_ASSIGN_OR_RETURN(problem.slice, SizeProduct(x.shape, width, x.shape.size()));
  PLEAT_RETURN_IF_ERROR(CheckIndices(index, context.known_input(1), problem.sizes));
  context.operands = {0, 1, 2};
  context.in_place = {0};
  SelectInto(context, kernels::ScatterNDCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kScatterElementsRule, kScatterNDRule;
const OpRule kScatterElementsRule = {"ScatterElements", InferScatterElements,
                                     PrepareScatterElements};
const OpRule kScatterNDRule = {"ScatterND", InferScatterND, PrepareScatterND};

}  // namespace pleat::runtime
