// Before: Reshape and Expand to a shape computed from sizes of which some are not known yet, such
// as
//   Reshape(x, Concat(ShapeOf(x)[0], 2, 58, 28, 28)); computed lists that turn out to be known
// After:  Reshape to a constant with 0 where x's size is copied and -1 where one remains, Expand to
//   a constant with 1 where x's size stays; constants
// Condition: each unknown entry is proved to be a size of x at that place, or it is the only one of
//   a Reshape. Goes on until nothing changes, since types behind become known.
#include <algorithm>
#include <limits>
#include <map>

#include "converter/passes/passes.h"
#include "converter/passes/sizes.h"

namespace pleat::converter {
namespace {

constexpr size_t kMaxEntries = 64;
constexpr int64_t kUnknownToken = 1;

// A number in a list: `value` when token is 0; the size that a negative token of Sizes stands for;
// or unknown.
struct Entry {
  int64_t value = 0;
  int64_t token = 0;
  bool known() const { return token == 0; }
};
using Entries = std::vector<Entry>;

class Lists {
 public:
  Lists(const Graph& graph, const Sizes& sizes) : graph_(graph), sizes_(sizes) {}

  // The entries of a list or number of integers; nothing when they cannot be followed.
  std::optional<Entries> Of(ValueId id) const {
    const auto found = lists_.find(id);
    if (found != lists_.end()) return found->second;
    const auto known = KnownInt64s(graph_, id);
    if (!known || known->size() > kMaxEntries) return std::nullopt;
    Entries entries;
    for (int64_t value : *known) entries.push_back({value});
    return entries;
  }

  // Follows a node.
  void Add(const Node& node) {
    auto entries = Derive(node);
    if (entries && entries->size() <= kMaxEntries) lists_[node.outputs[0]] = std::move(*entries);
  }

 private:
  std::optional<Entries> Derive(const Node& node) const {
    if (const auto* shape = node.As<fb::ShapeOfT>()) return Shape(node, *shape);
    const bool copies = node.As<fb::IdentityT>() != nullptr || node.As<fb::CastT>() != nullptr ||
                        node.As<fb::UnsqueezeT>() != nullptr ||
                        node.As<fb::SqueezeT>() != nullptr || node.As<fb::ReshapeT>() != nullptr;
    const Type& type = TypeOf(graph_, node.outputs[0]);
    if (type.element != ElementType::kInt64 && type.element != ElementType::kInt32) {
      return std::nullopt;
    }
    if (copies) return Of(node.inputs[0]);
    if (node.As<fb::ConcatT>() != nullptr && type.rank() == 1) return Concat(node);
    if (node.As<fb::GatherT>() != nullptr && TypeOf(graph_, node.inputs[0]).rank() == 1) {
      return Gather(node);
    }
    if (node.As<fb::SliceT>() != nullptr && type.rank() == 1) return Slice(node);
    if (const auto* binary = node.As<fb::BinaryT>()) return Binary(node, binary->kind);
    return std::nullopt;
  }

  std::optional<Entries> Shape(const Node& node, const fb::ShapeOfT& fields) const {
    const Type& type = TypeOf(graph_, node.inputs[0]);
    if (!type.ranked) return std::nullopt;
    const int64_t rank = type.rank();
    const auto place = [rank](int64_t axis) {
      return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
    };
    Entries entries;
    for (int64_t i = place(fields.start); i < place(fields.end); ++i) {
      const int64_t token = sizes_.Of(node.inputs[0])[static_cast<size_t>(i)];
      entries.push_back(token >= 0 ? Entry{token} : Entry{0, token});
    }
    return entries;
  }

  std::optional<Entries> Concat(const Node& node) const {
    Entries all;
    for (ValueId id : node.inputs) {
      const auto part = Of(id);
      if (!part) return std::nullopt;
      all.insert(all.end(), part->begin(), part->end());
    }
    return all;
  }

  std::optional<Entries> Gather(const Node& node) const {
    const auto data = Of(node.inputs[0]);
    const auto indices = KnownInt64s(graph_, node.inputs[1]);
    if (!data || !indices || indices->size() > kMaxEntries) return std::nullopt;
    Entries taken;
    const auto size = static_cast<int64_t>(data->size());
    for (int64_t index : *indices) {
      if (index < -size || index >= size) return std::nullopt;
      taken.push_back((*data)[static_cast<size_t>(index < 0 ? index + size : index)]);
    }
    return taken;
  }

  std::optional<Entries> Slice(const Node& node) const {
    const auto data = Of(node.inputs[0]);
    const auto start = KnownInt64s(graph_, node.inputs[1]);
    const auto end = KnownInt64s(graph_, node.inputs[2]);
    const auto step = KnownInt64s(graph_, node.input(4));
    const bool plain = node.input(4) == kNoValue || (step && step->size() == 1 && (*step)[0] == 1);
    if (!data || !start || !end || !plain || start->size() != 1 || end->size() != 1) {
      return std::nullopt;
    }
    const auto size = static_cast<int64_t>(data->size());
    const auto place = [size](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
    };
    const int64_t first = place((*start)[0]), last = std::max(first, place((*end)[0]));
    return Entries(data->begin() + first, data->begin() + last);
  }

  std::optional<Entries> Binary(const Node& node, fb::BinaryKind kind) const {
    const auto a = Of(node.inputs[0]), b = Of(node.inputs[1]);
    if (!a || !b || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) {
      return std::nullopt;
    }
    Entries results;
    for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
      const Entry& x = (*a)[a->size() == 1 ? 0 : i];
      const Entry& y = (*b)[b->size() == 1 ? 0 : i];
      results.push_back(Compute(kind, x, y));
    }
    return results;
  }

  static Entry Compute(fb::BinaryKind kind, const Entry& x, const Entry& y) {
    const Entry unknown{0, kUnknownToken};
    if (!x.known() || !y.known()) {
      const bool unit =
          (kind == fb::BinaryKind::Mul || kind == fb::BinaryKind::Div) && y.known() && y.value == 1;
      const bool zero =
          (kind == fb::BinaryKind::Add || kind == fb::BinaryKind::Sub) && y.known() && y.value == 0;
      return unit || zero ? x : unknown;
    }
    int64_t value = 0;
    switch (kind) {
      case fb::BinaryKind::Add:
        return __builtin_add_overflow(x.value, y.value, &value) ? unknown : Entry{value};
      case fb::BinaryKind::Sub:
        return __builtin_sub_overflow(x.value, y.value, &value) ? unknown : Entry{value};
      case fb::BinaryKind::Mul:
        return __builtin_mul_overflow(x.value, y.value, &value) ? unknown : Entry{value};
      case fb::BinaryKind::Div:
        return x.value < 0 || y.value <= 0 ? unknown : Entry{x.value / y.value};
      default:
        return unknown;
    }
  }

  const Graph& graph_;
  const Sizes& sizes_;
  std::map<ValueId, Entries> lists_;
};

// Sets the result of a node that is known in full. False when it is not.
bool SetKnown(Graph& graph, Node& node, const Entries& entries) {
  Value& value = graph.values[static_cast<size_t>(node.outputs[0])];
  if (value.constant || !value.type.Known() ||
      runtime::ElementCount(value.type.shape) != static_cast<int64_t>(entries.size()) ||
      !std::all_of(entries.begin(), entries.end(), [](const Entry& e) { return e.known(); })) {
    return false;
  }
  std::vector<int64_t> numbers;
  for (const Entry& entry : entries) numbers.push_back(entry.value);
  value.constant = Cast(Tensor::Of<int64_t>(value.type.shape, numbers), value.type.element);
  Empty(node);
  return true;
}

bool SetReshape(Graph& graph, const Sizes& sizes, Node& node, const Entries& entries) {
  const auto& x = sizes.Of(node.inputs[0]);
  const bool copies = !node.As<fb::ReshapeT>()->allow_zero;
  std::vector<int64_t> shape;
  int open = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const bool same = entry.token < 0 && copies && i < x.size() && x[i] == entry.token;
    shape.push_back(entry.known() ? entry.value : same ? 0 : -1);
    open += shape.back() == -1 ? 1 : 0;
  }
  if (open > 1) return false;
  node.inputs[1] = AddInt64s(graph, NameOf(graph, node) + ".shape", shape);
  return true;
}

bool SetExpand(Graph& graph, const Sizes& sizes, Node& node, const Entries& entries) {
  const auto& x = sizes.Of(node.inputs[0]);
  std::vector<int64_t> shape;
  for (size_t i = 0; i < entries.size(); ++i) {
    const size_t from_last = entries.size() - 1 - i;
    const bool same = entries[i].token < 0 && from_last < x.size() &&
                      x[x.size() - 1 - from_last] == entries[i].token;
    if (!entries[i].known() && !same) return false;
    shape.push_back(same ? 1 : entries[i].value);
  }
  node.inputs[1] = AddInt64s(graph, NameOf(graph, node) + ".shape", shape);
  return true;
}

bool SimplifyOnce(Graph& graph) {
  const Sizes sizes(graph);
  Lists lists(graph, sizes);
  bool changed = false;
  for (Node& node : graph.nodes) {
    if (node.outputs[0] == kNoValue) continue;
    lists.Add(node);
    if (const auto entries = lists.Of(node.outputs[0])) {
      changed = SetKnown(graph, node, *entries) || changed;
      continue;
    }
    const bool reshape = node.As<fb::ReshapeT>() != nullptr;
    if ((!reshape && node.As<fb::ExpandT>() == nullptr) ||
        graph.ConstantOf(node.inputs[1]) != nullptr) {
      continue;
    }
    const auto entries = lists.Of(node.inputs[1]);
    if (!entries || !TypeOf(graph, node.inputs[0]).ranked) continue;
    changed = (reshape ? SetReshape(graph, sizes, node, *entries)
                       : SetExpand(graph, sizes, node, *entries)) ||
              changed;
  }
  DropEmptyNodes(graph);
  return changed;
}

}  // namespace

Status SimplifyShapes(Graph& graph) {
  while (SimplifyOnce(graph)) {
    PLEAT_RETURN_IF_ERROR(runtime::InferGraph(graph, /*evaluate=*/true));
  }
  graph.EliminateDead();
  return Status::Ok();
}

}  // namespace pleat::converter
