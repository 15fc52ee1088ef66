// Before: x -> Conv | ConvTranspose | MatMul | ScaleShift | ... (w, b) -> links -> ScaleShift(s, t)
// After:  x -> the same with w' = w * s[m], b' = b * s[m] + t[m] -> links -> y
// Condition: every value between is no graph output and read once, but for who asks for its shape;
//   the weights are constant, and the channel axis is proved to be the axis of the operator's
//   output channels m.
// Formula: in double; Gemm's alpha stays, its bias becomes beta * b * s + t with beta = 1. Through
//   Concat each part takes its slice of s and t; of a sum both sides take s and one takes t; of a
//   product one side takes s; constants on the way are changed likewise. links.h says what passes
//   views, pools, slices and activations. A table of which rows are picked, and the gain and bias
//   of a normalisation, are weights too.
#include <algorithm>
#include <cmath>

#include "converter/passes/backward_fold.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

// Folds a ScaleShift, and then those that took it, which may be in range now.
void FoldOne(Graph& graph, Uses& uses, BatchNorms& norms, size_t index, bool again = false) {
  Node& node = graph.nodes[index];
  const ValueId input = node.inputs[0];
  const Affine affine = AffineOf(graph, node);
  if (!affine.IsFinite()) {
    size_t c = 0;
    while (std::isfinite(affine.scale[c]) && std::isfinite(affine.shift[c])) ++c;
    return norms.Keep(node, {"BN_BAD_VARIANCE",
                             "channel " + std::to_string(c) + ": its scale or shift is not finite"});
  }
  BackwardFold fold(graph, uses);
  if (!fold.Absorb(input, affine)) {
    return again ? norms.KeepWithin(node, fold.refusal()) : norms.Keep(node, fold.refusal());
  }
  fold.Commit(graph, uses, norms, node);
  const auto at = static_cast<size_t>(uses.Maker(input));
  Node& maker = graph.nodes[at];
  uses.Forget(graph, index);
  uses.Forget(graph, at);
  std::replace(maker.outputs.begin(), maker.outputs.end(), input, node.outputs[0]);
  uses.Learn(graph, at);
  uses.ReplaceUses(graph, input, node.outputs[0]);  // who asks for its shape
  Empty(node);
  for (const size_t changed : fold.changed_affine()) {
    if (graph.nodes[changed].As<fb::ScaleShiftT>() == nullptr) continue;
    FoldOne(graph, uses, norms, changed, /*again=*/true);
  }
}

}  // namespace

Status FoldBackward(Graph& graph) {
  Uses uses(graph);
  BatchNorms norms(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    const bool known = scale_shift != nullptr && IsNone(scale_shift->activation) &&
                       graph.ConstantOf(node.inputs[1]) != nullptr &&
                       graph.ConstantOf(node.inputs[2]) != nullptr;
    if (known) FoldOne(graph, uses, norms, i);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
