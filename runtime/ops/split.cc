// Split: x cut along an axis into parts of given sizes, or into equal ones.
#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

constexpr size_t kMaxParts = 1 << 20;

template <class Context>
Result<Integers> SizesOf(const Context& context) {
  const auto parts = static_cast<int64_t>(context.node.outputs.size());
  PLEAT_ASSIGN_OR_RETURN(Integers sizes, VectorInput(context, 1, "sizes", kMaxParts));
  if (const auto& field = context.node.template As<fb::SplitT>()->sizes;
      !sizes.present && !field.empty()) {
    sizes = {.present = true, .count = static_cast<int64_t>(field.size()), .values = field};
  }
  if (sizes.present && !Agree(sizes.count, parts)) {
    return InvalidModel("sizes: expected one for each of " + std::to_string(parts) +
                        " outputs, got " + std::to_string(sizes.count));
  }
  return sizes;
}

// The parts' sizes along an axis of size `whole` (which may be unknown when sizes are given).
Result<std::vector<int64_t>> PartSizes(const Integers& sizes, size_t parts, int64_t whole) {
  if (sizes.values) {
    Checked sum = 0;
    for (int64_t size : *sizes.values) {
      if (size < 0) return InvalidModel("sizes: negative size " + std::to_string(size));
      sum = sum + size;
    }
    if (!sum.ok() || !Agree(*sum.get(), whole)) {
      return InvalidModel("sizes: expected a sum of " + std::to_string(whole) + ", got " +
                          (sum.ok() ? std::to_string(*sum.get()) : "an overflow"));
    }
    return *sizes.values;
  }
  std::vector<int64_t> equal(parts, kUnknownDim);
  if (sizes.present || whole == kUnknownDim) return equal;
  const auto count = static_cast<int64_t>(parts);
  const int64_t size = whole / count + (whole % count != 0 ? 1 : 0);
  std::fill(equal.begin(), equal.end(), size);
  equal.back() = whole - size * (count - 1);
  if (equal.back() < 0) {
    return InvalidModel("an axis of size " + std::to_string(whole) + " does not split into " +
                        std::to_string(count) + " parts of " + std::to_string(size));
  }
  return equal;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 1, kMaxParts));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers sizes, SizesOf(context));
  for (Type& type : context.outputs) type = Unranked(x.element);
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int normal,
                         NormalizeAxis(context.node.As<fb::SplitT>()->axis, x.rank()));
  const auto axis = static_cast<size_t>(normal);
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int64_t> parts,
                         PartSizes(sizes, context.outputs.size(), x.shape[axis]));
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    context.outputs[i] = x;
    context.outputs[i].shape[axis] = parts[i];
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const Integers sizes, SizesOf(context));
  PLEAT_RETURN_IF_ERROR(RequireKnown(sizes, "the sizes"));
  const Shape& in = context.inputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const int normal, NormalizeAxis(context.node.As<fb::SplitT>()->axis,
                                                         context.inputs[0].rank()));
  const auto axis = static_cast<size_t>(normal);
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int64_t> parts,
                         PartSizes(sizes, context.node.outputs.size(), in[axis]));
  const Shape in_strides = SteppedStrides(in, context.input_step(0));
  std::vector<kernels::CopyPiece> pieces;
  int64_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Shape out = in;
    out[axis] = parts[i];
    const Shape out_strides = Strides(out);
    kernels::CopyPiece piece{.output = static_cast<int>(pieces.size()),
                             .in_offset = begin * in_strides[axis]};
    for (size_t d = 0; d < in.size(); ++d) {
      piece.dims.push_back({out[d], in_strides[d], out_strides[d]});
    }
    begin += parts[i];
    if (context.node.outputs[i] != kNoValue && !context.is_held(i)) {
      pieces.push_back(std::move(piece));
    }
  }
  if (parts.size() == 1) {
    context.view_of = 0;
    return Status::Ok();
  }
  PrepareCopy(context, {0}, std::move(pieces));
  return Status::Ok();
}

}  // namespace

extern const OpRule kSplitRule;
const OpRule kSplitRule = {"Split", Infer, Prepare};

}  // namespace pleat::runtime
