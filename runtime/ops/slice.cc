// Slice: along some axes, every step-th element from start to end (not included). Negative starts
// and ends count from the end; both are clamped to the axis; a negative step walks backwards.
#include <algorithm>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// One axis of a slice whose input size is known.
struct Walk {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

Walk WalkOf(int64_t size, int64_t start, int64_t end, int64_t step) {
  if (size == 0) return {};
  // Backwards, the place before the first element is a possible end, but no start.
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<int64_t>(start, 0, high);
  end = std::clamp(end, low, high);
  const int64_t distance = step > 0 ? end - start : start - end;
  if (distance <= 0) return {start, step, 0};
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  return {start, step, static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride) + 1};
}

struct SliceParameters {
  Integers starts, ends, axes, steps;
  int64_t count = kUnknownDim;  // of axes sliced
  bool AllKnown() const {
    return !starts.Unknown() && !ends.Unknown() && !axes.Unknown() && !steps.Unknown();
  }
};

template <class Context>
Result<SliceParameters> Parameters(const Context& context) {
  SliceParameters p;
  PLEAT_ASSIGN_OR_RETURN(p.starts, VectorInput(context, 1, "starts"));
  PLEAT_ASSIGN_OR_RETURN(p.ends, VectorInput(context, 2, "ends"));
  PLEAT_ASSIGN_OR_RETURN(p.axes, VectorInput(context, 3, "axes"));
  PLEAT_ASSIGN_OR_RETURN(p.steps, VectorInput(context, 4, "steps"));
  for (const Integers* list : {&p.starts, &p.ends, &p.axes, &p.steps}) {
    if (!list->present) continue;
    if (!Agree(p.count, list->count)) {
      return InvalidModel("starts, ends, axes and steps: expected lists of one length, got " +
                          std::to_string(p.count) + " and " + std::to_string(list->count) +
                          " entries");
    }
    p.count = KnownOf(p.count, list->count);
  }
  return p;
}

// The axes sliced, in the order of starts and ends. REQUIRES: they are known, the count too.
Result<std::vector<int>> AxesOf(const SliceParameters& p, int rank) {
  if (p.axes.values) return NormalizeAxes(*p.axes.values, rank);
  std::vector<int> axes;
  if (p.count > rank) {
    return InvalidModel("starts: expected at most " + std::to_string(rank) + " entries, got " +
                        std::to_string(p.count));
  }
  for (int axis = 0; axis < p.count; ++axis) axes.push_back(axis);
  return axes;
}

// How each axis of a shape is walked. REQUIRES: all parameters and sizes along `axes` are known.
Result<std::vector<Walk>> Walks(const SliceParameters& p, const Shape& shape) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int> axes, AxesOf(p, static_cast<int>(shape.size())));
  std::vector<Walk> walks;
  for (int64_t size : shape) walks.push_back({0, 1, size});
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t step = p.steps.present ? (*p.steps.values)[i] : 1;
    if (step == 0) return InvalidModel("steps: a step is 0");
    const auto axis = static_cast<size_t>(axes[i]);
    walks[axis] = shape[axis] == kUnknownDim
                      ? Walk{0, 1, kUnknownDim}
                      : WalkOf(shape[axis], (*p.starts.values)[i], (*p.ends.values)[i], step);
  }
  return walks;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3, 2));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const SliceParameters p, Parameters(context));
  Type& y = context.outputs[0];
  y = x;
  if (!x.ranked) return Status::Ok();
  if (p.AllKnown()) {
    PLEAT_ASSIGN_OR_RETURN(const std::vector<Walk> walks, Walks(p, x.shape));
    for (size_t d = 0; d < walks.size(); ++d) y.shape[d] = walks[d].count;
  } else if (p.axes.Unknown() || p.count == kUnknownDim) {
    y = UnknownSizes(x.element, x.rank());
  } else {
    PLEAT_ASSIGN_OR_RETURN(const std::vector<int> axes, AxesOf(p, x.rank()));
    for (int axis : axes) y.shape[static_cast<size_t>(axis)] = kUnknownDim;
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const SliceParameters p, Parameters(context));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.starts, "the starts"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.ends, "the ends"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.axes, "the axes"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.steps, "the steps"));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Walk> walks, Walks(p, in));
  const Shape in_strides = SteppedStrides(in, context.input_step(0));
  const Shape out_strides = Strides(out);
  kernels::CopyPiece piece;
  bool whole = context.input_step(0) == 0;
  for (size_t d = 0; d < in.size(); ++d) {
    const Walk& walk = walks[d];
    whole = whole && walk.count == in[d] && (walk.step > 0 || walk.count <= 1);
    piece.in_offset += walk.start * in_strides[d];
    piece.dims.push_back(
        {walk.count, walk.count > 1 ? walk.step * in_strides[d] : 0, out_strides[d]});
  }
  if (whole) {
    context.view_of = 0;
    return Status::Ok();
  }
  PrepareCopy(context, {0}, {std::move(piece)});
  return Status::Ok();
}

}  // namespace

extern const OpRule kSliceRule;
const OpRule kSliceRule = {"Slice", Infer, Prepare};

}  // namespace pleat::runtime
