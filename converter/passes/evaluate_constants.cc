// Before: constants -> a node -> y
// After:  y is a constant
// Condition: every operand is known, and the result is small, or at most a few times as large as
//   what it is made from, and all results together stay within a like bound.
#include <algorithm>
#include <set>

#include "converter/passes/batch_norms.h"
#include "converter/passes/passes.h"
#include "runtime/checked.h"
#include "runtime/evaluation.h"

namespace pleat::converter {
namespace {

constexpr int64_t kSmallBytes = int64_t{1} << 24;
constexpr int64_t kTotalBytes = int64_t{1} << 28;
constexpr int64_t kGrowth = 8;

std::set<std::string> SourcesOf(const Graph& graph) {
  std::set<std::string> sources;
  for (const Node& node : graph.nodes) sources.insert(node.sources.begin(), node.sources.end());
  return sources;
}

// Types, and constants that follow from them; says so of batch norms that become one.
Status Infer(Graph& graph) {
  const std::set<std::string> before = SourcesOf(graph);
  PLEAT_RETURN_IF_ERROR(runtime::InferGraph(graph, /*evaluate=*/true));
  const std::set<std::string> after = SourcesOf(graph);
  Node gone;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(gone.sources));
  BatchNorms(graph).MarkFolded(gone, "constant", "");
  return Status::Ok();
}

}  // namespace

Status EvaluateConstants(Graph& graph) {
  PLEAT_RETURN_IF_ERROR(Infer(graph));
  runtime::Checked budget = kTotalBytes;
  for (const Value& value : graph.values) {
    if (value.constant) budget = budget + static_cast<int64_t>(value.constant->bytes()) * kGrowth;
  }
  int64_t left = budget.value_or(kTotalBytes);
  double work = runtime::kEvaluationBudget;
  BatchNorms norms(graph);
  for (Node& node : graph.nodes) {
    std::vector<const Tensor*> operands;
    int64_t source_bytes = 0, bytes = 0;
    bool known = node.subgraphs.empty();
    for (ValueId id : node.inputs) {
      operands.push_back(graph.ConstantOf(id));
      known = known && (id == kNoValue || operands.back() != nullptr);
      if (operands.back() != nullptr)
        source_bytes += static_cast<int64_t>(operands.back()->bytes());
    }
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      known = known && TypeOf(graph, id).Known();
      if (known) bytes += static_cast<int64_t>(ByteSize(TypeOf(graph, id)));
      known = known && bytes <= left;
    }
    if (!known || bytes > std::max(kSmallBytes, source_bytes * kGrowth)) continue;
    auto results = runtime::EvaluateWithin(node, operands, &work);
    if (results.status().code() == runtime::StatusCode::kLimitExceeded) continue;
    if (!results.ok()) return results.status().In(node.name + " (" + node.OpName() + ")");
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      Value& value = graph.values[static_cast<size_t>(node.outputs[i])];
      value.constant = std::move(results.value()[i]);
      value.type = value.constant->type();
    }
    left -= bytes;
    norms.MarkFolded(node, "constant", "");
    Empty(node);
  }
  DropEmptyNodes(graph);
  return Infer(graph);
}

}  // namespace pleat::converter
