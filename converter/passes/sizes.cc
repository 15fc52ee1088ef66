#include "converter/passes/sizes.h"

#include <algorithm>
#include <set>

#include "runtime/checked.h"

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

bool IsChannelsLast(const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  const auto* pool = node.As<fb::PoolT>();
  return (conv != nullptr && conv->channels_last) || (pool != nullptr && pool->channels_last);
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

// The axes of operand 0 that an operator may change in size; nothing when it may change any.
std::optional<std::vector<int64_t>> ChangedAxes(const Graph& graph, const Node& node) {
  if (const auto* concat = node.As<fb::ConcatT>()) return std::vector{concat->axis};
  if (const auto* split = node.As<fb::SplitT>()) return std::vector{split->axis};
  if (const auto* reduce = node.As<fb::ReduceT>()) {
    auto axes = FieldOrInput(graph, node, reduce->axes, 1);
    return reduce->keepdims && axes && !axes->empty() ? axes : std::nullopt;
  }
  if (const auto* gather = node.As<fb::GatherT>()) {
    const bool list = TypeOf(graph, node.inputs[1]).rank() == 1;
    return list ? std::optional(std::vector{gather->axis}) : std::nullopt;
  }
  if (node.As<fb::SliceT>() != nullptr) return KnownInt64s(graph, node.input(3));
  if (const auto* resize = node.As<fb::ResizeT>()) {
    if (!resize->axes.empty()) return resize->axes;
    const Tensor* scales = graph.ConstantOf(node.input(2));
    if (scales == nullptr) return std::nullopt;
    std::vector<int64_t> axes;
    const std::vector<double> factors = runtime::ToDoubles(*scales);
    for (size_t i = 0; i < factors.size(); ++i) {
      if (factors[i] != 1) axes.push_back(static_cast<int64_t>(i));
    }
    return axes;
  }
  if (node.As<fb::PadT>() != nullptr && node.input(3) == kNoValue) {
    const auto pads = KnownInt64s(graph, node.input(1));
    if (!pads) return std::nullopt;
    std::vector<int64_t> axes;
    for (size_t i = 0; i < pads->size(); ++i) {
      if ((*pads)[i] != 0) axes.push_back(static_cast<int64_t>(i % (pads->size() / 2)));
    }
    return axes;
  }
  return std::nullopt;
}

bool IsView(const Node& node) {
  return node.As<fb::ReshapeT>() != nullptr || node.As<fb::FlattenT>() != nullptr ||
         node.As<fb::SqueezeT>() != nullptr || node.As<fb::UnsqueezeT>() != nullptr;
}

// The place of the only negative token, and the product of the others; nothing when there are more
// or the product is 0.
std::optional<std::pair<size_t, int64_t>> OnlyUnknown(const std::vector<int64_t>& tokens) {
  std::optional<size_t> place;
  runtime::Checked product = 1;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0) {
      product = product * tokens[i];
    } else if (place) {
      return std::nullopt;
    } else {
      place = i;
    }
  }
  if (!place || product.value_or(0) == 0) return std::nullopt;
  return std::pair(*place, product.value_or(0));
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
    for (ValueId output : node.outputs) {
      if (output == kNoValue || !TypeOf(graph, output).ranked) continue;
      const bool first = output == node.outputs[0];
      if (!first && node.As<fb::SplitT>() == nullptr) continue;
      std::vector<int64_t> tokens = Of(output);
      Derive(graph, node, tokens);
      const Shape& shape = TypeOf(graph, output).shape;
      for (size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == kUnknownDim) tokens_[static_cast<size_t>(output)][i] = tokens[i];
      }
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
    const size_t channels = IsChannelsLast(node) ? x.size() - 1 : 1;
    const size_t spatial = IsChannelsLast(node) ? 1 : 2;
    if (node.As<fb::PoolT>() != nullptr) tokens[channels] = x[channels];
    for (size_t i = 0; i + 2 < x.size(); ++i) {
      tokens[spatial + i] =
          Intern(WindowText(graph, node, i) + "of" + std::to_string(x[spatial + i]));
    }
  } else if (node.As<fb::ConvTransposeT>() != nullptr && x.size() == tokens.size()) {
    tokens[0] = x[0];
  } else if (const auto* transpose = node.As<fb::TransposeT>()) {
    for (size_t i = 0; i < transpose->perm.size() && x.size() == tokens.size(); ++i) {
      tokens[i] = x[static_cast<size_t>(transpose->perm[i])];
    }
  } else if (const auto changed = ChangedAxes(graph, node); changed && x.size() == tokens.size()) {
    std::set<int64_t> skipped;
    for (int64_t axis : *changed) {
      skipped.insert(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      if (!skipped.contains(static_cast<int64_t>(i))) tokens[i] = x[i];
    }
  } else if (IsView(node)) {
    const auto* reshape = node.As<fb::ReshapeT>();
    const auto shape = reshape == nullptr ? std::nullopt : KnownInt64s(graph, node.inputs[1]);
    for (size_t i = 0; shape && !reshape->allow_zero && i < shape->size(); ++i) {
      if ((*shape)[i] == 0 && i < x.size()) tokens[i] = x[i];
    }
    const auto from = OnlyUnknown(x), to = OnlyUnknown(tokens);
    if (from && to && from->second == to->second) tokens[to->first] = x[from->first];
  } else if (const auto* product = node.As<fb::MatMulT>()) {
    const bool matrix = TypeOf(graph, node.inputs[1]).rank() == 2 || product->weight_layout != 0;
    if (matrix && !product->transpose_a && x.size() == tokens.size()) {
      std::copy(x.begin(), x.end() - 1, tokens.begin());
    }
  }
}

bool Sizes::Same(ValueId a, ValueId b) const { return !Of(a).empty() && Of(a) == Of(b); }

}  // namespace pleat::converter
