#include "converter/passes/rewrite.h"

#include <algorithm>
#include <utility>

#include "kernels/activation.h"

namespace pleat::converter {

namespace {

// In the order of nodes, outputs of the graph (-1) last.
bool Before(int a, int b) { return static_cast<unsigned>(a) < static_cast<unsigned>(b); }

}  // namespace

bool Uses::IsOutput(ValueId id) const {
  const auto& readers = Readers(id);
  return !readers.empty() && readers.back() == -1;
}

int Uses::OnlyReader(ValueId id) const {
  const auto& readers = Readers(id);
  return readers.size() == 1 ? readers[0] : -1;
}

void Uses::Forget(const Graph& graph, size_t index) {
  const Node& node = graph.nodes[index];
  for (ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    auto& readers = readers_[static_cast<size_t>(id)];
    const int reader = static_cast<int>(index);
    const auto found = std::lower_bound(readers.begin(), readers.end(), reader, Before);
    if (found != readers.end() && *found == reader) readers.erase(found);
  }
  for (ValueId id : node.outputs) {
    if (id != kNoValue) makers_[static_cast<size_t>(id)] = -1;
  }
}

void Uses::Learn(const Graph& graph, size_t index) {
  readers_.resize(graph.values.size());
  makers_.resize(graph.values.size(), -1);
  const Node& node = graph.nodes[index];
  for (ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    auto& readers = readers_[static_cast<size_t>(id)];
    const int reader = static_cast<int>(index);
    readers.insert(std::upper_bound(readers.begin(), readers.end(), reader, Before), reader);
  }
  for (ValueId id : node.outputs) {
    if (id != kNoValue) makers_[static_cast<size_t>(id)] = static_cast<int>(index);
  }
}

void Uses::ReplaceUses(Graph& graph, ValueId from, ValueId to) {
  std::vector<int> moved = std::exchange(readers_[static_cast<size_t>(from)], {});
  auto& readers = readers_[static_cast<size_t>(to)];
  const auto middle = static_cast<std::ptrdiff_t>(readers.size());
  readers.insert(readers.end(), moved.begin(), moved.end());
  std::inplace_merge(readers.begin(), readers.begin() + middle, readers.end(), Before);
  for (const int reader : moved) {
    auto& ids = reader < 0 ? graph.outputs : graph.nodes[static_cast<size_t>(reader)].inputs;
    std::replace(ids.begin(), ids.end(), from, to);
  }
}

bool AsksForShape(const Node& node) {
  return node.As<fb::ShapeOfT>() != nullptr || node.As<fb::SizeOfT>() != nullptr;
}

int OnlyReaderOfNumbers(const Graph& graph, const Uses& uses, ValueId id) {
  int only = -1;
  for (const int reader : uses.Readers(id)) {
    if (reader < 0) return -1;
    if (AsksForShape(graph.nodes[static_cast<size_t>(reader)])) continue;
    if (only >= 0) return -1;
    only = reader;
  }
  return only;
}

std::string NameOf(const Graph& graph, const Node& node) {
  if (!node.name.empty() || node.outputs.empty() || node.outputs[0] == kNoValue) return node.name;
  return graph.values[static_cast<size_t>(node.outputs[0])].name;
}

void AddSources(Node& to, const Node& from) {
  for (const std::string& source : from.sources) {
    if (std::find(to.sources.begin(), to.sources.end(), source) == to.sources.end()) {
      to.sources.push_back(source);
    }
  }
}

void Empty(Node& node) {
  node.op.Reset();
  node.inputs.clear();
  node.outputs.clear();
  node.sources.clear();
}

void DropEmptyNodes(Graph& graph) {
  std::erase_if(graph.nodes, [](const Node& node) { return node.op.type == fb::Op::NONE; });
}

void SortNodes(Graph& graph) {
  const std::vector<int> makers = graph.Makers();
  std::vector<char> state(graph.nodes.size(), 0);
  std::vector<size_t> order;
  order.reserve(graph.nodes.size());
  std::vector<std::pair<size_t, size_t>> stack;
  for (size_t root = 0; root < graph.nodes.size(); ++root) {
    if (state[root] != 0) continue;
    state[root] = 1;
    stack.push_back({root, 0});
    while (!stack.empty()) {
      auto& [index, next] = stack.back();
      const Node& node = graph.nodes[index];
      if (next == node.inputs.size()) {
        order.push_back(index);
        stack.pop_back();
        continue;
      }
      const ValueId input = node.inputs[next++];
      const int maker = input == kNoValue ? -1 : makers[static_cast<size_t>(input)];
      if (maker >= 0 && state[static_cast<size_t>(maker)] == 0) {
        state[static_cast<size_t>(maker)] = 1;
        stack.push_back({static_cast<size_t>(maker), 0});
      }
    }
  }
  std::vector<Node> sorted;
  sorted.reserve(order.size());
  for (size_t index : order) sorted.push_back(std::move(graph.nodes[index]));
  graph.nodes = std::move(sorted);
}

ValueId AddDoubles(Graph& graph, const std::string& name, const std::vector<double>& numbers,
                   Shape shape) {
  return graph.AddConstant(name, Tensor::Of<double>(std::move(shape), numbers));
}

ValueId AddInt64s(Graph& graph, const std::string& name, const std::vector<int64_t>& numbers) {
  return graph.AddConstant(name, Tensor::Vector(numbers));
}

ValueId AddTyped(Graph& graph, const std::string& name, Type type) {
  return graph.AddValue(name, std::move(type));
}

std::optional<std::vector<int64_t>> KnownInt64s(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.ConstantOf(id);
  if (tensor == nullptr ||
      (tensor->element() != ElementType::kInt64 && tensor->element() != ElementType::kInt32)) {
    return std::nullopt;
  }
  return runtime::ToInt64s(*tensor);
}

std::optional<double> KnownScalar(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.ConstantOf(id);
  if (tensor == nullptr || tensor->count() != 1) return std::nullopt;
  return runtime::ToDoubles(*tensor)[0];
}

std::optional<std::vector<int64_t>> FieldOrInput(const Graph& graph, const Node& node,
                                                 const std::vector<int64_t>& field,
                                                 size_t position) {
  if (!field.empty() || node.input(position) == kNoValue) return field;
  return KnownInt64s(graph, node.input(position));
}

const Type& TypeOf(const Graph& graph, ValueId id) {
  static const Type kNone = {.ranked = false};  // of a result that nobody wants
  if (id == kNoValue) return kNone;
  return graph.values[static_cast<size_t>(id)].type;
}

bool IsNone(const fb::Activation& activation) {
  return activation.kind() == static_cast<uint8_t>(kernels::UnaryKind::kIdentity);
}

}  // namespace pleat::converter
