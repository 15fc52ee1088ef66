// Gather, GatherElements and GatherND: elements of x picked by index. Known indices are checked
// here; those that come with the run are taken into range by the kernel.
#include "kernels/gather.h"

#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/index_check.h"

namespace pleat::runtime {
namespace {

Status InferGather(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_RETURN_IF_ERROR(CheckIndexType(index));
  Type& y = context.outputs[0];
  y = Unranked(x.element);
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int axis,
                         NormalizeAxis(context.node.As<fb::GatherT>()->axis, x.rank()));
  if (!index.ranked) return Status::Ok();
  y = {.element = x.element, .shape = x.shape};
  const auto at = y.shape.erase(y.shape.begin() + axis);
  y.shape.insert(at, index.shape.begin(), index.shape.end());
  return Status::Ok();
}

Status PrepareGather(PrepareContext& context) {
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_ASSIGN_OR_RETURN(const int normal,
                         NormalizeAxis(context.node.As<fb::GatherT>()->axis, x.rank()));
  const auto axis = static_cast<size_t>(normal);
  kernels::GatherProblem problem{.element_size = ElementSize(x.element),
                                 .index_type = index.element,
                                 .axis_size = x.shape[axis],
                                 .index_count = ElementCount(index.shape)};
  PLEAT_ASSIGN_OR_RETURN(problem.outer, SizeProduct(x.shape, 0, axis));
  PLEAT_ASSIGN_OR_RETURN(problem.inner, SizeProduct(x.shape, axis + 1, x.shape.size()));
  const int64_t sizes[] = {problem.axis_size};
  PLEAT_RETURN_IF_ERROR(CheckIndices(index, context.known_input(1), sizes));
  context.operands = {0, 1};
  SelectInto(context, kernels::GatherCandidates(), problem);
  return Status::Ok();
}

Status InferGatherElements(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_RETURN_IF_ERROR(CheckElementIndex(x, index, context.node.As<fb::GatherElementsT>()->axis));
  context.outputs[0] = index;
  context.outputs[0].element = x.element;
  return Status::Ok();
}

Status PrepareGatherElements(PrepareContext& context) {
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_ASSIGN_OR_RETURN(const int axis,
                         NormalizeAxis(context.node.As<fb::GatherElementsT>()->axis, x.rank()));
  const int64_t sizes[] = {x.shape[static_cast<size_t>(axis)]};
  PLEAT_RETURN_IF_ERROR(CheckIndices(index, context.known_input(1), sizes));
  context.operands = {0, 1};
  SelectInto(context, kernels::GatherElementsCandidates(),
             kernels::GatherElementsProblem{.element_size = ElementSize(x.element),
                                            .index_type = index.element,
                                            .axis = axis,
                                            .shape = x.shape,
                                            .index_shape = index.shape});
  return Status::Ok();
}

Status InferGatherND(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  PLEAT_RETURN_IF_ERROR(CheckIndexType(index));
  Type& y = context.outputs[0];
  y = Unranked(x.element);
  if (!x.ranked || !index.ranked) return Status::Ok();
  const int64_t batch = context.node.As<fb::GatherNDT>()->batch_dims;
  if (batch < 0 || batch > x.rank() || batch >= index.rank()) {
    return InvalidModel("batch_dims: expected 0 to the rank of " + TypeText(x) +
                        " and below the rank of " + TypeText(index) + ", got " +
                        std::to_string(batch));
  }
  const auto first = static_cast<size_t>(batch);
  for (size_t d = 0; d < first; ++d) {
    if (!Agree(x.shape[d], index.shape[d])) {
      return InvalidModel("indices: expected the batch sizes of " + TypeText(x) + ", got " +
                          TypeText(index));
    }
  }
  const int64_t width = index.shape.back();
  if (width == kUnknownDim) return Status::Ok();
  if (width > x.rank() - batch) {
    return InvalidModel("indices: expected at most " + std::to_string(x.rank() - batch) +
                        " coordinates, got " + std::to_string(width));
  }
  y = {.element = x.element, .shape = {index.shape.begin(), index.shape.end() - 1}};
  for (size_t d = 0; d < first; ++d) y.shape[d] = KnownOf(x.shape[d], index.shape[d]);
  y.shape.insert(y.shape.end(), x.shape.begin() + batch + width, x.shape.end());
  return Status::Ok();
}

Status PrepareGatherND(PrepareContext& context) {
  const Type& x = context.inputs[0];
  const Type& index = context.inputs[1];
  const auto first = static_cast<size_t>(context.node.As<fb::GatherNDT>()->batch_dims);
  const auto slice = first + static_cast<size_t>(index.shape.back());
  kernels::GatherNDProblem problem{.element_size = ElementSize(x.element),
                                   .index_type = index.element};
  problem.sizes.assign(x.shape.begin() + static_cast<int64_t>(first),
                       x.shape.begin() + static_cast<int64_t>(slice));
  PLEAT_ASSIGN_OR_RETURN(problem.batch, SizeProduct(x.shape, 0, first));
  PLEAT_ASSIGN_OR_RETURN(problem.tuples, SizeProduct(index.shape, first, index.shape.size() - 1));
  PLEAT_ASSIGN_OR_RETURN(problem.slice, SizeProduct(x.shape, slice, x.shape.size()));
  if (problem.batch * problem.tuples > 0) {
    PLEAT_RETURN_IF_ERROR(CheckIndices(index, context.known_input(1), problem.sizes));
  }
  context.operands = {0, 1};
  SelectInto(context, kernels::GatherNDCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kGatherRule, kGatherElementsRule, kGatherNDRule;
const OpRule kGatherRule = {"Gather", InferGather, PrepareGather};
const OpRule kGatherElementsRule = {"GatherElements", InferGatherElements, PrepareGatherElements};
const OpRule kGatherNDRule = {"GatherND", InferGatherND, PrepareGatherND};

}  // namespace pleat::runtime
