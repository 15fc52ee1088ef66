#include "converter/passes/layout.h"

#include <algorithm>

#include "runtime/op.h"

namespace pleat::converter {
namespace {

Order PlainOrder(size_t rank) {
  Order order(rank);
  for (size_t i = 0; i < rank; ++i) order[i] = static_cast<int>(i);
  return order;
}

// The shape operand of a Reshape that does what a transposition by `perm` does, when that moves
// only axes of one element; nothing otherwise.
std::optional<std::vector<int64_t>> ShapeInstead(const Shape& from, const Order& perm) {
  int last = -1;
  std::vector<int64_t> sizes;
  int unknown = 0;
  for (int axis : perm) {
    const int64_t size = from[static_cast<size_t>(axis)];
    if (size == 0) return std::nullopt;
    sizes.push_back(size);
    unknown += size == kUnknownDim ? 1 : 0;
    if (size == 1) continue;
    if (axis < last) return std::nullopt;
    last = axis;
  }
  if (unknown > 1) return std::nullopt;
  return sizes;
}

}  // namespace

Order ChannelsLastOrder(int rank) {
  Order order = {0, rank - 1};
  for (int i = 2; i < rank; ++i) order.push_back(i - 1);
  return order;
}

bool IsPlain(const Order& order) { return order == PlainOrder(order.size()); }

Order WithoutAxes(const Order& order, const std::vector<bool>& gone) {
  Order kept;
  for (size_t i = 0; i < order.size(); ++i) {
    if (!gone[i]) kept.push_back(order[i]);
  }
  Order sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  for (int& axis : kept) {
    axis = static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), axis) - sorted.begin());
  }
  return kept;
}

Layout::Layout(Graph& graph) : graph_(graph), states_(graph.values.size()) {
  for (ValueId id : graph.inputs) StateOf(id).plain = id;
}

Layout::State& Layout::StateOf(ValueId id) {
  if (states_.size() < graph_.values.size()) states_.resize(graph_.values.size());
  return states_[static_cast<size_t>(id)];
}

int Layout::Rank(ValueId id) const {
  return id == kNoValue || !TypeOf(id).ranked ? -1 : TypeOf(id).rank();
}

const Form* Layout::Native(ValueId id) const {
  if (id == kNoValue || static_cast<size_t>(id) >= states_.size()) return nullptr;
  const auto& native = states_[static_cast<size_t>(id)].native;
  return native ? &*native : nullptr;
}

ValueId Layout::AddForm(ValueId id, const Order& order) {
  const Value& value = graph_.values[static_cast<size_t>(id)];
  Type type = value.type;
  type.shape = Stored(type.shape, order);
  return graph_.AddValue(value.name + ".channels_last", std::move(type));
}

void Layout::Reorder(ValueId from, const Order& from_order, ValueId to, const Order& to_order) {
  Order perm(from_order.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    perm[static_cast<size_t>(to_order[i])] = from_order[i];
  }
  const std::string name = graph_.values[static_cast<size_t>(to)].name;
  if (const auto sizes = ShapeInstead(TypeOf(from).shape, perm)) {
    Emit(name, fb::ReshapeT{}, {from, AddInt64s(graph_, name + ".shape", *sizes)}, {to});
    return;
  }
  fb::TransposeT transpose;
  transpose.perm.assign(perm.begin(), perm.end());
  Emit(name, std::move(transpose), {from}, {to});
}

ValueId Layout::Plain(ValueId id) {
  if (id == kNoValue || graph_.ConstantOf(id) != nullptr) return id;
  State& state = StateOf(id);
  if (state.plain == kNoValue) {
    PLEAT_CHECK(state.native.has_value(), "a value is made before it is read");
    state.plain = id;
    const Form form = *state.native;
    Reorder(form.id, form.order, id, PlainOrder(form.order.size()));
  }
  return StateOf(id).plain;
}

ValueId Layout::ReorderedConstant(ValueId id, const Order& order) {
  Order perm(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    perm[static_cast<size_t>(order[i])] = static_cast<int>(i);
  fb::TransposeT transpose;
  transpose.perm.assign(perm.begin(), perm.end());
  const Tensor* constant = graph_.ConstantOf(id);
  auto moved = runtime::EvaluateNode(runtime::MakeNode("", std::move(transpose), {0}, {1}),
                                     std::vector<const Tensor*>{constant});
  PLEAT_CHECK(moved.ok(), "a constant can be transposed");
  const std::string name = graph_.values[static_cast<size_t>(id)].name;
  return graph_.AddConstant(name, std::move(moved.value()[0]));
}

ValueId Layout::In(ValueId id, const Order& order) {
  if (id == kNoValue || IsPlain(order)) return Plain(id);
  {
    const State& state = StateOf(id);
    if (state.native && state.native->order == order) return state.native->id;
    const auto found = state.others.find(order);
    if (found != state.others.end()) return found->second;
  }
  ValueId made;
  if (graph_.ConstantOf(id) != nullptr) {
    made = ReorderedConstant(id, order);
  } else {
    made = AddForm(id, order);
    const State& state = StateOf(id);
    const Form from =
        state.plain != kNoValue ? Form{state.plain, PlainOrder(order.size())} : *state.native;
    Reorder(from.id, from.order, made, order);
  }
  StateOf(id).others[order] = made;
  return made;
}

ValueId Layout::Operand(ValueId id, const Order& order) {
  const Shape& shape = TypeOf(id).shape;
  if (shape.size() == order.size()) return In(id, order);
  if (std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size == 1; })) {
    return Plain(id);
  }
  Shape wide(order.size() - shape.size(), 1);
  fb::UnsqueezeT unsqueeze;
  for (size_t i = 0; i < wide.size(); ++i) unsqueeze.axes.push_back(static_cast<int64_t>(i));
  wide.insert(wide.end(), shape.begin(), shape.end());
  const std::string name = graph_.values[static_cast<size_t>(id)].name;
  if (const Tensor* constant = graph_.ConstantOf(id)) {
    return In(graph_.AddConstant(name, constant->Reshaped(wide)), order);
  }
  Type type = TypeOf(id);
  type.shape = wide;
  const ValueId from = Plain(id);
  const ValueId widened = graph_.AddValue(name + ".wide", std::move(type));
  Emit(name + ".wide", std::move(unsqueeze), {from}, {widened});
  StateOf(widened).plain = widened;
  return In(widened, order);
}

ValueId Layout::Make(ValueId id, const Order& order) {
  if (id == kNoValue) return id;
  if (IsPlain(order)) {
    StateOf(id).plain = id;
    return id;
  }
  const ValueId made = AddForm(id, order);
  StateOf(id).native = Form{made, order};
  return made;
}

void Layout::Alias(ValueId id, Form form) {
  if (IsPlain(form.order)) {
    StateOf(id).plain = form.id;
  } else {
    StateOf(id).native = std::move(form);
  }
}

void Layout::Emit(Node node) { nodes_.push_back(std::move(node)); }

void Layout::EmitPlain(Node node) {
  for (ValueId& id : node.inputs) id = Plain(id);
  for (ValueId id : node.outputs) {
    if (id != kNoValue) StateOf(id).plain = id;
  }
  Emit(std::move(node));
}

void Layout::Finish() {
  for (ValueId id : graph_.outputs) {
    const ValueId held = Plain(id);
    if (held == id) continue;
    Emit(graph_.values[static_cast<size_t>(id)].name, fb::IdentityT{}, {held}, {id});
    StateOf(id).plain = id;
  }
  graph_.nodes = std::move(nodes_);
}

}  // namespace pleat::converter
