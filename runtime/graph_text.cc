#include <sstream>

#include "runtime/graph.h"

namespace pleat::runtime {

namespace {

std::string IndentedText(const Graph& graph, const std::string& indent) {
  std::ostringstream text;
  const auto name = [&](ValueId id) {
    return id == kNoValue ? std::string("_") : "%" + graph.values[static_cast<size_t>(id)].name;
  };
  const auto list = [&](const std::vector<ValueId>& ids, bool types) {
    std::string result;
    for (ValueId id : ids) {
      if (!result.empty()) result += ", ";
      result += name(id);
      if (types && id != kNoValue) {
        result += ": " + TypeText(graph.values[static_cast<size_t>(id)].type);
      }
    }
    return result;
  };
  text << indent << "graph " << graph.name << "(" << list(graph.inputs, true) << ")\n";
  for (const Node& node : graph.nodes) {
    text << indent << "  " << list(node.outputs, true) << " = " << node.OpName() << "("
         << list(node.inputs, false) << ")\n";
    for (const Graph& subgraph : node.subgraphs) text << IndentedText(subgraph, indent + "    ");
  }
  text << indent << "  return " << list(graph.outputs, false) << "\n";
  return text.str();
}

}  // namespace

std::string GraphText(const Graph& graph) { return IndentedText(graph, ""); }

}  // namespace pleat::runtime
