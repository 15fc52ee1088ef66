#include "converter/passes/sizes.h"

#include <algorithm>
#include <set>

namespace pleat::converter {
namespace {

bool KeepsShape(const Node& node) {
  return node.As<fb::UnaryT>() != nullptr || node.As<fb::ScaleShiftT>() != nullptr ||
         node.As<fb::BatchNormTrainingT>() != nullptr || node.As<fb::SoftmaxT>() != nullptr ||
         node.As<fb::LayerNormT>() != nullptr || node.As<fb::InstanceNormT>() != nullptr ||
         node.As<fb::LocalResponseNormT>() != nullptr || node.As<fb::IdentityT>() != nullptr ||
         node.As<fb::CastT>() != nullptr;
}

const fb::WindowT* WindowOf(const Node& node) {
  if (const auto* conv = node.As<fb::ConvT>()) return conv->window.get();
  if (const auto* pool = node.As<fb::PoolT>()) return pool->window.get();
  return nullptr;
}

std::string At(const std::vector<int64_t>& numbers, size_t i) {
  return (i < numbers.size() ? std::to_string(numbers[i]) : std::string("-")) + ",";
}

// How a sliding window turns one size into another.
std::string WindowText(const Graph& graph, const Node& node, size_t i) {
  const fb::WindowT& window = *WindowOf(node);
  const size_t rank = TypeOf(graph, node.outputs[0]).shape.size() - 2;
  std::string text = "window:";
  if (node.As<fb::ConvT>() != nullptr) {
    const Type& weights = TypeOf(graph, node.inputs[1]);
    text += weights.ranked ? At(weights.shape, i + 2) : "?";
  } else {
    text += node.As<fb::PoolT>()->ceil_mode ? "ceil," : "floor,";
  }
  const auto& pads = window.pads;
  return text + At(window.kernel, i) + At(window.strides, i) + At(window.dilations, i) +
         At(pads, i) + At(pads, i + rank) + std::to_string(static_cast<int>(window.auto_pad));
}

}  // namespace

Sizes::Sizes(const Graph& graph) : tokens_(graph.values.size()) {
  for (size_t id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    if (!value.type.ranked) continue;
    for (size_t i = 0; i < value.type.shape.size(); ++i) {
      const int64_t size = value.type.shape[i];
      const bool named = i < value.symbols.size() && !value.symbols[i].empty();
      tokens_[id].push_back(size != kUnknownDim ? size
                            : named             ? Intern("symbol:" + value.symbols[i])
                                                : Fresh());
    }
  }
  for (const Node& node : graph.nodes) {
    const ValueId output = node.outputs[0];
    if (output == kNoValue || !TypeOf(graph, output).ranked) continue;
    std::vector<int64_t> tokens = tokens_[static_cast<size_t>(output)];
    Derive(graph, node, tokens);
    const Shape& shape = TypeOf(graph, output).shape;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == kUnknownDim) tokens_[static_cast<size_t>(output)][i] = tokens[i];
    }
  }
}

int64_t Sizes::Intern(const std::string& origin) {
  const auto [place, added] = origins_.emplace(origin, 0);
  if (added) place->second = Fresh();
  return place->second;
}

int64_t Sizes::Broadcast(const Graph& graph, const Node& node, size_t from_last) {
  std::set<int64_t> wide;
  for (ValueId id : node.inputs) {
    if (!TypeOf(graph, id).ranked) return Fresh();
    const auto& tokens = Of(id);
    if (from_last < tokens.size() && tokens[tokens.size() - 1 - from_last] != 1) {
      wide.insert(tokens[tokens.size() - 1 - from_last]);
    }
  }
  if (wide.size() == 1) return *wide.begin();
  std::string origin = "broadcast:";
  for (int64_t token : wide) origin += std::to_string(token) + ",";
  return Intern(origin);
}

void Sizes::Derive(const Graph& graph, const Node& node, std::vector<int64_t>& tokens) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return;
  const std::vector<int64_t>& x = Of(node.inputs[0]);
  if (KeepsShape(node) && x.size() == tokens.size()) {
    tokens = x;
  } else if (node.As<fb::BinaryT>() != nullptr || node.As<fb::WhereT>() != nullptr) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[tokens.size() - 1 - i] = Broadcast(graph, node, i);
    }
  } else if (WindowOf(node) != nullptr && x.size() == tokens.size() && x.size() >= 3) {
    tokens[0] = x[0];
    if (node.As<fb::PoolT>() != nullptr) tokens[1] = x[1];
    for (size_t i = 2; i < x.size(); ++i) {
      tokens[i] = Intern(WindowText(graph, node, i - 2) + "of" + std::to_string(x[i]));
    }
  } else if (node.As<fb::ConvTransposeT>() != nullptr && x.size() == tokens.size()) {
    tokens[0] = x[0];
  } else if (const auto* transpose = node.As<fb::TransposeT>()) {
    for (size_t i = 0; i < transpose->perm.size() && x.size() == tokens.size(); ++i) {
      tokens[i] = x[static_cast<size_t>(transpose->perm[i])];
    }
  } else if (const auto* concat = node.As<fb::ConcatT>()) {
    const auto axis = runtime::NormalizeAxis(concat->axis, static_cast<int>(tokens.size()));
    for (size_t i = 0; axis.ok() && i < tokens.size() && x.size() == tokens.size(); ++i) {
      if (i != static_cast<size_t>(axis.value())) tokens[i] = x[i];
    }
  } else if (const auto* product = node.As<fb::MatMulT>()) {
    const bool matrix = TypeOf(graph, node.inputs[1]).rank() == 2 || product->weight_layout != 0;
    if (matrix && !product->transpose_a && x.size() == tokens.size()) {
      std::copy(x.begin(), x.end() - 1, tokens.begin());
    }
  }
}

bool Sizes::Same(ValueId a, ValueId b) const { return !Of(a).empty() && Of(a) == Of(b); }

}  // namespace pleat::converter
