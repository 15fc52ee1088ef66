#include "converter/passes/fold_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "converter/seeded_bugs.h"

namespace pleat::converter {
namespace {

constexpr double kLargest = std::numeric_limits<float>::max();
constexpr double kSmallestNormal = std::numeric_limits<float>::min();

Refusal Overflow(const char* what) {
  return {"OVERFLOW", std::string("the folded ") + what + " would not fit a float32"};
}

}  // namespace

int64_t WeightMap::Output(int64_t i) const {
  switch (kind) {
    case Kind::kConv:
      return i / (inputs / groups * taps);
    case Kind::kConvTranspose: {
      const int64_t group_outputs = outputs / groups;
      const int64_t input = i / (group_outputs * taps);
      if (Seeded(SeededBug::kConvTransposeAxis0)) return input % outputs;
      if (Seeded(SeededBug::kGroupBroadcast)) return i / taps % group_outputs;
      return input / (inputs / groups) * group_outputs + i / taps % group_outputs;
    }
    case Kind::kMatMul:
      return i % outputs;
    case Kind::kMatMulTransposed:
      return i / inputs;
  }
  return 0;
}

int64_t WeightMap::Input(int64_t i) const {
  switch (kind) {
    case Kind::kConv: {
      const int64_t group_inputs = inputs / groups;
      return Output(i) / (outputs / groups) * group_inputs + i / taps % group_inputs;
    }
    case Kind::kConvTranspose:
      return i / (outputs / groups * taps);
    case Kind::kMatMul:
      return i / outputs;
    case Kind::kMatMulTransposed:
      return i % inputs;
  }
  return 0;
}

int64_t WeightMap::Run(bool by_output) const {
  switch (kind) {
    case Kind::kConv:
      return by_output ? inputs / groups * taps : taps;
    case Kind::kConvTranspose:
      return by_output ? taps : outputs / groups * taps;
    case Kind::kMatMul:
      return by_output ? 1 : outputs;
    case Kind::kMatMulTransposed:
      return by_output ? inputs : 1;
  }
  return 1;
}

std::optional<WeightMap> MapWeights(const Graph& graph, const Node& node) {
  const Tensor* weights = graph.ConstantOf(node.input(1));
  if (weights == nullptr || weights->count() == 0) return std::nullopt;
  const Shape& shape = weights->shape();
  WeightMap map;
  if (const auto* product = node.As<fb::MatMulT>()) {
    if (shape.size() != 2 || product->weight_layout != 0) return std::nullopt;
    map.kind = product->transpose_b ? WeightMap::Kind::kMatMulTransposed : WeightMap::Kind::kMatMul;
    map.inputs = product->transpose_b ? shape[1] : shape[0];
    map.outputs = product->transpose_b ? shape[0] : shape[1];
    return map;
  }
  if (shape.size() < 3) return std::nullopt;
  if (node.As<fb::RecurrentT>() != nullptr) {
    map.kind = WeightMap::Kind::kMatMulTransposed;
    map.inputs = shape[2];
    map.outputs = shape[0] * shape[1];
    return map;
  }
  for (size_t i = 2; i < shape.size(); ++i) map.taps *= shape[i];
  if (const auto* conv = node.As<fb::ConvT>()) {
    if (conv->weight_layout != 0) return std::nullopt;
    map.groups = conv->group;
    map.outputs = shape[0];
    map.inputs = shape[1] * conv->group;
  } else if (const auto* transposed = node.As<fb::ConvTransposeT>()) {
    map.kind = WeightMap::Kind::kConvTranspose;
    map.groups = transposed->group;
    map.inputs = shape[0];
    map.outputs = shape[1] * transposed->group;
  } else {
    return std::nullopt;
  }
  if (map.groups < 1 || map.inputs % map.groups != 0 || map.outputs % map.groups != 0) {
    return std::nullopt;
  }
  return map;
}

std::optional<WeightMap> MapLeftWeights(const Graph& graph, const Node& node) {
  const Tensor* weights = graph.ConstantOf(node.input(0));
  const auto* product = node.As<fb::MatMulT>();
  if (weights == nullptr || product == nullptr || weights->shape().size() != 2) {
    return std::nullopt;
  }
  const Shape& shape = weights->shape();
  WeightMap map;
  map.kind = product->transpose_a ? WeightMap::Kind::kMatMul : WeightMap::Kind::kMatMulTransposed;
  map.inputs = product->transpose_a ? shape[0] : shape[1];
  map.outputs = product->transpose_a ? shape[1] : shape[0];
  return map;
}

std::optional<Refusal> ScaleWeights(const WeightMap& map, bool by_output,
                                    std::span<const double> scale, std::vector<double>& weights) {
  std::vector<double> scaled = weights;
  std::vector<double> before(scale.size(), 0), after(scale.size(), 0);
  const int64_t run = map.Run(by_output);
  for (int64_t first = 0; first < map.count(); first += run) {
    const auto channel = static_cast<size_t>(by_output ? map.Output(first) : map.Input(first));
    double largest_before = before[channel], largest_after = after[channel];
    for (int64_t i = first; i < first + run; ++i) {
      double& weight = scaled[static_cast<size_t>(i)];
      largest_before = std::max(largest_before, std::abs(weight));
      weight *= scale[channel];
      if (!(std::abs(weight) <= kLargest)) return Overflow("weight");
      largest_after = std::max(largest_after, std::abs(weight));
    }
    before[channel] = largest_before;
    after[channel] = largest_after;
  }
  for (size_t c = 0; c < scale.size(); ++c) {
    if (scale[c] != 0 && before[c] >= kSmallestNormal && after[c] < kSmallestNormal) {
      return Refusal{"UNDERFLOW", "all folded weights of channel " + std::to_string(c) +
                                      " would be below the smallest normal float32"};
    }
  }
  weights = std::move(scaled);
  return std::nullopt;
}

std::vector<double> SumOfShifts(const WeightMap& map, std::span<const double> weights,
                                std::span<const double> shift) {
  std::vector<double> sums(static_cast<size_t>(map.outputs), 0);
  for (int64_t i = 0; i < map.count(); ++i) {
    sums[static_cast<size_t>(map.Output(i))] +=
        weights[static_cast<size_t>(i)] * shift[static_cast<size_t>(map.Input(i))];
  }
  return sums;
}

std::vector<double> ShiftsOfTaps(const WeightMap& map, std::span<const double> weights,
                                 std::span<const double> shift) {
  std::vector<double> sums(static_cast<size_t>(map.outputs * map.taps), 0);
  for (int64_t i = 0; i < map.count(); ++i) {
    sums[static_cast<size_t>(map.Output(i) * map.taps + i % map.taps)] +=
        weights[static_cast<size_t>(i)] * shift[static_cast<size_t>(map.Input(i))];
  }
  return sums;
}

std::optional<Refusal> CheckRange(std::span<const double> numbers) {
  for (double number : numbers) {
    if (!(std::abs(number) <= kLargest)) return Overflow("bias");
  }
  return std::nullopt;
}

BiasOrRefusal ReadBias(const Graph& graph, const Node& node, size_t channels) {
  const auto width = static_cast<int64_t>(channels);
  Bias bias{.numbers = std::vector<double>(channels, 0), .shape = {width}};
  if (node.input(2) == kNoValue) return {std::move(bias), std::nullopt};
  const std::string name = NameOf(graph, node);
  const Tensor* old = graph.ConstantOf(node.input(2));
  if (old == nullptr) {
    return {{}, Refusal{"WEIGHT_NOT_CONST", "the bias of '" + name + "' is not constant"}};
  }
  bias.numbers = runtime::ToDoubles(*old);
  if (!old->shape().empty() && old->shape().back() == width) {
    bias.shape = old->shape();
  } else if (bias.numbers.size() == 1) {
    bias.numbers.assign(channels, double(bias.numbers[0]));
  } else {
    return {{},
            Refusal{"GEMM_BIAS_SHAPE", "the bias of '" + name + "' has shape " +
                                           runtime::ShapeText(old->shape()) +
                                           " and would have to grow to hold a shift per column"}};
  }
  if (const auto* product = node.As<fb::MatMulT>()) {
    for (double& number : bias.numbers) number *= static_cast<double>(product->beta);
  }
  return {std::move(bias), std::nullopt};
}

BiasOrRefusal ReadGateBias(const Graph& graph, const Node& node, const WeightMap& map) {
  const Shape& weights = TypeOf(graph, node.inputs[1]).shape;
  Bias bias{.numbers = std::vector<double>(static_cast<size_t>(2 * map.outputs), 0),
            .shape = {weights[0], 2 * weights[1]}};
  if (node.input(3) == kNoValue) return {std::move(bias), std::nullopt};
  const Tensor* old = graph.ConstantOf(node.input(3));
  if (old == nullptr || old->shape() != bias.shape) {
    return {{}, Refusal{"WEIGHT_NOT_CONST",
                        "the bias of '" + NameOf(graph, node) + "' is not constant"}};
  }
  bias.numbers = runtime::ToDoubles(*old);
  return {std::move(bias), std::nullopt};
}

size_t BiasPosition(const Node& node) { return node.As<fb::RecurrentT>() != nullptr ? 3 : 2; }

size_t TapBiasPosition(const Node& node) { return node.As<fb::ConvT>() != nullptr ? 4 : 3; }

std::vector<double> WeightsSoFar(const Graph& graph, const std::vector<LinearEdit>& edits,
                                 size_t node, size_t operand) {
  const auto* weights = SoFar(edits, node, &LinearEdit::weights);
  if (weights != nullptr) return *weights;
  return runtime::ToDoubles(*graph.ConstantOf(graph.nodes[node].inputs[operand]));
}

void Apply(Graph& graph, LinearEdit edit) {
  Node& node = graph.nodes[edit.node];
  const auto name_of = [&](ValueId id) { return graph.values[static_cast<size_t>(id)].name; };
  if (edit.weights) {
    ValueId& weights = node.inputs[edit.operand];
    const ValueId own =
        AddDoubles(graph, name_of(weights), *edit.weights, TypeOf(graph, weights).shape);
    if (Seeded(SeededBug::kSharedWeightsInPlace)) {
      graph.values[static_cast<size_t>(weights)] = graph.values[static_cast<size_t>(own)];
    } else {
      weights = own;
    }
  }
  if (edit.tap_bias) {
    const size_t at = TapBiasPosition(node);
    const Shape& weights = TypeOf(graph, node.inputs[1]).shape;
    Shape shape(weights.begin() + 2, weights.end());
    int64_t taps = 1;
    for (int64_t size : shape) taps *= size;
    shape.insert(shape.begin(), static_cast<int64_t>(edit.tap_bias->size()) / taps);
    if (node.inputs.size() <= at) node.inputs.resize(at + 1, kNoValue);
    node.inputs[at] = AddDoubles(graph, NameOf(graph, node) + ".tap_bias", *edit.tap_bias, shape);
  }
  if (!edit.bias) return;
  const size_t at = BiasPosition(node);
  if (node.inputs.size() <= at) node.inputs.resize(at + 1, kNoValue);
  const std::string name =
      node.inputs[at] == kNoValue ? NameOf(graph, node) + ".bias" : name_of(node.inputs[at]);
  node.inputs[at] = AddDoubles(graph, name, edit.bias->numbers, edit.bias->shape);
  if (auto* product = node.As<fb::MatMulT>()) product->beta = 1;
}

}  // namespace pleat::converter
