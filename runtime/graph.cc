#include "runtime/graph.h"

#include <algorithm>
#include <unordered_set>

namespace pleat::runtime {

ValueId Graph::AddValue(std::string name, Type type) {
  values.push_back({.name = std::move(name), .type = std::move(type)});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::AddConstant(std::string name, Tensor tensor) {
  const ValueId id = AddValue(std::move(name), tensor.type());
  values.back().constant = std::move(tensor);
  return id;
}

const Tensor* Graph::ConstantOf(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const std::optional<Tensor>& constant = values[static_cast<size_t>(id)].constant;
  return constant ? &*constant : nullptr;
}

std::vector<std::vector<int>> Graph::Readers() const {
  std::vector<std::vector<int>> readers(values.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId id : nodes[n].inputs) {
      if (id != kNoValue) readers[static_cast<size_t>(id)].push_back(static_cast<int>(n));
    }
  }
  for (ValueId id : outputs) readers[static_cast<size_t>(id)].push_back(-1);
  return readers;
}

std::vector<int> Graph::Makers() const {
  std::vector<int> makers(values.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId id : nodes[n].outputs) {
      if (id != kNoValue) makers[static_cast<size_t>(id)] = static_cast<int>(n);
    }
  }
  return makers;
}

void Graph::EliminateDead() {
  std::vector<char> used(values.size(), 0);
  for (ValueId id : inputs) used[static_cast<size_t>(id)] = 1;
  for (ValueId id : outputs) used[static_cast<size_t>(id)] = 1;
  std::vector<Node> kept;
  for (size_t n = nodes.size(); n-- > 0;) {
    Node& node = nodes[n];
    const bool live = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && used[static_cast<size_t>(id)];
    });
    if (!live) continue;
    for (ValueId id : node.inputs) {
      if (id != kNoValue) used[static_cast<size_t>(id)] = 1;
    }
    for (ValueId id : node.outputs) {
      if (id != kNoValue) used[static_cast<size_t>(id)] = 1;
    }
    kept.push_back(std::move(node));
  }
  std::reverse(kept.begin(), kept.end());
  nodes = std::move(kept);

  std::vector<ValueId> renumbered(values.size(), kNoValue);
  std::vector<Value> kept_values;
  for (size_t id = 0; id < values.size(); ++id) {
    if (!used[id]) continue;
    renumbered[id] = static_cast<ValueId>(kept_values.size());
    kept_values.push_back(std::move(values[id]));
  }
  values = std::move(kept_values);
  const auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = renumbered[static_cast<size_t>(id)];
    }
  };
  renumber(inputs);
  renumber(outputs);
  for (Node& node : nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
}

namespace {

std::string Where(const Node& node) { return node.name + " (" + node.OpName() + ")"; }

Status CheckGraph(const Graph& graph, int depth);

Status CheckSubgraphs(const Node& node, int depth) {
  if (node.subgraphs.empty()) return Status::Ok();
  const bool runs_them = node.op.type == fb::Op::If || node.op.type == fb::Op::Loop ||
                         node.op.type == fb::Op::Scan;
  if (!runs_them) return InvalidModel("an operator without subgraphs has some");
  if (depth >= kMaxSubgraphDepth) {
    return LimitExceeded("subgraphs lie more than " + std::to_string(kMaxSubgraphDepth) + " deep");
  }
  for (const Graph& subgraph : node.subgraphs) {
    PLEAT_RETURN_IF_ERROR(CheckGraph(subgraph, depth + 1));
  }
  return Status::Ok();
}

Status CheckGraph(const Graph& graph, int depth) {
  const int count = static_cast<int>(graph.values.size());
  const auto in_range = [&](ValueId id) { return id >= 0 && id < count; };
  std::vector<char> made(graph.values.size(), 0);
  std::unordered_set<std::string> names;

  for (size_t id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    PLEAT_RETURN_IF_ERROR(CheckType(value.type).In("value " + value.name));
    if (!value.constant) continue;
    if (value.constant->type() != value.type) {
      return InvalidModel("constant " + value.name + ": expected " + TypeText(value.type) +
                          ", got " + TypeText(value.constant->type()));
    }
    made[id] = 1;
  }
  for (ValueId id : graph.inputs) {
    if (!in_range(id)) return InvalidModel("a graph input names no value");
    const Value& value = graph.values[static_cast<size_t>(id)];
    if (made[static_cast<size_t>(id)]) {
      return InvalidModel("graph input " + value.name + " is made twice");
    }
    if (!names.insert(value.name).second) {
      return InvalidModel("two graph inputs are called " + value.name);
    }
    if (!value.symbols.empty() && value.symbols.size() != value.type.shape.size()) {
      return InvalidModel("graph input " + value.name + " names as many sizes as it has not");
    }
    made[static_cast<size_t>(id)] = 1;
  }
  for (const Node& node : graph.nodes) {
    if (node.op.value == nullptr) {
      return InvalidModel("node " + node.name + " has no operator");
    }
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      if (!in_range(id)) return InvalidModel(Where(node) + ": an input names no value");
      if (!made[static_cast<size_t>(id)]) {
        return InvalidModel(Where(node) + ": input " + graph.values[static_cast<size_t>(id)].name +
                            " is read before it is made");
      }
    }
    if (std::all_of(node.outputs.begin(), node.outputs.end(),
                    [](ValueId id) { return id == kNoValue; })) {
      return InvalidModel(Where(node) + ": no outputs");
    }
    PLEAT_RETURN_IF_ERROR(CheckSubgraphs(node, depth).In(Where(node)));
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (!in_range(id)) return InvalidModel(Where(node) + ": an output names no value");
      if (made[static_cast<size_t>(id)]) {
        return InvalidModel(Where(node) + ": output " + graph.values[static_cast<size_t>(id)].name +
                            " is made twice");
      }
      made[static_cast<size_t>(id)] = 1;
    }
  }
  if (graph.outputs.empty()) return InvalidModel("the graph has no outputs");
  for (ValueId id : graph.outputs) {
    if (!in_range(id)) return InvalidModel("a graph output names no value");
    if (!made[static_cast<size_t>(id)]) {
      return InvalidModel("graph output " + graph.values[static_cast<size_t>(id)].name +
                          " is never made");
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckGraph(const Graph& graph) { return CheckGraph(graph, 0); }

}  // namespace pleat::runtime
