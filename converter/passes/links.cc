#include "converter/passes/links.h"

#include <algorithm>
#include <limits>

#include "converter/seeded_bugs.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

using kernels::UnaryKind;

// One question to BeforeLink and its answer.
class Link {
 public:
  Link(const Graph& graph, const Node& node, ValueId output, const Affine& after)
      : graph_(graph),
        node_(node),
        x_(TypeOf(graph, node.inputs[0])),
        y_(TypeOf(graph, output)),
        output_(output),
        after_(after),
        what_(std::string(node.OpName()) + " '" + NameOf(graph, node) + "'") {}

  Passage Before();

 private:
  Passage Refuse(const char* code, const std::string& sentence) const {
    return {{}, {code, sentence + " " + what_}};
  }
  Passage OtherAxis() const {
    return Refuse("AXIS_MISMATCH", "its channels are not one axis of what goes into");
  }
  Passage Unchanged() const { return {{after_}, {}}; }
  Passage AlongAxis(int axis) const {
    Affine before = after_;
    before.axis = axis;
    return {{before}, {}};
  }
  bool AnyNegative() const {
    return std::any_of(after_.scale.begin(), after_.scale.end(), [](double s) { return s < 0; });
  }
  // Channel c of the result is channel source[c] of the input; channels nobody takes stay.
  Passage FromChannels(const std::vector<int64_t>& source, int axis) const;
  // What scales by positive numbers passes.
  Passage PositiveScale() const;

  Passage Pool(const fb::PoolT& pool) const;
  Passage Reduce(const fb::ReduceT& reduce) const;
  Passage Slice() const;
  Passage Split(int64_t axis) const;
  Passage Gather(int64_t axis) const;
  Passage Pad(const fb::PadT& pad) const;
  Passage Resize(const fb::ResizeT& resize) const;
  Passage Blocks() const;
  Passage Activation(const fb::Activation& activation) const;

  const Graph& graph_;
  const Node& node_;
  const Type& x_;
  const Type& y_;
  const ValueId output_;
  const Affine& after_;
  const std::string what_;
};

Passage Link::FromChannels(const std::vector<int64_t>& source, int axis) const {
  const int64_t size = x_.shape[static_cast<size_t>(axis)];
  if (size <= 0 || source.size() != after_.channels()) return OtherAxis();
  Affine before{.axis = axis,
                .scale = std::vector<double>(static_cast<size_t>(size), 1),
                .shift = std::vector<double>(static_cast<size_t>(size), 0)};
  std::vector<char> taken(static_cast<size_t>(size), 0);
  for (size_t c = 0; c < source.size(); ++c) {
    const auto from = static_cast<size_t>(source[c]);
    if (from >= taken.size()) return OtherAxis();
    if (taken[from] != 0 &&
        (before.scale[from] != after_.scale[c] || before.shift[from] != after_.shift[c])) {
      return Refuse("AXIS_MISMATCH", "two of its channels are one channel before");
    }
    taken[from] = 1;
    before.scale[from] = after_.scale[c];
    before.shift[from] = after_.shift[c];
  }
  return {{before}, {}};
}

Passage Link::PositiveScale() const {
  if (!after_.IsScaleOnly()) return Refuse("PRODUCER_NOT_LINEAR", "its shift cannot pass");
  if (AnyNegative()) return Refuse("NEG_SCALE", "a negative scale cannot pass");
  return Unchanged();
}

Passage Link::Pool(const fb::PoolT& pool) const {
  if (after_.axis > 1) return OtherAxis();
  if (pool.kind == fb::PoolKind::Max) {
    if (node_.outputs.size() > 1 && node_.outputs[1] != kNoValue) {
      return Refuse("PRODUCER_NOT_LINEAR", "the positions are read of the maxima of");
    }
    return AnyNegative() ? Refuse("NEG_SCALE", "a negative scale turns the maxima to minima of")
                         : Unchanged();
  }
  if (pool.kind != fb::PoolKind::Average) {
    return Refuse("PRODUCER_NOT_LINEAR", "it reads the result of");
  }
  const bool padded = pool.ceil_mode || pool.window->auto_pad == fb::AutoPad::SameLower ||
                      pool.window->auto_pad == fb::AutoPad::SameUpper ||
                      std::any_of(pool.window->pads.begin(), pool.window->pads.end(),
                                  [](int64_t pad) { return pad != 0; });
  if (pool.count_include_pad && padded && !after_.IsScaleOnly() &&
      !Seeded(SeededBug::kCountIncludePad)) {
    return Refuse("POOL_INCLUDE_PAD", "its shift would count the padding as well in");
  }
  return Unchanged();
}

Passage Link::Reduce(const fb::ReduceT& reduce) const {
  const auto axes = FieldOrInput(graph_, node_, reduce.axes, 1);
  if (!axes || axes->empty() || !x_.ranked) return OtherAxis();
  std::vector<bool> gone(x_.shape.size(), false);
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, x_.rank());
    if (!normal.ok()) return OtherAxis();
    gone[static_cast<size_t>(normal.value())] = true;
  }
  int axis = after_.axis;
  if (!reduce.keepdims) {
    for (int i = 0; i <= axis && i < x_.rank(); ++i) axis += gone[static_cast<size_t>(i)] ? 1 : 0;
  }
  if (axis >= x_.rank() || gone[static_cast<size_t>(axis)]) return OtherAxis();
  switch (reduce.kind) {
    case fb::ReduceKind::Mean:
      return AlongAxis(axis);
    case fb::ReduceKind::Sum:
      return after_.IsScaleOnly() ? AlongAxis(axis)
                                  : Refuse("PRODUCER_NOT_LINEAR", "its shift would add up in");
    case fb::ReduceKind::Max:
    case fb::ReduceKind::Min:
      return AnyNegative() ? Refuse("NEG_SCALE", "a negative scale turns around") : AlongAxis(axis);
    default:
      return Refuse("PRODUCER_NOT_LINEAR", "it reads the result of");
  }
}

Passage Link::Slice() const {
  const auto starts = KnownInt64s(graph_, node_.input(1));
  const auto axes = node_.input(3) == kNoValue ? std::optional(std::vector<int64_t>())
                                               : KnownInt64s(graph_, node_.input(3));
  const auto steps = node_.input(4) == kNoValue ? std::optional(std::vector<int64_t>())
                                                : KnownInt64s(graph_, node_.input(4));
  if (!x_.ranked) return OtherAxis();
  if (!starts || !axes || !steps) return Refuse("DYNAMIC_SHAPE", "what it keeps is not known of");
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto axis = runtime::NormalizeAxis(
        i < axes->size() ? (*axes)[i] : static_cast<int64_t>(i), x_.rank());
    if (!axis.ok()) return OtherAxis();
    if (axis.value() != after_.axis) continue;
    const int64_t size = x_.shape[static_cast<size_t>(after_.axis)];
    const int64_t step = i < steps->size() ? (*steps)[i] : 1;
    if (size <= 0) return OtherAxis();
    int64_t start = (*starts)[i] < 0 ? (*starts)[i] + size : (*starts)[i];
    start = std::clamp<int64_t>(start, 0, step > 0 ? size : size - 1);
    std::vector<int64_t> source;
    for (size_t c = 0; c < after_.channels(); ++c) {
      source.push_back(start + static_cast<int64_t>(c) * step);
    }
    return FromChannels(source, after_.axis);
  }
  return Unchanged();
}

Passage Link::Split(int64_t axis) const {
  const auto normal = runtime::NormalizeAxis(axis, x_.ranked ? x_.rank() : 0);
  if (!normal.ok()) return OtherAxis();
  if (normal.value() != after_.axis) {
    return Refuse("PRODUCER_MULTI_USE",
                  "its channels are also those of other parts, which do not take it alike, of");
  }
  int64_t begin = 0;
  for (ValueId part : node_.outputs) {
    if (part == output_) break;
    const Type& type = TypeOf(graph_, part);
    const int64_t size = type.ranked ? type.shape[static_cast<size_t>(after_.axis)] : kUnknownDim;
    if (size == kUnknownDim) return Refuse("DYNAMIC_SHAPE", "the sizes vary of the parts of");
    begin += size;
  }
  std::vector<int64_t> source;
  for (size_t c = 0; c < after_.channels(); ++c) source.push_back(begin + static_cast<int64_t>(c));
  return FromChannels(source, after_.axis);
}

Passage Link::Gather(int64_t axis) const {
  const Type& indices = TypeOf(graph_, node_.input(1));
  const auto normal = runtime::NormalizeAxis(axis, x_.ranked ? x_.rank() : 0);
  if (!normal.ok() || !indices.ranked) return OtherAxis();
  if (after_.axis < normal.value()) return Unchanged();
  if (after_.axis >= normal.value() + indices.rank()) {
    return AlongAxis(after_.axis - indices.rank() + 1);
  }
  const auto known = KnownInt64s(graph_, node_.input(1));
  if (!known || indices.rank() != 1) return OtherAxis();
  std::vector<int64_t> source = *known;
  for (int64_t& index : source) {
    if (index < 0) index += x_.shape[static_cast<size_t>(normal.value())];
  }
  return FromChannels(source, normal.value());
}

Passage Link::Pad(const fb::PadT& pad) const {
  const auto pads = KnownInt64s(graph_, node_.input(1));
  const auto axes = node_.input(3) == kNoValue ? std::optional(std::vector<int64_t>())
                                               : KnownInt64s(graph_, node_.input(3));
  if (!x_.ranked || !pads || !axes) return Refuse("DYNAMIC_SHAPE", "the sizes are not known of");
  const size_t count = pads->size() / 2;
  bool grows = false;
  for (size_t i = 0; i < count; ++i) {
    const auto axis = runtime::NormalizeAxis(
        node_.input(3) != kNoValue ? (*axes)[i] : static_cast<int64_t>(i), x_.rank());
    if (!axis.ok()) return OtherAxis();
    const int64_t before = (*pads)[i], behind = (*pads)[i + count];
    if (axis.value() == after_.axis && (before != 0 || behind != 0)) return OtherAxis();
    grows = grows || before > 0 || behind > 0;
  }
  if (pad.mode != fb::PadMode::Constant || !grows) return Unchanged();
  const auto value =
      node_.input(2) == kNoValue ? std::optional(0.0) : KnownScalar(graph_, node_.input(2));
  for (size_t c = 0; c < after_.channels(); ++c) {
    if (!value || after_.scale[c] * *value + after_.shift[c] != *value) {
      return Refuse("PAD_SHIFT", "the border would have to differ by channel in");
    }
  }
  return Unchanged();
}

Passage Link::Resize(const fb::ResizeT& resize) const {
  if (!x_.ranked || !y_.ranked) return OtherAxis();
  const auto axis = static_cast<size_t>(after_.axis);
  if (resize.coordinates == fb::CoordinateMode::TfCropAndResize ||
      resize.coordinates == fb::CoordinateMode::TfHalfPixelForNn ||
      resize.aspect != fb::AspectPolicy::Stretch) {
    return Refuse("PRODUCER_NOT_LINEAR", "what is outside the image counts in");
  }
  bool scaled = true;
  if (!resize.axes.empty()) {
    scaled = std::any_of(resize.axes.begin(), resize.axes.end(), [&](int64_t i) {
      return (i < 0 ? i + x_.rank() : i) == after_.axis;
    });
  }
  const Tensor* scales = graph_.ConstantOf(node_.input(2));
  if (scaled && scales != nullptr && scales->count() > 0) {
    const std::vector<double> numbers = runtime::ToDoubles(*scales);
    if (!resize.axes.empty() || axis >= numbers.size() || numbers[axis] != 1) return OtherAxis();
  } else if (scaled && (x_.shape[axis] == kUnknownDim || x_.shape[axis] != y_.shape[axis] ||
                        node_.input(3) == kNoValue)) {
    return OtherAxis();
  }
  return Unchanged();
}

Passage Link::Blocks() const {
  const auto* to_space = node_.As<fb::DepthToSpaceT>();
  const int64_t block =
      to_space != nullptr ? to_space->block : node_.As<fb::SpaceToDepthT>()->block;
  if (after_.axis != 1 || !x_.ranked || x_.shape[1] <= 0) return OtherAxis();
  const int64_t square = block * block, channels = static_cast<int64_t>(after_.channels());
  if (to_space == nullptr) {
    std::vector<int64_t> source;
    for (int64_t c = 0; c < channels; ++c) source.push_back(c % x_.shape[1]);
    return FromChannels(source, 1);
  }
  Affine before{.axis = 1};
  for (int64_t i = 0; i < channels * square; ++i) {
    const auto c = static_cast<size_t>(to_space->depth_column_row ? i % channels : i / square);
    before.scale.push_back(after_.scale[c]);
    before.shift.push_back(after_.shift[c]);
  }
  return {{before}, {}};
}

Passage Link::Activation(const fb::Activation& activation) const {
  const auto kind = static_cast<UnaryKind>(activation.kind());
  if (kind == UnaryKind::kNeg) {
    Affine before = after_;
    for (double& shift : before.shift) shift = -shift;
    return {{before}, {}};
  }
  const bool relu = kind == UnaryKind::kClip && activation.a() == 0 &&
                    activation.b() >= std::numeric_limits<float>::max();
  if (!relu && kind != UnaryKind::kLeakyRelu && kind != UnaryKind::kAbs) {
    return Refuse("ACT_NOT_HOMOGENEOUS", "between it and the linear step stands the activation");
  }
  return PositiveScale();
}

Passage Link::Before() {
  if (IsRearrangement(node_)) {
    Passage passage{BeforeRearrangement(graph_, node_, after_), {}};
    return passage.before.empty() ? OtherAxis() : passage;
  }
  if (const auto* pool = node_.As<fb::PoolT>()) return Pool(*pool);
  if (const auto* reduce = node_.As<fb::ReduceT>()) return Reduce(*reduce);
  if (node_.As<fb::SliceT>() != nullptr) return Slice();
  if (const auto* split = node_.As<fb::SplitT>()) return Split(split->axis);
  if (const auto* gather = node_.As<fb::GatherT>()) return Gather(gather->axis);
  if (const auto* pad = node_.As<fb::PadT>()) return Pad(*pad);
  if (const auto* resize = node_.As<fb::ResizeT>()) return Resize(*resize);
  if (const auto* unary = node_.As<fb::UnaryT>()) return Activation(unary->activation);
  return Blocks();
}

}  // namespace

bool IsLink(const Node& node) {
  return IsRearrangement(node) || node.As<fb::PoolT>() != nullptr ||
         node.As<fb::ReduceT>() != nullptr || node.As<fb::SliceT>() != nullptr ||
         node.As<fb::SplitT>() != nullptr || node.As<fb::GatherT>() != nullptr ||
         node.As<fb::PadT>() != nullptr || node.As<fb::ResizeT>() != nullptr ||
         node.As<fb::DepthToSpaceT>() != nullptr || node.As<fb::SpaceToDepthT>() != nullptr ||
         node.As<fb::UnaryT>() != nullptr;
}

Passage BeforeLink(const Graph& graph, const Node& node, ValueId output, const Affine& after) {
  return Link(graph, node, output, after).Before();
}

}  // namespace pleat::converter
