#include "converter/passes/fold_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

std::optional<Refusal> ScaleWeights(const WeightMap& map, bool by_output,
                                    std::span<const double> scale, std::vector<double>& weights) {
  std::vector<double> scaled = weights;
  std::vector<double> before(scale.size(), 0), after(scale.size(), 0);
  for (int64_t i = 0; i < map.count(); ++i) {
    const auto channel = static_cast<size_t>(by_output ? map.Output(i) : map.Input(i));
    double& weight = scaled[static_cast<size_t>(i)];
    before[channel] = std::max(before[channel], std::abs(weight));
    weight *= scale[channel];
    after[channel] = std::max(after[channel], std::abs(weight));
    if (!(std::abs(weight) <= kLargest)) return Overflow("weight");
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

std::optional<Refusal> CheckBias(std::span<const double> bias) {
  for (double b : bias) {
    if (!(std::abs(b) <= kLargest)) return Overflow("bias");
  }
  return std::nullopt;
}

}  // namespace pleat::converter
