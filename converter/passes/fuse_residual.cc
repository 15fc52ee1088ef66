// Before: x -> Conv | MatMul -> + r -> y
// After:  x, r -> the same with r as its residual -> y, taking over the sum's activation
// Condition: the sum alone reads the operator's result, which has no activation or residual yet,
//   and r is proved to be of its shape. Of two such operators the later one takes the other.
#include "converter/passes/passes.h"
#include "converter/passes/sizes.h"

namespace pleat::converter {
namespace {

// The activation of an operator that can add a residual, else null.
fb::Activation* ActivationOf(Node& node) {
  if (auto* conv = node.As<fb::ConvT>()) return &conv->activation;
  if (auto* product = node.As<fb::MatMulT>()) return &product->activation;
  return nullptr;
}

// Lets an operator that feeds sum `index` take over the sum, where one can.
void FuseOne(Graph& graph, const Sizes& sizes, Uses& uses, size_t index) {
  Node& sum = graph.nodes[index];
  const auto* binary = sum.As<fb::BinaryT>();
  if (binary == nullptr || binary->kind != fb::BinaryKind::Add) return;
  int taker = -1;
  ValueId residual = kNoValue;
  for (size_t side : {0, 1}) {
    const ValueId made = sum.inputs[side], other = sum.inputs[1 - side];
    const int maker = uses.Maker(made);
    if (maker <= taker || uses.OnlyReader(made) < 0 || graph.ConstantOf(other) != nullptr ||
        !sizes.Same(made, other) || TypeOf(graph, made) != TypeOf(graph, other)) {
      continue;
    }
    Node& node = graph.nodes[static_cast<size_t>(maker)];
    const fb::Activation* activation = ActivationOf(node);
    if (activation == nullptr || !IsNone(*activation) || node.input(3) != kNoValue) continue;
    taker = maker;
    residual = other;
  }
  if (taker < 0) return;
  Node& node = graph.nodes[static_cast<size_t>(taker)];
  uses.Forget(graph, index);
  uses.Forget(graph, static_cast<size_t>(taker));
  if (node.inputs.size() < 4) node.inputs.resize(4, kNoValue);
  node.inputs[3] = residual;
  node.outputs[0] = sum.outputs[0];
  *ActivationOf(node) = binary->activation;
  AddSources(node, sum);
  uses.Learn(graph, static_cast<size_t>(taker));
  Empty(sum);
}

}  // namespace

Status FuseResidual(Graph& graph) {
  const Sizes sizes(graph);
  Uses uses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) FuseOne(graph, sizes, uses, i);
  DropEmptyNodes(graph);
  SortNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
