// Before: float64 weights, biases, scales and shifts of operators that make float32; equal
//   constants under several ids
// After:  the same numbers rounded to float32, once; one constant
// Condition: constants are equal when type, shape and every byte are.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "converter/passes/fold_weights.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace pleat::converter {
namespace {

bool HasTapBias(const Node& node) {
  return node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr;
}

// Any result may be unwanted, but not all.
bool MakesFloat32(const Graph& graph, const Node& node) {
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id != kNoValue && TypeOf(graph, id).element == ElementType::kFloat32;
  });
}

}  // namespace

Status RoundConstants(Graph& graph) {
  std::unordered_map<ValueId, ValueId> rounded;
  for (Node& node : graph.nodes) {
    const bool folds = node.As<fb::ConvT>() != nullptr || node.As<fb::MatMulT>() != nullptr ||
                       node.As<fb::ConvTransposeT>() != nullptr ||
                       node.As<fb::ScaleShiftT>() != nullptr ||
                       node.As<fb::BinaryT>() != nullptr || node.As<fb::ConcatT>() != nullptr ||
                       node.As<fb::GatherT>() != nullptr || node.As<fb::LayerNormT>() != nullptr ||
                       node.As<fb::RecurrentT>() != nullptr ||
                       node.As<fb::InstanceNormT>() != nullptr;
    if (!folds || !MakesFloat32(graph, node)) continue;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (HasTapBias(node) && i == TapBiasPosition(node)) continue;
      const Tensor* constant = graph.ConstantOf(node.inputs[i]);
      if (constant == nullptr || constant->element() != ElementType::kFloat64) continue;
      auto [place, added] = rounded.emplace(node.inputs[i], kNoValue);
      if (added) {
        const std::string name = graph.values[static_cast<size_t>(node.inputs[i])].name;
        place->second = graph.AddConstant(name, Cast(*constant, ElementType::kFloat32));
      }
      node.inputs[i] = place->second;
    }
  }
  return Status::Ok();
}

Status ShareConstants(Graph& graph) {
  std::unordered_multimap<size_t, ValueId> by_hash;
  std::vector<ValueId> same(graph.values.size());
  for (size_t id = 0; id < graph.values.size(); ++id) {
    same[id] = static_cast<ValueId>(id);
    const auto& constant = graph.values[id].constant;
    if (!constant) continue;
    const std::string_view bytes(static_cast<const char*>(constant->raw()), constant->bytes());
    const size_t hash = std::hash<std::string_view>()(bytes);
    const auto [first, last] = by_hash.equal_range(hash);
    for (auto it = first; it != last && same[id] == static_cast<ValueId>(id); ++it) {
      const Tensor& other = *graph.ConstantOf(it->second);
      if (other.type() == constant->type() &&
          std::memcmp(other.raw(), constant->raw(), bytes.size()) == 0) {
        same[id] = it->second;
      }
    }
    if (same[id] == static_cast<ValueId>(id)) by_hash.emplace(hash, same[id]);
  }
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) {
      if (id != kNoValue) id = same[static_cast<size_t>(id)];
    }
  }
  return Status::Ok();
}

Status EliminateDead(Graph& graph) {
  graph.EliminateDead();
  return Status::Ok();
}

}  // namespace pleat::converter
