// Pad: x with a border. Each axis is cut into segments (before, x itself, after); pieces are boxes
// of segments. Negative pads crop x before anything else.
#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

constexpr size_t kMaxPieces = 1 << 16;

// Pads of each axis of x: before and after.
struct Pads {
  std::vector<int64_t> before, after;
};

struct PadParameters {
  Integers pads, axes;
};

template <class Context>
Result<PadParameters> Parameters(const Context& context) {
  PadParameters p;
  PLEAT_ASSIGN_OR_RETURN(p.pads, VectorInput(context, 1, "pads", 2 * kMaxRank));
  PLEAT_ASSIGN_OR_RETURN(p.axes, VectorInput(context, 3, "axes"));
  return p;
}

// REQUIRES: no parameter is unknown.
Result<Pads> PadsOf(const PadParameters& p, const Type& x) {
  const auto rank = static_cast<size_t>(x.rank());
  std::vector<int> axes;
  if (p.axes.values) {
    PLEAT_ASSIGN_OR_RETURN(axes, NormalizeAxes(*p.axes.values, x.rank()));
  } else {
    for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  }
  const std::vector<int64_t>& pads = *p.pads.values;
  if (pads.size() != 2 * axes.size()) {
    return InvalidModel("pads: expected " + std::to_string(2 * axes.size()) + " entries, got " +
                        std::to_string(pads.size()));
  }
  Pads result{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    result.before[static_cast<size_t>(axes[i])] = pads[i];
    result.after[static_cast<size_t>(axes[i])] = pads[axes.size() + i];
  }
  return result;
}

Result<int64_t> PaddedSize(fb::PadMode mode, int64_t size, int64_t before, int64_t after) {
  const Checked cropped =
      Checked(size) + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
  const Checked padded = cropped + std::max<int64_t>(before, 0) + std::max<int64_t>(after, 0);
  const std::string pads = std::to_string(before) + " and " + std::to_string(after);
  if (!padded.ok()) return LimitExceeded("pads: " + pads + " overflow");
  const int64_t inside = *cropped.get(), most = std::max(before, after);
  if (inside < 0) {
    return InvalidModel("pads: expected to crop at most " + std::to_string(size) + ", got " + pads);
  }
  if (mode == fb::PadMode::Reflect && most > 0 && most >= inside) {
    return InvalidModel("pads: expected less than the size " + std::to_string(inside) +
                        " to reflect, got " + pads);
  }
  if (mode != fb::PadMode::Constant && most > 0 && inside == 0) {
    return InvalidModel("pads: an axis of size 0 has nothing to repeat");
  }
  return *padded.get();
}

Status CheckMode(fb::PadMode mode) {
  if (mode <= fb::PadMode::MAX) return Status::Ok();
  return InvalidModel("mode: unknown value " + std::to_string(static_cast<int>(mode)));
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2, 2));
  const fb::PadMode mode = context.node.As<fb::PadT>()->mode;
  PLEAT_RETURN_IF_ERROR(CheckMode(mode));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const PadParameters p, Parameters(context));
  if (context.has_input(2)) {
    const Type& value = context.inputs[2];
    PLEAT_RETURN_IF_ERROR(CheckSameElements(x, "x", value, "value"));
    if (value.Known() && ElementCount(value.shape) != 1) {
      return InvalidModel("value: expected a scalar, got " + TypeText(value));
    }
  }
  Type& y = context.outputs[0];
  y = x;
  if (!x.ranked) return Status::Ok();
  y = UnknownSizes(x.element, x.rank());
  if (!p.pads.values || p.axes.Unknown()) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const Pads pads, PadsOf(p, x));
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (x.shape[d] == kUnknownDim) continue;
    PLEAT_ASSIGN_OR_RETURN(y.shape[d], PaddedSize(mode, x.shape[d], pads.before[d], pads.after[d]));
  }
  return Status::Ok();
}

// A run of positions along one axis: out positions from `out` on read x from `in` on.
struct Segment {
  int64_t out, in, count, step;
};

// The segments of one axis; those that mirror nothing (Constant) read position 0 by step 0.
Result<std::vector<Segment>> Segments(fb::PadMode mode, int64_t size, int64_t before,
                                      int64_t after) {
  const int64_t crop = std::max<int64_t>(-before, 0);
  const int64_t inside = size - crop - std::max<int64_t>(-after, 0);
  before = std::max<int64_t>(before, 0);
  after = std::max<int64_t>(after, 0);
  const int64_t end = before + inside;
  std::vector<Segment> segments = {{before, crop, inside, 1}};
  switch (mode) {
    case fb::PadMode::Constant:
      segments.push_back({0, 0, before, 0});
      segments.push_back({end, 0, after, 0});
      break;
    case fb::PadMode::Edge:
      segments.push_back({0, crop, before, 0});
      segments.push_back({end, crop + inside - 1, after, 0});
      break;
    case fb::PadMode::Reflect:
      segments.push_back({0, crop + before, before, -1});
      segments.push_back({end, crop + inside - 2, after, -1});
      break;
    case fb::PadMode::Wrap:
      if (before / std::max<int64_t>(inside, 1) + after / std::max<int64_t>(inside, 1) >
          static_cast<int64_t>(kMaxPieces)) {
        return LimitExceeded("pads: " + std::to_string(before) + " and " + std::to_string(after) +
                             " repeat an axis of size " + std::to_string(inside) +
                             " too many times");
      }
      for (int64_t out = 0, count; out < before; out += count) {
        const int64_t phase = (inside - (before - out) % inside) % inside;
        count = std::min(inside - phase, before - out);
        segments.push_back({out, crop + phase, count, 1});
      }
      for (int64_t out = end, count; out < end + after; out += count) {
        count = std::min(inside, end + after - out);
        segments.push_back({out, crop, count, 1});
      }
      break;
  }
  return segments;
}

// Builds the pieces of one Pad from the segments of its axes; segment 0 of each is x itself.
class PieceList {
 public:
  PieceList(const Shape& in, const Shape& out, std::vector<std::vector<Segment>> segments)
      : out_(out),
        in_strides_(Strides(in)),
        out_strides_(Strides(out)),
        segments_(std::move(segments)) {}

  // x itself, and for each axis the border before and after: inside along the axes before it,
  // whole along those behind.
  std::vector<kernels::CopyPiece> Framed(int fill) const {
    kernels::CopyPiece inside{.input = 0};
    for (size_t d = 0; d < out_.size(); ++d) Add(inside, d, segments_[d][0]);
    std::vector<kernels::CopyPiece> pieces = {inside};
    for (size_t border = 0; border < out_.size(); ++border) {
      for (size_t side = 1; side < segments_[border].size(); ++side) {
        kernels::CopyPiece piece{.input = fill};
        for (size_t d = 0; d < out_.size(); ++d) {
          const Segment& own = segments_[d][d == border ? side : 0];
          Add(piece, d,
              d <= border ? Segment{own.out, 0, own.count, 0} : Segment{0, 0, out_[d], 0});
        }
        pieces.push_back(std::move(piece));
      }
    }
    return pieces;
  }

  // Every combination of segments.
  Result<std::vector<kernels::CopyPiece>> Combined() const {
    std::vector<kernels::CopyPiece> pieces = {{}};
    for (size_t d = 0; d < out_.size(); ++d) {
      std::vector<kernels::CopyPiece> longer;
      for (const Segment& segment : segments_[d]) {
        if (segment.count == 0 && segments_[d].size() > 1) continue;
        for (const kernels::CopyPiece& piece : pieces) {
          longer.push_back(piece);
          Add(longer.back(), d, segment);
        }
        if (longer.size() > kMaxPieces) return LimitExceeded("pads: too many repetitions of x");
      }
      pieces = std::move(longer);
    }
    return pieces;
  }

 private:
  void Add(kernels::CopyPiece& piece, size_t d, const Segment& segment) const {
    piece.in_offset += segment.in * in_strides_[d];
    piece.out_offset += segment.out * out_strides_[d];
    piece.dims.push_back({segment.count, segment.step * in_strides_[d], out_strides_[d]});
  }

  const Shape& out_;
  const Shape in_strides_, out_strides_;
  const std::vector<std::vector<Segment>> segments_;
};

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const PadParameters p, Parameters(context));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.pads, "the pads"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(p.axes, "the axes"));
  const fb::PadMode mode = context.node.As<fb::PadT>()->mode;
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const Pads pads, PadsOf(p, context.inputs[0]));
  std::vector<std::vector<Segment>> segments;
  bool unchanged = true;
  for (size_t d = 0; d < in.size(); ++d) {
    PLEAT_ASSIGN_OR_RETURN(std::vector<Segment> axis,
                           Segments(mode, in[d], pads.before[d], pads.after[d]));
    segments.push_back(std::move(axis));
    unchanged = unchanged && pads.before[d] == 0 && pads.after[d] == 0;
  }
  if (unchanged) {
    context.view_of = 0;
    return Status::Ok();
  }
  const PieceList list(in, out, std::move(segments));
  if (mode != fb::PadMode::Constant) {
    PLEAT_ASSIGN_OR_RETURN(auto pieces, list.Combined());
    PrepareCopy(context, {0}, std::move(pieces));
  } else if (context.has_input(2)) {
    PrepareCopy(context, {0, 2}, list.Framed(1));
  } else {
    PrepareCopy(context, {0}, list.Framed(kernels::kZeros));
  }
  return Status::Ok();
}

}  // namespace

extern const OpRule kPadRule;
const OpRule kPadRule = {"Pad", Infer, Prepare};

}  // namespace pleat::runtime
