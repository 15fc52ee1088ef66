// Types from the inputs on, and the graph in double.
#include "runtime/evaluation.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace pleat::runtime {
namespace {

// Numbers worth computing while types are inferred: shapes, indices, small tables.
constexpr int64_t kMaxEvaluatedElements = 4096;

bool SmallAndKnown(const std::vector<Type>& types) {
  for (const Type& type : types) {
    if (!type.Known() || !CheckType(type).ok() ||
        ElementCount(type.shape) > kMaxEvaluatedElements) {
      return false;
    }
  }
  return true;
}

}  // namespace

Status InferGraph(Graph& graph, bool evaluate) {
  double budget = kEvaluationBudget;
  for (Node& node : graph.nodes) {
    const std::string where = node.name + " (" + node.OpName() + ")";
    std::vector<Type> types;
    std::vector<const Tensor*> known;
    bool all_known = true;
    for (ValueId id : node.inputs) {
      types.push_back(id == kNoValue ? Type{} : graph.values[static_cast<size_t>(id)].type);
      known.push_back(graph.ConstantOf(id));
      all_known = all_known && (id == kNoValue || known.back() != nullptr);
    }
    std::vector<Type> outputs(node.outputs.size());
    std::vector<Tensor> values(node.outputs.size());
    for (Graph& subgraph : node.subgraphs) {
      PLEAT_RETURN_IF_ERROR(InferGraph(subgraph, evaluate).In(where));
    }
    InferContext context{node, types, known, outputs, values};
    PLEAT_RETURN_IF_ERROR(RuleOf(node.op.type).infer(context).In(where));
    if (evaluate && all_known && values[0].empty() && node.subgraphs.empty() &&
        SmallAndKnown(outputs)) {
      Result<std::vector<Tensor>> result = EvaluateWithin(node, known, &budget);
      const bool too_much = result.status().code() == StatusCode::kLimitExceeded;
      if (!result.ok() && !too_much) return result.status().In(where);
      if (result.ok()) values = std::move(result).value();
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      Value& value = graph.values[static_cast<size_t>(node.outputs[i])];
      value.type = std::move(outputs[i]);
      PLEAT_RETURN_IF_ERROR(CheckType(value.type).In(where));
      if (evaluate && !values[i].empty()) value.constant = std::move(values[i]);
    }
  }
  if (!evaluate) return Status::Ok();
  // A value that became a constant needs no maker any more.
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    bool constant = true;
    for (ValueId id : node.outputs) {
      constant = constant && (id == kNoValue || graph.ConstantOf(id) != nullptr);
    }
    if (!constant) {
      for (ValueId id : node.outputs) {
        if (id != kNoValue) graph.values[static_cast<size_t>(id)].constant.reset();
      }
      kept.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(kept);
  return Status::Ok();
}

Graph PromoteToDouble(const Graph& graph) {
  const auto promoted = [](ElementType element) {
    return element == ElementType::kFloat32 || element == ElementType::kFloat16 ||
                   element == ElementType::kBFloat16
               ? ElementType::kFloat64
               : element;
  };
  Graph result = graph;
  for (Value& value : result.values) {
    value.type.element = promoted(value.type.element);
    if (value.constant) value.constant = Cast(*value.constant, value.type.element);
  }
  for (Node& node : result.nodes) {
    for (Graph& subgraph : node.subgraphs) subgraph = PromoteToDouble(subgraph);
    if (auto* cast = node.As<fb::CastT>()) {
      cast->to = static_cast<uint8_t>(promoted(static_cast<ElementType>(cast->to)));
    }
    if (auto* fill = node.As<fb::ConstantOfShapeT>()) {
      fill->to = static_cast<uint8_t>(promoted(static_cast<ElementType>(fill->to)));
    }
  }
  return result;
}

}  // namespace pleat::runtime
