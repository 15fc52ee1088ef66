// How views follow a change of the order of axes.
#include <algorithm>
#include <limits>

#include "converter/passes/layout.h"

namespace pleat::converter {
namespace {

// [N, A, B, spatial..] stored as [N, spatial.., A, B].
Order PairLastOrder(int rank) {
  Order order = {0, rank - 2, rank - 1};
  for (int i = 3; i < rank; ++i) order.push_back(i - 2);
  return order;
}

// Whether the first sizes of x and of the reshaped y are the same at every run.
bool SameBatch(Layout& layout, const Node& node) {
  const Shape& x = layout.TypeOf(node.inputs[0]).shape;
  const Shape& y = layout.TypeOf(node.outputs[0]).shape;
  if (x[0] != kUnknownDim || y[0] != kUnknownDim) return x[0] == y[0];
  const auto shape = KnownInt64s(layout.graph(), node.inputs[1]);
  if (shape && !node.As<fb::ReshapeT>()->allow_zero && (*shape)[0] == 0) return true;
  int64_t x_rest = 1, y_rest = 1;
  for (size_t i = 1; i < x.size(); ++i) {
    if (x[i] <= 0) return false;
    x_rest *= x[i];
  }
  for (size_t i = 1; i < y.size(); ++i) {
    if (y[i] <= 0) return false;
    y_rest *= y[i];
  }
  return x_rest == y_rest;
}

// The shape operand for a Reshape to `sizes` that keeps the first of them.
std::optional<std::vector<int64_t>> ShapeOperand(Shape sizes) {
  int unknown = 0;
  for (size_t i = 1; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return std::nullopt;
    unknown += sizes[i] == kUnknownDim ? 1 : 0;
  }
  if (unknown > 1) return std::nullopt;
  sizes[0] = 0;
  return sizes;
}

bool SameKnown(const Shape& a, size_t from_a, const Shape& b, size_t from_b) {
  if (a.size() - from_a != b.size() - from_b) return false;
  return std::equal(a.begin() + static_cast<std::ptrdiff_t>(from_a), a.end(),
                    b.begin() + static_cast<std::ptrdiff_t>(from_b),
                    [](int64_t x, int64_t y) { return x == y && x != kUnknownDim; });
}

}  // namespace

bool LayTranspose(Layout& layout, Node& node) {
  const int rank = layout.Rank(node.inputs[0]);
  if (rank < 0) return false;
  std::vector<int64_t> perm = node.As<fb::TransposeT>()->perm;
  if (perm.empty()) {
    for (int i = rank; i-- > 0;) perm.push_back(i);
  }
  Form form;
  if (const Form* native = layout.Native(node.inputs[0])) {
    form = *native;
  } else {
    form.id = layout.Plain(node.inputs[0]);
    for (int i = 0; i < rank; ++i) form.order.push_back(i);
  }
  Order order;
  for (int64_t axis : perm) order.push_back(form.order[static_cast<size_t>(axis)]);
  layout.Alias(node.outputs[0], {form.id, std::move(order)});
  return true;
}

bool LayReshape(Layout& layout, Node& node) {
  const Form* native = layout.Native(node.inputs[0]);
  const int from = layout.Rank(node.inputs[0]), to = layout.Rank(node.outputs[0]);
  if (native == nullptr || from < 3 || to < 3) return false;
  const Shape x = layout.TypeOf(node.inputs[0]).shape, y = layout.TypeOf(node.outputs[0]).shape;
  if (!SameBatch(layout, node) || x[1] <= 0 || y[1] <= 0) return false;
  const bool channels_last = native->order == ChannelsLastOrder(from);
  Order source = native->order, target;
  if (channels_last && x[1] == y[1]) {
    target = ChannelsLastOrder(to);
  } else if (channels_last && to == from + 1 && y[2] > 0 && y[1] * y[2] == x[1] &&
             SameKnown(x, 2, y, 3)) {
    target = PairLastOrder(to);
  } else if (to == from - 1 && x[2] > 0 && x[1] * x[2] == y[1] && SameKnown(x, 3, y, 2)) {
    source = PairLastOrder(from);
    target = ChannelsLastOrder(to);
  } else {
    return false;
  }
  const auto sizes = ShapeOperand(Stored(y, target));
  if (!sizes) return false;
  const std::string name = NameOf(layout.graph(), node);
  node.As<fb::ReshapeT>()->allow_zero = false;
  node.inputs = {layout.In(node.inputs[0], source),
                 AddInt64s(layout.graph(), name + ".shape", *sizes)};
  node.outputs[0] = layout.Make(node.outputs[0], target);
  layout.Emit(std::move(node));
  return true;
}

namespace {

// The plain axes, of `rank` many, that a Squeeze or Unsqueeze names.
std::optional<std::vector<bool>> NamedAxes(Layout& layout, const Node& node,
                                           const std::vector<int64_t>& field, int rank) {
  const auto axes = FieldOrInput(layout.graph(), node, field, 1);
  if (!axes || axes->empty() || rank < 0) return std::nullopt;
  std::vector<bool> named(static_cast<size_t>(rank), false);
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, rank);
    if (!normal.ok()) return std::nullopt;
    named[static_cast<size_t>(normal.value())] = true;
  }
  return named;
}

std::vector<int64_t> StoredAxes(const std::vector<bool>& named, const Order& order) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < named.size(); ++i) {
    if (named[i]) axes.push_back(order[i]);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

}  // namespace

bool LaySqueeze(Layout& layout, Node& node) {
  const Form* native = layout.Native(node.inputs[0]);
  if (native == nullptr) return false;
  const Form form = *native;
  auto* fields = node.As<fb::SqueezeT>();
  const auto named = NamedAxes(layout, node, fields->axes, static_cast<int>(form.order.size()));
  if (!named) return false;
  fields->axes = StoredAxes(*named, form.order);
  node.inputs = {form.id};
  node.outputs[0] = layout.Make(node.outputs[0], WithoutAxes(form.order, *named));
  layout.Emit(std::move(node));
  return true;
}

bool LayUnsqueeze(Layout& layout, Node& node) {
  const Form* native = layout.Native(node.inputs[0]);
  const int rank = layout.Rank(node.outputs[0]);
  if (native == nullptr || rank < 3) return false;
  const Form form = *native;
  const Order order = ChannelsLastOrder(rank);
  auto* fields = node.As<fb::UnsqueezeT>();
  const auto named = NamedAxes(layout, node, fields->axes, rank);
  if (!named || WithoutAxes(order, *named) != form.order) return false;
  fields->axes = StoredAxes(*named, order);
  node.inputs = {form.id};
  node.outputs[0] = layout.Make(node.outputs[0], order);
  layout.Emit(std::move(node));
  return true;
}

bool LayShapeOf(Layout& layout, Node& node) {
  const Form* native = layout.Native(node.inputs[0]);
  if (native == nullptr) return false;
  const Form form = *native;
  const auto* fields = node.As<fb::ShapeOfT>();
  const auto rank = static_cast<int64_t>(form.order.size());
  const auto place = [rank](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  std::vector<int64_t> indices;
  for (int64_t i = place(fields->start); i < place(fields->end); ++i) {
    indices.push_back(form.order[static_cast<size_t>(i)]);
  }
  Graph& graph = layout.graph();
  const std::string name = NameOf(graph, node);
  const ValueId sizes =
      graph.AddValue(name + ".sizes", {.element = ElementType::kInt64, .shape = {rank}});
  layout.Emit(name + ".sizes", fb::ShapeOfT{}, {form.id}, {layout.Make(sizes, {0})});
  const ValueId list = AddInt64s(graph, name + ".axes", indices);
  fb::GatherT gather;
  gather.axis = 0;
  layout.Emit(name, std::move(gather), {sizes, list}, {layout.Make(node.outputs[0], {0})});
  return true;
}

}  // namespace pleat::converter
