// Before: x -> ScaleShift(s, t) -> steps that let a function of each channel pass
//           -> Conv | ConvTranspose | MatMul | Recurrent (w, b), for every reader
// After:  x -> the same without it, with w' = w * s[c], b' = b + sum over taps, c of w * t[c];
//   where not every output sees every tap (zero padding, ConvTranspose), the shift goes into the
//   tap bias instead: T'[m,k] = T[m,k] + sum over c of w[m,c,k] * t[c], summed over those taps
// Condition: every reader, but for who asks for its shape, is such an operator with constant
//   weights, and the channel axis is proved to be its axis of input channels c. Views pass, slices,
//   parts and picks (with the channels they keep), means over other axes, padding by reflection or
//   repetition, average pooling that counts no padding, nearest and linear resizing, concatenation
//   with others (which keep s = 1, t = 0), max pooling where s >= 0, zero padding where t = 0.
// Formula: in double; Gemm's bias becomes beta * b + alpha * sum with beta = 1. Of a Recurrent c is
//   an input and m a gate of one direction; its states and their weights have no part in it.
#include "converter/passes/batch_norms.h"
#include "converter/passes/forward_fold.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

bool SaysMore(const std::string& code) {
  return code == "PAD_SHIFT" || code == "GEMM_BIAS_SHAPE" || code == "POOL_INCLUDE_PAD" ||
         code == "NEG_SCALE" || code == "OVERFLOW" || code == "UNDERFLOW";
}

Status Fold(Graph& graph, bool of_norms) {
  Uses uses(graph);
  BatchNorms norms(graph);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    if (scale_shift == nullptr || !IsNone(scale_shift->activation) ||
        graph.ConstantOf(node.inputs[1]) == nullptr ||
        graph.ConstantOf(node.inputs[2]) == nullptr) {
      continue;
    }
    if (!of_norms && norms.IsOne(node)) continue;
    const Affine affine = AffineOf(graph, node);
    if (!affine.IsFinite()) continue;
    ForwardFold fold(graph, uses);
    if (!fold.Absorb(node.outputs[0], affine)) {
      if (fold.several() || SaysMore(fold.refusal().code)) norms.Keep(node, fold.refusal());
      continue;
    }
    fold.Commit(graph, uses, norms, node);
    const ValueId input = node.inputs[0], output = node.outputs[0];
    uses.Forget(graph, i);
    Empty(node);
    uses.ReplaceUses(graph, output, input);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace

Status FoldForward(Graph& graph) { return Fold(graph, /*of_norms=*/true); }

Status FoldForwardAgain(Graph& graph) { return Fold(graph, /*of_norms=*/false); }

}  // namespace pleat::converter
