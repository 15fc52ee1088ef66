// Expand: x broadcast against a shape, as Numpy does.
#include <algorithm>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Result<int64_t> BroadcastSize(int64_t size, int64_t wanted) {
  if (wanted < 0) return InvalidModel("shape: negative size " + std::to_string(wanted));
  if (wanted == 1) return size;
  if (size == 1 || size == kUnknownDim || size == wanted) return wanted;
  return InvalidModel("shape: size " + std::to_string(size) + " does not broadcast to " +
                      std::to_string(wanted));
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 1, "shape"));
  if (!x.ranked || shape.count == kUnknownDim) {
    context.outputs[0] = Unranked(x.element);
    return Status::Ok();
  }
  const auto given = static_cast<size_t>(shape.count);
  const size_t rank = std::max(x.shape.size(), given);
  Type y = UnknownSizes(x.element, static_cast<int64_t>(rank));
  for (size_t d = 0; d < rank; ++d) {
    const size_t x_from = rank - x.shape.size(), shape_from = rank - given;
    const int64_t size = d < x_from ? 1 : x.shape[d - x_from];
    if (d < shape_from) {
      y.shape[d] = size;
    } else if (shape.values) {
      PLEAT_ASSIGN_OR_RETURN(y.shape[d], BroadcastSize(size, (*shape.values)[d - shape_from]));
    } else if (size > 1) {
      y.shape[d] = size;
    }
  }
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 1, "shape"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(shape, "the shape"));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  if (ElementCount(in) == ElementCount(out)) {
    context.view_of = 0;
    return Status::Ok();
  }
  const Shape in_strides = Strides(in), out_strides = Strides(out);
  const size_t from = out.size() - in.size();
  kernels::CopyPiece piece;
  for (size_t d = 0; d < out.size(); ++d) {
    const bool repeats = d < from || in[d - from] != out[d];
    piece.dims.push_back({out[d], repeats ? 0 : in_strides[d - from], out_strides[d]});
  }
  PrepareCopy(context, {0}, {std::move(piece)});
  return Status::Ok();
}

}  // namespace

extern const OpRule kExpandRule;
const OpRule kExpandRule = {"Expand", Infer, Prepare};

}  // namespace pleat::runtime
