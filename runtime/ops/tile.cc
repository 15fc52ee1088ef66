// Tile: x laid side by side, repeats[d] times along each axis.
#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers repeats, VectorInput(context, 1, "repeats"));
  Type& y = context.outputs[0];
  if (!x.ranked) {
    y = repeats.count == kUnknownDim ? Unranked(x.element) : UnknownSizes(x.element, repeats.count);
    return Status::Ok();
  }
  if (!Agree(repeats.count, x.rank())) {
    return InvalidModel("repeats: expected " + std::to_string(x.rank()) + " entries, got " +
                        std::to_string(repeats.count));
  }
  y = UnknownSizes(x.element, x.rank());
  for (size_t d = 0; repeats.values && d < x.shape.size(); ++d) {
    const int64_t count = (*repeats.values)[d];
    if (count < 0) return InvalidModel("repeats: negative count " + std::to_string(count));
    if (count == 0 || x.shape[d] == 0) {
      y.shape[d] = 0;
    } else if (x.shape[d] != kUnknownDim) {
      const Checked size = Checked(x.shape[d]) * count;
      if (!size.ok()) {
        return LimitExceeded("repeats: " + std::to_string(count) + " times " +
                             std::to_string(x.shape[d]) + " overflows");
      }
      y.shape[d] = *size.get();
    }
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const Integers repeats, VectorInput(context, 1, "repeats"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(repeats, "the repeats"));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  if (in == out) {
    context.view_of = 0;
    return Status::Ok();
  }
  kernels::CopyPiece piece;
  if (ElementCount(out) > 0) {
    const Shape in_strides = Strides(in), out_strides = Strides(out);
    for (size_t d = 0; d < in.size(); ++d) {
      piece.dims.push_back({out[d] / in[d], 0, in[d] * out_strides[d]});
      piece.dims.push_back({in[d], in_strides[d], out_strides[d]});
    }
    PrepareCopy(context, {0}, {std::move(piece)});
  } else {
    PrepareCopy(context, {0}, {});
  }
  return Status::Ok();
}

}  // namespace

extern const OpRule kTileRule;
const OpRule kTileRule = {"Tile", Infer, Prepare};

}  // namespace pleat::runtime
