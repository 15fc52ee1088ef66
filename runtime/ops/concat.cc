// Concat: tensors one after another along an axis; all other sizes are equal.
#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

constexpr size_t kMaxInputs = 1 << 20;

Status CheckInputs(const Node& node, std::span<const Type> inputs) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(node, 1, kMaxInputs));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) {
      return InvalidModel("input " + std::to_string(i) + " is required and left out");
    }
    PLEAT_RETURN_IF_ERROR(
        CheckSameElements(inputs[0], "input 0", inputs[i], ("input " + std::to_string(i)).c_str()));
  }
  return Status::Ok();
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckInputs(context.node, context.inputs));
  Type& y = context.outputs[0];
  y = Unranked(context.inputs[0].element);
  size_t axis = 0;
  Checked sum = 0;
  bool unknown = false;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    const Type& x = context.inputs[i];
    if (!x.ranked) {
      unknown = true;
      continue;
    }
    if (!y.ranked) {
      PLEAT_ASSIGN_OR_RETURN(const int normal,
                             NormalizeAxis(context.node.As<fb::ConcatT>()->axis, x.rank()));
      axis = static_cast<size_t>(normal);
      y = UnknownSizes(x.element, x.rank());
    }
    bool fits = x.rank() == y.rank();
    for (size_t d = 0; fits && d < x.shape.size(); ++d) {
      if (d == axis) continue;
      fits = Agree(x.shape[d], y.shape[d]);
      y.shape[d] = KnownOf(y.shape[d], x.shape[d]);
    }
    if (!fits) {
      return InvalidModel("input " + std::to_string(i) + ": expected sizes " + ShapeText(y.shape) +
                          " but along axis " + std::to_string(axis) + ", got " + TypeText(x));
    }
    unknown = unknown || x.shape[axis] == kUnknownDim;
    if (x.shape[axis] != kUnknownDim) sum = sum + x.shape[axis];
  }
  if (!sum.ok()) return LimitExceeded("the sizes along the axis overflow");
  if (y.ranked && !unknown) y.shape[axis] = *sum.get();
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const Shape& out = context.outputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const int normal, NormalizeAxis(context.node.As<fb::ConcatT>()->axis,
                                                         context.outputs[0].rank()));
  const auto axis = static_cast<size_t>(normal);
  const Shape out_strides = SteppedStrides(out, context.output_step(0));
  std::vector<kernels::CopyPiece> pieces;
  std::vector<int> operands;
  int64_t begin = 0;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    const Shape& in = context.inputs[i].shape;
    const int64_t offset = begin * out_strides[axis];
    begin += in[axis];
    if (context.is_held(i)) continue;
    const Shape in_strides = SteppedStrides(in, context.input_step(i));
    kernels::CopyPiece piece{.input = static_cast<int>(pieces.size()), .out_offset = offset};
    for (size_t d = 0; d < in.size(); ++d) {
      piece.dims.push_back({in[d], in_strides[d], out_strides[d]});
    }
    pieces.push_back(std::move(piece));
    operands.push_back(static_cast<int>(i));
  }
  if (context.inputs.size() == 1) {
    context.view_of = 0;
    return Status::Ok();
  }
  PrepareCopy(context, std::move(operands), std::move(pieces));
  return Status::Ok();
}

}  // namespace

extern const OpRule kConcatRule;
const OpRule kConcatRule = {"Concat", Infer, Prepare};

}  // namespace pleat::runtime
