#include "runtime/parts.h"

#include <algorithm>
#include <optional>

namespace pleat::runtime {
namespace {

struct Reader {
  int node;
  size_t operand;
};

// The last axis of a value whose size there is known, else -1.
int64_t LastAxis(const Graph& graph, ValueId id) {
  if (id == kNoValue) return -1;
  const Type& type = graph.values[static_cast<size_t>(id)].type;
  if (!type.ranked || type.shape.size() < 2 || type.shape.back() <= 0) return -1;
  return type.rank() - 1;
}

bool AlongLast(const Graph& graph, ValueId id, int64_t axis) {
  const int64_t last = LastAxis(graph, id);
  return last >= 0 && (axis < 0 ? axis + last + 1 : axis) == last;
}

bool IsConcat(const Graph& graph, const Node& node) {
  const auto* fields = node.As<fb::ConcatT>();
  return fields != nullptr && node.inputs.size() > 1 &&
         AlongLast(graph, node.outputs[0], fields->axis);
}

bool IsSplit(const Graph& graph, const Node& node) {
  const auto* fields = node.As<fb::SplitT>();
  return fields != nullptr && node.outputs.size() > 1 &&
         AlongLast(graph, node.input(0), fields->axis);
}

// The first element along the last axis of what a Slice cuts out of that axis alone, element by
// element; -1 for any other node.
int64_t SliceBegin(const Graph& graph, const Node& node) {
  if (node.As<fb::SliceT>() == nullptr) return -1;
  const auto number = [&](size_t operand) -> std::optional<int64_t> {
    const Tensor* constant = graph.ConstantOf(node.input(operand));
    if (constant == nullptr || constant->count() != 1) return std::nullopt;
    return ToInt64s(*constant)[0];
  };
  const std::optional<int64_t> start = number(1), end = number(2), axis = number(3);
  if (!start || !end || !axis || (node.input(4) != kNoValue && number(4) != 1)) return -1;
  if (!AlongLast(graph, node.input(0), *axis) || LastAxis(graph, node.outputs[0]) < 0) return -1;
  const int64_t size = graph.values[static_cast<size_t>(node.inputs[0])].type.shape.back();
  return std::max<int64_t>(*start < 0 ? *start + size : *start, -1);
}

bool IsConv(const Node& node) {
  const auto* fields = node.As<fb::ConvT>();
  return fields != nullptr && fields->channels_last;
}

bool IsPool(const Node& node) {
  const auto* fields = node.As<fb::PoolT>();
  return fields != nullptr && fields->channels_last && node.outputs.size() == 1;
}

bool IsConvTranspose(const Node& node) {
  const auto* fields = node.As<fb::ConvTransposeT>();
  return fields != nullptr && fields->channels_last;
}

// Operators that have output pixels of any distance, and those that have such input pixels.
bool WritesParts(const Node& node) {
  return IsConv(node) || IsConvTranspose(node) || IsPool(node);
}
bool ReadsPart(const Node& node, size_t operand) {
  return (IsConv(node) && (operand == 0 || operand == 3)) || IsPool(node);
}

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), maker_(graph.Makers()) {
    const size_t count = graph.values.size();
    parts_.of.resize(count);
    parts_.held.resize(graph.nodes.size());
    readers_.resize(count);
    fixed_.assign(count, 0);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& node = graph.nodes[n];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == kNoValue) continue;
        readers_[static_cast<size_t>(node.inputs[i])].push_back({static_cast<int>(n), i});
      }
      // What subgraphs read has to be whole.
      if (node.subgraphs.empty()) continue;
      for (ValueId id : node.inputs) {
        if (id != kNoValue) fixed_[static_cast<size_t>(id)] = 1;
      }
    }
    for (ValueId id : graph.outputs) fixed_[static_cast<size_t>(id)] = 1;
    for (size_t id = 0; id < count; ++id) {
      if (!ReadInPlace(static_cast<ValueId>(id))) fixed_[id] = 1;
    }
  }

  Parts Find() {
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      const Node& node = graph_.nodes[n];
      if (IsConcat(graph_, node)) Join(n, node);
      if (IsSplit(graph_, node)) Cut(n, node, 0);
      if (const int64_t begin = SliceBegin(graph_, node); begin >= 0) Cut(n, node, begin);
    }
    for (size_t id = 0; id < parts_.of.size(); ++id) Resolve(static_cast<ValueId>(id));
    return std::move(parts_);
  }

 private:
  const Node& NodeAt(int n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  int64_t Channels(ValueId id) const {
    return graph_.values[static_cast<size_t>(id)].type.shape.back();
  }

  // Whether all that read a value can read it inside another one.
  bool ReadInPlace(ValueId id) const {
    const auto index = static_cast<size_t>(id);
    if (LastAxis(graph_, id) < 0 ||
        graph_.values[index].type.element != ElementType::kFloat32) {
      return false;
    }
    return std::all_of(readers_[index].begin(), readers_[index].end(), [&](const Reader& reader) {
      const Node& node = NodeAt(reader.node);
      const bool cut =
          reader.operand == 0 && (IsSplit(graph_, node) || SliceBegin(graph_, node) >= 0);
      return cut || IsConcat(graph_, node) || ReadsPart(node, reader.operand);
    });
  }

  bool CanBePart(ValueId id) const {
    const int maker = maker_[static_cast<size_t>(id)];
    return maker >= 0 && (WritesParts(NodeAt(maker)) || IsConcat(graph_, NodeAt(maker))) &&
           !fixed_[static_cast<size_t>(id)] && !parts_.IsPart(id);
  }

  // A Concat before node n, among the last few, whose operands are the first ones of `inputs`; -1
  // for none.
  int FindStart(size_t n, const std::vector<ValueId>& inputs) const {
    const std::vector<Reader>& readers = readers_[static_cast<size_t>(inputs[0])];
    auto reader = std::lower_bound(
        readers.begin(), readers.end(), static_cast<int>(n),
        [](const Reader& before, int node) { return before.node < node; });
    for (int left = 16; left > 0 && reader != readers.begin(); --left) {
      --reader;
      const Node& node = NodeAt(reader->node);
      if (reader->operand == 0 && IsConcat(graph_, node) && node.inputs.size() < inputs.size() &&
          std::equal(node.inputs.begin(), node.inputs.end(), inputs.begin()) &&
          CanBePart(node.outputs[0])) {
        return reader->node;
      }
    }
    return -1;
  }

  void Join(size_t n, const Node& node) {
    const std::vector<ValueId>& inputs = node.inputs;
    const bool known = std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) {
      return LastAxis(graph_, id) == LastAxis(graph_, node.outputs[0]);
    });
    if (!known) return;
    std::vector<char>& held = parts_.held[n];
    held.assign(inputs.size(), 0);
    size_t next = 0;
    int64_t begin = 0;
    if (const int start = FindStart(n, inputs); start >= 0) {
      const Node& first = NodeAt(start);
      parts_.of[static_cast<size_t>(first.outputs[0])] = {node.outputs[0], 0};
      for (; next < first.inputs.size(); ++next) {
        held[next] = 1;
        begin += Channels(inputs[next]);
      }
    }
    std::vector<ValueId> sorted = inputs;
    std::sort(sorted.begin(), sorted.end());
    for (; next < inputs.size(); ++next) {
      const ValueId id = inputs[next];
      const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), id);
      if (last - first == 1 && CanBePart(id)) {
        parts_.of[static_cast<size_t>(id)] = {node.outputs[0], begin};
        held[next] = 1;
      }
      begin += Channels(id);
    }
  }

  void Cut(size_t n, const Node& node, int64_t begin) {
    const ValueId whole = node.inputs[0];
    if (maker_[static_cast<size_t>(whole)] < 0) return;
    std::vector<char>& held = parts_.held[n];
    held.assign(node.outputs.size(), 0);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (LastAxis(graph_, id) < 0) return;  // what follows lies who knows where
      if (!fixed_[static_cast<size_t>(id)] && !parts_.IsPart(id)) {
        parts_.of[static_cast<size_t>(id)] = {whole, begin};
        held[i] = 1;
      }
      begin += Channels(id);
    }
  }

  void Resolve(ValueId id) {
    if (!parts_.IsPart(id)) return;
    ValueId outermost = id;
    while (parts_.IsPart(outermost)) {
      outermost = parts_.of[static_cast<size_t>(outermost)].whole;
    }
    parts_.of[static_cast<size_t>(id)].step = Channels(outermost);
  }

  const Graph& graph_;
  const std::vector<int> maker_;  // node, by value
  Parts parts_;
  std::vector<std::vector<Reader>> readers_;
  std::vector<char> fixed_;  // values that cannot be parts
};

}  // namespace

Parts FindParts(const Graph& graph) { return Finder(graph).Find(); }

}  // namespace pleat::runtime
