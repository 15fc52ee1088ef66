// Before: images [N, C, spatial..] everywhere
// After:  Conv, ConvTranspose, Pool, InstanceNorm, LocalResponseNorm, DepthToSpace and SpaceToDepth
//   read and write [N, spatial.., C]; everything between them follows, with its axes renamed, and
//   a Transpose stands only where an operator or an output needs the stated order. Where only axes
//   of one element change places a Reshape stands instead.
// Condition: ranks are known; an operator without a rule, or whose rule cannot prove its case, runs
//   in the stated order.
#include <algorithm>
#include <limits>

#include "converter/passes/layout.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

// Operators with a channels_last field. A residual lies as x does, other operands are plain.
template <class T>
bool LayImage(Layout& layout, Node& node) {
  const int rank = layout.Rank(node.inputs[0]);
  if (rank < 3 || layout.Rank(node.outputs[0]) != rank) return false;
  if (node.As<T>()->channels_last) return false;
  const Order order = ChannelsLastOrder(rank);
  node.As<T>()->channels_last = true;
  node.inputs[0] = layout.In(node.inputs[0], order);
  const bool has_residual = node.As<fb::ConvT>() != nullptr && node.inputs.size() > 3;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    node.inputs[i] =
        has_residual && i == 3 ? layout.In(node.inputs[i], order) : layout.Plain(node.inputs[i]);
  }
  node.outputs[0] = layout.Make(node.outputs[0], order);
  layout.Emit(std::move(node));
  return true;
}

bool LayPool(Layout& layout, Node& node) {
  const bool indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
  return !indices && LayImage<fb::PoolT>(layout, node);
}

// The order that full-rank operands of a broadcasting operator should have: that of one made in
// another than the plain order. Operands made plain follow only towards channels last.
std::optional<Order> SharedOrder(Layout& layout, const Node& node, int rank) {
  const Form* first = nullptr;
  bool mixed = false;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    const int operand_rank = layout.Rank(id);
    if (operand_rank < 0 || operand_rank > rank) return std::nullopt;
    if (operand_rank != rank || layout.graph().ConstantOf(id) != nullptr) continue;
    const Form* form = layout.Native(id);
    if (first == nullptr) first = form;
    mixed = mixed || form == nullptr || form->order != first->order;
    if (form != nullptr && form->order == ChannelsLastOrder(rank)) first = form;
  }
  if (first == nullptr || (mixed && first->order != ChannelsLastOrder(rank))) return std::nullopt;
  return first->order;
}

bool LayElementwise(Layout& layout, Node& node) {
  const int rank = layout.Rank(node.outputs[0]);
  if (rank < 3) return false;
  const auto order = SharedOrder(layout, node, rank);
  if (!order) return false;
  for (ValueId& id : node.inputs) id = layout.Operand(id, *order);
  node.outputs[0] = layout.Make(node.outputs[0], *order);
  layout.Emit(std::move(node));
  return true;
}

// The form of x when it is not plain and x has a known rank of 3 or more.
const Form* NativeImage(const Layout& layout, const Node& node) {
  return layout.Rank(node.inputs[0]) < 3 ? nullptr : layout.Native(node.inputs[0]);
}

int64_t Renamed(int64_t axis, const Order& order) {
  const int64_t rank = static_cast<int64_t>(order.size());
  const int64_t normal = axis < 0 ? axis + rank : axis;
  return normal < 0 || normal >= rank ? axis : order[static_cast<size_t>(normal)];
}

// Puts operand 0 and all results into the order of operand 0; other operands are plain.
void EmitIn(Layout& layout, Node& node, const Order& order) {
  node.inputs[0] = layout.In(node.inputs[0], order);
  for (size_t i = 1; i < node.inputs.size(); ++i) node.inputs[i] = layout.Plain(node.inputs[i]);
  for (ValueId& id : node.outputs) id = layout.Make(id, order);
  layout.Emit(std::move(node));
}

bool LayScaleShift(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  auto* fields = node.As<fb::ScaleShiftT>();
  fields->axis = Renamed(fields->axis, form->order);
  EmitIn(layout, node, Order(form->order));
  return true;
}

bool LaySplit(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  auto* fields = node.As<fb::SplitT>();
  fields->axis = Renamed(fields->axis, form->order);
  EmitIn(layout, node, Order(form->order));
  return true;
}

bool LaySoftmax(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  auto* fields = node.As<fb::SoftmaxT>();
  const auto axis = runtime::NormalizeAxis(fields->axis, static_cast<int>(order.size()));
  if (!axis.ok()) return false;
  const Shape& shape = layout.TypeOf(node.inputs[0]).shape;
  const bool alone = std::all_of(shape.begin() + axis.value() + 1, shape.end(),
                                 [](int64_t size) { return size == 1; });
  if (fields->to_end && !alone) return false;
  fields->to_end = false;
  fields->axis = order[static_cast<size_t>(axis.value())];
  EmitIn(layout, node, order);
  return true;
}

bool LayConcat(Layout& layout, Node& node) {
  const int rank = layout.Rank(node.outputs[0]);
  if (rank < 3) return false;
  for (ValueId id : node.inputs) {
    if (layout.Rank(id) != rank) return false;
  }
  const auto order = SharedOrder(layout, node, rank);
  if (!order) return false;
  auto* fields = node.As<fb::ConcatT>();
  fields->axis = Renamed(fields->axis, *order);
  for (ValueId& id : node.inputs) id = layout.In(id, *order);
  node.outputs[0] = layout.Make(node.outputs[0], *order);
  layout.Emit(std::move(node));
  return true;
}

// The plain axes that a list names, or that it names by leaving them out.
std::optional<std::vector<int64_t>> RenamedAxes(Layout& layout, const Node& node, size_t position,
                                                size_t count, const Order& order) {
  std::vector<int64_t> axes(count);
  for (size_t i = 0; i < count; ++i) axes[i] = static_cast<int64_t>(i);
  if (node.input(position) != kNoValue) {
    const auto known = KnownInt64s(layout.graph(), node.input(position));
    if (!known) return std::nullopt;
    axes = *known;
  }
  for (int64_t& axis : axes) axis = Renamed(axis, order);
  return axes;
}

bool LaySlice(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  const Type& starts = layout.TypeOf(node.inputs[1]);
  if (!starts.Known() || starts.rank() != 1) return false;
  const auto axes = RenamedAxes(layout, node, 3, static_cast<size_t>(starts.shape[0]), order);
  if (!axes) return false;
  if (node.inputs.size() < 4) node.inputs.resize(4, kNoValue);
  node.inputs[3] = AddInt64s(layout.graph(), NameOf(layout.graph(), node) + ".axes", *axes);
  EmitIn(layout, node, order);
  return true;
}

bool LayPad(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  const size_t rank = order.size();
  const auto pads = KnownInt64s(layout.graph(), node.inputs[1]);
  if (!pads) return false;
  const auto axes = RenamedAxes(layout, node, 3, rank, order);
  if (!axes || pads->size() != 2 * axes->size()) return false;
  std::vector<int64_t> stored(2 * rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] < 0 || (*axes)[i] >= static_cast<int64_t>(rank)) return false;
    stored[static_cast<size_t>((*axes)[i])] = (*pads)[i];
    stored[static_cast<size_t>((*axes)[i]) + rank] = (*pads)[i + axes->size()];
  }
  if (node.inputs.size() > 3) node.inputs.resize(3);
  node.inputs[1] = AddInt64s(layout.graph(), NameOf(layout.graph(), node) + ".pads", stored);
  EmitIn(layout, node, order);
  return true;
}

// Operators that remove or shrink the axes for which `gone` is set.
void EmitReduced(Layout& layout, Node& node, const Order& order, const std::vector<bool>& gone,
                 bool keepdims) {
  node.inputs[0] = layout.In(node.inputs[0], order);
  const Order left = keepdims ? order : WithoutAxes(order, gone);
  for (ValueId& id : node.outputs) id = layout.Make(id, left);
  layout.Emit(std::move(node));
}

bool LayReduce(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  auto* fields = node.As<fb::ReduceT>();
  const auto axes = FieldOrInput(layout.graph(), node, fields->axes, 1);
  if (!axes || axes->empty()) return false;
  std::vector<bool> gone(order.size(), false);
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, static_cast<int>(order.size()));
    if (!normal.ok()) return false;
    gone[static_cast<size_t>(normal.value())] = true;
  }
  fields->axes.clear();
  for (size_t i = 0; i < gone.size(); ++i) {
    if (gone[i]) fields->axes.push_back(order[i]);
  }
  std::sort(fields->axes.begin(), fields->axes.end());
  node.inputs.resize(1);
  EmitReduced(layout, node, order, gone, fields->keepdims);
  return true;
}

bool LayArgReduce(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  auto* fields = node.As<fb::ArgReduceT>();
  const auto axis = runtime::NormalizeAxis(fields->axis, static_cast<int>(order.size()));
  if (!axis.ok()) return false;
  std::vector<bool> gone(order.size(), false);
  gone[static_cast<size_t>(axis.value())] = true;
  fields->axis = order[static_cast<size_t>(axis.value())];
  EmitReduced(layout, node, order, gone, fields->keepdims);
  return true;
}

bool IsListOf(const Layout& layout, ValueId id, size_t entries) {
  const Type& type = layout.TypeOf(id);
  return type.Known() && type.rank() == 1 && type.shape[0] == static_cast<int64_t>(entries);
}

// A list with one entry a plain axis, as one with an entry a stored axis.
ValueId StoredList(Layout& layout, ValueId id, const Order& order, const std::string& name) {
  Graph& graph = layout.graph();
  std::vector<int64_t> plain(order.size());
  for (size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<int64_t>(i);
  const ValueId indices = AddInt64s(graph, name, Stored(plain, order));
  fb::GatherT gather;
  gather.axis = 0;
  const ValueId list = layout.Make(graph.AddValue(name, Type(layout.TypeOf(id))), {0});
  layout.Emit(name, std::move(gather), {layout.Plain(id), indices}, {list});
  return list;
}

bool LayResize(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr) return false;
  const Order order = form->order;
  auto* fields = node.As<fb::ResizeT>();
  if (fields->coordinates == fb::CoordinateMode::TfCropAndResize) return false;
  const bool all_axes = fields->axes.empty();
  for (size_t i : {2, 3}) {
    if (all_axes && node.input(i) != kNoValue && !IsListOf(layout, node.inputs[i], order.size())) {
      return false;
    }
  }
  if (node.inputs.size() > 1) node.inputs[1] = kNoValue;
  if (!all_axes) {
    for (int64_t& axis : fields->axes) axis = Renamed(axis, order);
    EmitIn(layout, node, order);
    return true;
  }
  for (size_t i : {2, 3}) {
    if (node.input(i) == kNoValue) continue;
    node.inputs[i] = StoredList(layout, node.inputs[i], order,
                                NameOf(layout.graph(), node) + (i == 2 ? ".scales" : ".sizes"));
  }
  EmitIn(layout, node, order);
  return true;
}

bool LayGather(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr || layout.Rank(node.inputs[1]) != 1) return false;
  auto* fields = node.As<fb::GatherT>();
  fields->axis = Renamed(fields->axis, form->order);
  EmitIn(layout, node, Order(form->order));
  return true;
}

// Tile and Expand: x and a list with an entry an axis.
bool LayTile(Layout& layout, Node& node) {
  const Form* form = NativeImage(layout, node);
  if (form == nullptr || !IsListOf(layout, node.inputs[1], form->order.size())) return false;
  const Order order = form->order;
  node.inputs[1] =
      StoredList(layout, node.inputs[1], order, NameOf(layout.graph(), node) + ".list");
  EmitIn(layout, node, order);
  return true;
}

}  // namespace

LayoutRule LayoutRuleOf(fb::Op type) {
  static const std::map<fb::Op, LayoutRule> kRules = {
      {fb::Op::Conv, LayImage<fb::ConvT>},
      {fb::Op::ConvTranspose, LayImage<fb::ConvTransposeT>},
      {fb::Op::Pool, LayPool},
      {fb::Op::InstanceNorm, LayImage<fb::InstanceNormT>},
      {fb::Op::LocalResponseNorm, LayImage<fb::LocalResponseNormT>},
      {fb::Op::DepthToSpace, LayImage<fb::DepthToSpaceT>},
      {fb::Op::SpaceToDepth, LayImage<fb::SpaceToDepthT>},
      {fb::Op::Unary, LayElementwise},
      {fb::Op::Binary, LayElementwise},
      {fb::Op::Where, LayElementwise},
      {fb::Op::Cast, LayElementwise},
      {fb::Op::Identity, LayElementwise},
      {fb::Op::ScaleShift, LayScaleShift},
      {fb::Op::Concat, LayConcat},
      {fb::Op::Split, LaySplit},
      {fb::Op::Slice, LaySlice},
      {fb::Op::Pad, LayPad},
      {fb::Op::Reduce, LayReduce},
      {fb::Op::ArgReduce, LayArgReduce},
      {fb::Op::Softmax, LaySoftmax},
      {fb::Op::Resize, LayResize},
      {fb::Op::Gather, LayGather},
      {fb::Op::Tile, LayTile},
      {fb::Op::Expand, LayTile},
      {fb::Op::Transpose, LayTranspose},
      {fb::Op::Reshape, LayReshape},
      {fb::Op::Squeeze, LaySqueeze},
      {fb::Op::Unsqueeze, LayUnsqueeze},
      {fb::Op::ShapeOf, LayShapeOf},
  };
  const auto found = kRules.find(type);
  return found == kRules.end() ? nullptr : found->second;
}

Status ChannelsLast(Graph& graph) {
  PLEAT_RETURN_IF_ERROR(runtime::InferGraph(graph, /*evaluate=*/true));
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  Layout layout(graph);
  for (Node& node : nodes) {
    const LayoutRule rule = LayoutRuleOf(node.op.type);
    if (rule == nullptr || !rule(layout, node)) layout.EmitPlain(std::move(node));
  }
  layout.Finish();
  graph.EliminateDead();
  return runtime::InferGraph(graph, /*evaluate=*/true);
}

}  // namespace pleat::converter
