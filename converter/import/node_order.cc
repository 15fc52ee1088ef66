#include "converter/import/node_order.h"

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>

#include "converter/import/text.h"

namespace pleat::converter {
namespace {

using runtime::InvalidModel;
using runtime::Result;
using runtime::Status;

constexpr int kFromOutside = -1;

using Makers = std::unordered_map<std::string, int>;

void CollectFreeNames(const onnx::GraphProto& graph, std::set<std::string>* free) {
  std::set<std::string> read;
  for (const auto& node : graph.node()) {
    for (const std::string& name : NamesRead(node)) read.insert(name);
  }
  for (const auto& output : graph.output()) read.insert(output.name());
  for (const auto& input : graph.input()) read.erase(input.name());
  for (const auto& tensor : graph.initializer()) read.erase(tensor.name());
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.output()) read.erase(name);
  }
  free->insert(read.begin(), read.end());
}

Result<Makers> MakersOf(const onnx::GraphProto& graph) {
  Makers makers;
  for (const auto& input : graph.input()) {
    if (input.name().empty()) return InvalidModel("a graph input has no name");
    if (!makers.emplace(input.name(), kFromOutside).second) {
      return InvalidModel("graph input " + Quoted(input.name()) + " appears twice");
    }
  }
  std::set<std::string> initializers;
  const auto add_initializer = [&](const std::string& name) -> Status {
    if (!initializers.insert(name).second) {
      return InvalidModel("initializer " + Quoted(name) + " appears twice");
    }
    makers.emplace(name, kFromOutside);
    return Status::Ok();
  };
  for (const auto& tensor : graph.initializer()) {
    PLEAT_RETURN_IF_ERROR(add_initializer(tensor.name()));
  }
  for (const auto& tensor : graph.sparse_initializer()) {
    PLEAT_RETURN_IF_ERROR(add_initializer(tensor.values().name()));
  }
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& name : graph.node(i).output()) {
      if (name.empty()) continue;
      if (!makers.emplace(name, i).second) {
        return InvalidModel(NodeText(graph.node(i)) + ": its output " + Quoted(name) +
                            " already has a maker");
      }
    }
  }
  return makers;
}

std::string CycleText(const onnx::GraphProto& graph, const std::vector<std::vector<int>>& makers,
                      const std::vector<int>& waiting) {
  constexpr size_t kLongest = 8;
  int at = 0;
  while (waiting[static_cast<size_t>(at)] == 0) ++at;
  std::vector<int> path;
  std::vector<int> seen(waiting.size(), -1);
  while (seen[static_cast<size_t>(at)] < 0) {
    seen[static_cast<size_t>(at)] = static_cast<int>(path.size());
    path.push_back(at);
    const auto& before = makers[static_cast<size_t>(at)];
    at = *std::find_if(before.begin(), before.end(), [&](int maker) {
      return waiting[static_cast<size_t>(maker)] > 0;  // who waits waits for one that waits
    });
  }
  std::string text;
  const auto first = static_cast<size_t>(seen[static_cast<size_t>(at)]);
  for (size_t i = path.size(); i-- > first;) {
    if (path.size() - i > kLongest) {
      text += "... -> ";
      break;
    }
    text += NodeText(graph.node(path[i])) + " -> ";
  }
  return text + NodeText(graph.node(path.back()));
}

}  // namespace

std::string NodeName(const onnx::NodeProto& node) {
  return Printable(node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name());
}

std::string NodeText(const onnx::NodeProto& node) {
  return NodeName(node) + " (" + Printable(node.op_type()) + ")";
}

std::string OperatorText(const onnx::NodeProto& node, const onnx::ModelProto& model,
                         int64_t opset) {
  const std::string text = "(" + Printable(node.op_type()) + ") of ";
  if (node.domain().empty() || node.domain() == "ai.onnx") {
    return text + "ai.onnx " + std::to_string(opset);
  }
  for (const auto& import : model.opset_import()) {
    if (import.domain() != node.domain()) continue;
    return text + Printable(node.domain()) + " " + std::to_string(import.version());
  }
  return text + Printable(node.domain());
}

std::vector<std::string> NamesRead(const onnx::NodeProto& node) {
  std::set<std::string> free;
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) CollectFreeNames(attribute.g(), &free);
    for (const auto& graph : attribute.graphs()) CollectFreeNames(graph, &free);
  }
  std::vector<std::string> names(free.begin(), free.end());
  for (const std::string& name : node.input()) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

Result<std::vector<int>> NodesInOrder(const onnx::GraphProto& graph,
                                      const std::function<bool(const std::string&)>& is_outer) {
  PLEAT_ASSIGN_OR_RETURN(const Makers makers, MakersOf(graph));
  const auto count = static_cast<size_t>(graph.node_size());
  std::vector<std::vector<int>> makers_of(count);
  std::vector<std::vector<int>> readers_of(count);
  std::vector<int> waiting(count, 0);
  for (size_t i = 0; i < count; ++i) {
    const onnx::NodeProto& node = graph.node(static_cast<int>(i));
    for (const std::string& name : NamesRead(node)) {
      const auto found = makers.find(name);
      if (found == makers.end()) {
        if (is_outer(name)) continue;
        return InvalidModel(NodeText(node) + ": nothing makes its input " + Quoted(name));
      }
      if (found->second == kFromOutside) continue;
      makers_of[i].push_back(found->second);
      readers_of[static_cast<size_t>(found->second)].push_back(static_cast<int>(i));
      ++waiting[i];
    }
  }

  std::vector<bool> live(count, false);
  std::vector<int> pending;
  const auto mark = [&](int node) {
    if (live[static_cast<size_t>(node)]) return;
    live[static_cast<size_t>(node)] = true;
    pending.push_back(node);
  };
  std::set<std::string> outputs;
  for (const auto& output : graph.output()) {
    if (!outputs.insert(output.name()).second) {
      return InvalidModel("graph output " + Quoted(output.name()) + " appears twice");
    }
    const auto found = makers.find(output.name());
    if (found == makers.end() && !is_outer(output.name())) {
      return InvalidModel("nothing makes graph output " + Quoted(output.name()));
    }
    if (found != makers.end() && found->second != kFromOutside) mark(found->second);
  }
  while (!pending.empty()) {
    const auto node = static_cast<size_t>(pending.back());
    pending.pop_back();
    for (const int maker : makers_of[node]) mark(maker);
  }

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i) {
    if (waiting[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<int> order;
  size_t done = 0;
  for (; !ready.empty(); ++done) {
    const int node = ready.top();
    ready.pop();
    if (live[static_cast<size_t>(node)]) order.push_back(node);
    for (const int reader : readers_of[static_cast<size_t>(node)]) {
      if (--waiting[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (done < count) {
    return InvalidModel("the graph has a cycle: " + CycleText(graph, makers_of, waiting));
  }
  return order;
}

}  // namespace pleat::converter
