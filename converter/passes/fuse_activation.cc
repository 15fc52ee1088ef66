// Before: Conv | ConvTranspose | MatMul | ScaleShift | Binary arithmetic -> Unary -> y
// After:  the same with that activation -> y
// Condition: the Unary alone reads the result, but for who asks for its shape; there is no
//   activation yet, and this is one: it maps float to float and is one of the first kinds.
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

fb::Activation* ActivationOf(Node& node) {
  if (auto* conv = node.As<fb::ConvT>()) return &conv->activation;
  if (auto* transposed = node.As<fb::ConvTransposeT>()) return &transposed->activation;
  if (auto* product = node.As<fb::MatMulT>()) return &product->activation;
  if (auto* scale_shift = node.As<fb::ScaleShiftT>()) return &scale_shift->activation;
  auto* binary = node.As<fb::BinaryT>();
  return binary != nullptr && binary->kind <= fb::BinaryKind::PRelu ? &binary->activation : nullptr;
}

}  // namespace

Status FuseActivation(Graph& graph) {
  Uses uses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const auto* unary = node.As<fb::UnaryT>();
    if (unary == nullptr || IsNone(unary->activation) ||
        unary->activation.kind() > static_cast<uint8_t>(kernels::UnaryKind::kShrink) ||
        TypeOf(graph, node.inputs[0]).element != ElementType::kFloat32) {
      continue;
    }
    const ValueId made = node.inputs[0];
    const int maker = uses.Maker(made);
    if (maker < 0 || OnlyReaderOfNumbers(graph, uses, made) < 0) continue;
    Node& producer = graph.nodes[static_cast<size_t>(maker)];
    fb::Activation* activation = ActivationOf(producer);
    if (activation == nullptr || !IsNone(*activation)) continue;
    *activation = unary->activation;
    AddSources(producer, node);
    uses.Forget(graph, i);
    uses.Forget(graph, static_cast<size_t>(maker));
    producer.outputs[0] = node.outputs[0];
    uses.Learn(graph, static_cast<size_t>(maker));
    uses.ReplaceUses(graph, made, producer.outputs[0]);  // who asks for its shape
    Empty(node);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
