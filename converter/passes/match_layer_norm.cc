// Before: d = x - mean(x); d / sqrt(mean(d^2) + epsilon) [* gamma] [+ beta]
// After:  LayerNorm(x, gamma, beta), ones and zeros for what is missing
// Condition: both means run over the last axes of x, all of known size, and keep them; gamma and
//   beta are constants of just those sizes.
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/patterns.h"

namespace pleat::converter {
namespace {

struct Found {
  ValueId x = kNoValue;
  int axis = 0;
  double epsilon = 0;
};

// The first of the last axes that `id` is the mean of `x` over; nothing when it is not.
std::optional<int> MeanAxis(const Graph& graph, const Pattern& is, ValueId id, ValueId x) {
  const Node* node = is.Maker(id);
  const auto* reduce = node == nullptr ? nullptr : node->As<fb::ReduceT>();
  const Type& type = TypeOf(graph, x);
  if (reduce == nullptr || reduce->kind != fb::ReduceKind::Mean || !reduce->keepdims ||
      !type.ranked || node->inputs[0] != x) {
    return std::nullopt;
  }
  const auto axes = FieldOrInput(graph, *node, reduce->axes, 1);
  if (!axes || axes->empty()) return std::nullopt;
  std::vector<int> sorted;
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, type.rank());
    if (!normal.ok()) return std::nullopt;
    sorted.push_back(normal.value());
  }
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != type.rank() - static_cast<int>(sorted.size() - i)) return std::nullopt;
    if (type.shape[static_cast<size_t>(sorted[i])] <= 0) return std::nullopt;
  }
  return sorted[0];
}

std::optional<Found> MatchNormalised(const Graph& graph, const Pattern& is, const Node& quotient) {
  const ValueId centred = quotient.inputs[0];
  const Node* difference = is.Binary(centred, fb::BinaryKind::Sub);
  const Node* root = is.Unary(quotient.inputs[1], kernels::UnaryKind::kSqrt);
  if (difference == nullptr || root == nullptr) return std::nullopt;
  const Node* sum = is.Binary(root->inputs[0], fb::BinaryKind::Add);
  const auto split = sum == nullptr ? std::nullopt : is.ConstantOperand(*sum);
  if (!split || split->constant->count() != 1) return std::nullopt;
  const Node* variance = is.Maker(split->other);
  if (variance == nullptr || variance->As<fb::ReduceT>() == nullptr ||
      is.Power(variance->inputs[0], centred) != 2) {
    return std::nullopt;
  }
  Found found{.x = difference->inputs[0], .epsilon = runtime::ToDoubles(*split->constant)[0]};
  const auto mean_axis = MeanAxis(graph, is, difference->inputs[1], found.x);
  const auto variance_axis = MeanAxis(graph, is, split->other, variance->inputs[0]);
  if (!mean_axis || mean_axis != variance_axis) return std::nullopt;
  found.axis = *mean_axis;
  return found;
}

// The node that alone reads `id` when it is Mul or Add with a constant of shape `sizes`.
const Node* ParameterStep(const Graph& graph, const Uses& uses, const Pattern& is, ValueId id,
                          fb::BinaryKind kind, const Shape& sizes) {
  const int reader = uses.OnlyReader(id);
  if (reader < 0) return nullptr;
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  const auto* binary = node.As<fb::BinaryT>();
  if (binary == nullptr || binary->kind != kind || !IsNone(binary->activation)) return nullptr;
  const auto split = is.ConstantOperand(node);
  return split && split->constant->shape() == sizes ? &node : nullptr;
}

ValueId ConstantOperandId(const Graph& graph, const Node& node) {
  return graph.ConstantOf(node.inputs[1]) != nullptr ? node.inputs[1] : node.inputs[0];
}

ValueId Filled(Graph& graph, const std::string& name, const Shape& sizes, float number) {
  Tensor tensor = Tensor::Make(ElementType::kFloat32, sizes);
  std::ranges::fill(tensor.mutable_data<float>(), number);
  return graph.AddConstant(name, std::move(tensor));
}

}  // namespace

Status MatchLayerNorm(Graph& graph) {
  Uses uses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* binary = graph.nodes[i].As<fb::BinaryT>();
    if (binary == nullptr || binary->kind != fb::BinaryKind::Div || !IsNone(binary->activation)) {
      continue;
    }
    const Pattern pattern(graph, uses);
    const auto found = MatchNormalised(graph, pattern, graph.nodes[i]);
    if (!found || TypeOf(graph, found->x).element != ElementType::kFloat32) continue;
    const Shape& all = TypeOf(graph, found->x).shape;
    const Shape sizes(all.begin() + found->axis, all.end());
    ValueId output = graph.nodes[i].outputs[0], gamma = kNoValue, beta = kNoValue;
    if (const Node* scale =
            ParameterStep(graph, uses, pattern, output, fb::BinaryKind::Mul, sizes)) {
      gamma = ConstantOperandId(graph, *scale);
      output = scale->outputs[0];
    }
    if (const Node* shift =
            ParameterStep(graph, uses, pattern, output, fb::BinaryKind::Add, sizes)) {
      beta = ConstantOperandId(graph, *shift);
      output = shift->outputs[0];
    }
    const auto last = static_cast<size_t>(uses.Maker(output));
    const std::string name = NameOf(graph, graph.nodes[last]);
    std::vector<std::string> sources = pattern.SourcesBetween(found->x, output);
    if (gamma == kNoValue) gamma = Filled(graph, name + ".scale", sizes, 1);
    if (beta == kNoValue) beta = Filled(graph, name + ".bias", sizes, 0);
    fb::LayerNormT norm;
    norm.axis = found->axis;
    norm.epsilon = static_cast<float>(found->epsilon);
    Node& node = graph.nodes[last];
    uses.Forget(graph, last);
    node.op.Set(std::move(norm));
    node.inputs = {found->x, gamma, beta};
    uses.Learn(graph, last);
    node.sources = std::move(sources);
  }
  graph.EliminateDead();
  return Status::Ok();
}

}  // namespace pleat::converter
