#include "converter/passes/affine.h"

#include <algorithm>
#include <cmath>

#include "runtime/checked.h"

namespace pleat::converter {
namespace {

// Elements between neighbours along `axis`, nothing when that depends on unknown sizes.
std::optional<int64_t> KnownStride(const Shape& shape, int axis) {
  runtime::Checked stride = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) {
    if (shape[i] == kUnknownDim) return std::nullopt;
    stride = stride * shape[i];
  }
  return stride.get();
}

// `affine` is of a value of type `from`; the same elements in the same order are of type `to`.
std::vector<Affine> ThroughReshape(const Type& from, const Type& to, const Affine& affine) {
  std::vector<Affine> found;
  if (!from.ranked || !to.ranked) return found;
  const int64_t channels = static_cast<int64_t>(affine.channels());
  const auto stride = KnownStride(from.shape, affine.axis);
  if (!stride || *stride == 0) return found;
  for (int axis = 0; axis < to.rank(); ++axis) {
    const int64_t size = to.shape[static_cast<size_t>(axis)];
    const auto to_stride = KnownStride(to.shape, axis);
    if (size <= 0 || !to_stride || *to_stride == 0 || *stride % *to_stride != 0) continue;
    const int64_t run = *stride / *to_stride;
    if (size % run != 0 || (size / run) % channels != 0) continue;
    Affine mapped{.axis = axis};
    for (int64_t i = 0; i < size; ++i) {
      const auto channel = static_cast<size_t>(i / run % channels);
      mapped.scale.push_back(affine.scale[channel]);
      mapped.shift.push_back(affine.shift[channel]);
    }
    found.push_back(std::move(mapped));
  }
  return found;
}

// Axes of the longer shape that Squeeze removes or Unsqueeze adds, sorted.
std::optional<std::vector<int>> UnitAxes(const Graph& graph, const Node& node, int rank) {
  const bool squeezes = node.As<fb::SqueezeT>() != nullptr;
  const auto axes = FieldOrInput(
      graph, node, squeezes ? node.As<fb::SqueezeT>()->axes : node.As<fb::UnsqueezeT>()->axes, 1);
  if (!axes || axes->empty()) return std::nullopt;
  std::vector<int> result;
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, rank);
    if (!normal.ok()) return std::nullopt;
    result.push_back(normal.value());
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<Affine> Move(const Graph& graph, const Node& node, const Affine& affine, bool forward) {
  const Type& input = TypeOf(graph, node.inputs[0]);
  const Type& output = TypeOf(graph, node.outputs[0]);
  const Type& from = forward ? input : output;
  const Type& to = forward ? output : input;
  Affine moved = affine;
  if (node.As<fb::IdentityT>() != nullptr) return {moved};
  if (const auto* transpose = node.As<fb::TransposeT>()) {
    if (!input.ranked) return {};
    for (int i = 0; i < input.rank(); ++i) {
      const int source = transpose->perm.empty()
                             ? input.rank() - 1 - i
                             : static_cast<int>(transpose->perm[static_cast<size_t>(i)]);
      if ((forward ? source : i) == affine.axis) {
        moved.axis = forward ? i : source;
        return {moved};
      }
    }
    return {};
  }
  const bool squeezes = node.As<fb::SqueezeT>() != nullptr;
  if ((squeezes || node.As<fb::UnsqueezeT>() != nullptr) && input.ranked && output.ranked) {
    const auto units = UnitAxes(graph, node, squeezes ? input.rank() : output.rank());
    if (units) {
      if (squeezes == forward) {
        if (std::binary_search(units->begin(), units->end(), affine.axis)) {
          return ThroughReshape(from, to, affine);
        }
        moved.axis -= static_cast<int>(std::lower_bound(units->begin(), units->end(), affine.axis) -
                                       units->begin());
      } else {
        for (int unit : *units) moved.axis += unit <= moved.axis ? 1 : 0;
      }
      return {moved};
    }
  }
  return ThroughReshape(from, to, affine);
}

}  // namespace

bool Affine::IsShiftOnly() const {
  return std::all_of(scale.begin(), scale.end(), [](double s) { return s == 1; });
}

bool Affine::IsScaleOnly() const {
  return std::all_of(shift.begin(), shift.end(), [](double t) { return t == 0; });
}

bool Affine::IsFinite() const {
  const auto finite = [](double x) { return std::isfinite(x); };
  return std::all_of(scale.begin(), scale.end(), finite) &&
         std::all_of(shift.begin(), shift.end(), finite);
}

Affine Compose(const Affine& before, const Affine& after) {
  Affine result = before;
  for (size_t c = 0; c < before.channels(); ++c) {
    result.scale[c] = after.scale[c] * before.scale[c];
    result.shift[c] = after.scale[c] * before.shift[c] + after.shift[c];
  }
  return result;
}

Affine AffineOf(const Graph& graph, const Node& scale_shift) {
  return {.axis = static_cast<int>(scale_shift.As<fb::ScaleShiftT>()->axis),
          .scale = runtime::ToDoubles(*graph.ConstantOf(scale_shift.inputs[1])),
          .shift = runtime::ToDoubles(*graph.ConstantOf(scale_shift.inputs[2]))};
}

void SetAffine(Graph& graph, Node& scale_shift, const Affine& affine) {
  const Shape shape = {static_cast<int64_t>(affine.channels())};
  const std::string name = NameOf(graph, scale_shift);
  scale_shift.As<fb::ScaleShiftT>()->axis = affine.axis;
  const ValueId scale = AddDoubles(graph, name + ".scale", affine.scale, shape);
  const ValueId shift = AddDoubles(graph, name + ".shift", affine.shift, shape);
  scale_shift.inputs = {scale_shift.inputs[0], scale, shift};
}

bool IsRearrangement(const Node& node) {
  return node.As<fb::TransposeT>() != nullptr || node.As<fb::ReshapeT>() != nullptr ||
         node.As<fb::FlattenT>() != nullptr || node.As<fb::SqueezeT>() != nullptr ||
         node.As<fb::UnsqueezeT>() != nullptr || node.As<fb::IdentityT>() != nullptr;
}

std::vector<Affine> BeforeRearrangement(const Graph& graph, const Node& node,
                                        const Affine& output) {
  return Move(graph, node, output, /*forward=*/false);
}

std::vector<Affine> AfterRearrangement(const Graph& graph, const Node& node, const Affine& input) {
  return Move(graph, node, input, /*forward=*/true);
}

}  // namespace pleat::converter
