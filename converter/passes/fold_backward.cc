// Before: x -> Conv | ConvTranspose | MatMul | ScaleShift | ... (w, b) -> links -> ScaleShift(s, t)
// After:  x -> the same with w' = w * s[m], b' = b * s[m] + t[m] -> links -> y
// Condition: every value between is no graph output and read once, but for who asks for its shape;
//   the weights are constant, and the channel axis is proved to be the axis of the operator's
//   output channels m.
// Formula: in double; Gemm's alpha stays, its bias becomes beta * b * s + t with beta = 1. Through
//   Concat each part takes its slice of s and t; of a sum both sides take s and one takes t; of a
//   product one side takes s; constants on the way are changed likewise. links.h says what passes
//   views, pools, slices and activations. A table of which rows are picked, and the gain and bias
//   of a normalisation, are weights too. What all parts of a Split across the channels go through,
//   the same to the bit, is what the whole goes through.
#include <algorithm>
#include <bit>
#include <cmath>

#include "converter/passes/backward_fold.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

// Whoever makes what the ScaleShift reads makes its result.
void LeaveOut(Graph& graph, Uses& uses, size_t index) {
  Node& node = graph.nodes[index];
  const ValueId input = node.inputs[0], output = node.outputs[0];
  const auto at = static_cast<size_t>(uses.Maker(input));
  Node& maker = graph.nodes[at];
  uses.Forget(graph, index);
  uses.Forget(graph, at);
  std::replace(maker.outputs.begin(), maker.outputs.end(), input, output);
  uses.Learn(graph, at);
  uses.ReplaceUses(graph, input, output);  // who asks for its shape
  Empty(node);
}

bool IsKnown(const Graph& graph, const Node& node) {
  const auto* scale_shift = node.As<fb::ScaleShiftT>();
  return scale_shift != nullptr && IsNone(scale_shift->activation) &&
         graph.ConstantOf(node.inputs[1]) != nullptr && graph.ConstantOf(node.inputs[2]) != nullptr;
}

// Folds a ScaleShift, and then those that took it, which may be in range now.
void FoldOne(Graph& graph, Uses& uses, BatchNorms& norms, size_t index, bool again = false) {
  const Node& node = graph.nodes[index];
  if (node.As<fb::ScaleShiftT>() == nullptr) return;  // folded meanwhile
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
  LeaveOut(graph, uses, index);
  for (const size_t changed : fold.changed_affine()) {
    FoldOne(graph, uses, norms, changed, /*again=*/true);
  }
}

bool SameToTheBit(const Affine& a, const Affine& b) {
  const auto same = [](double x, double y) {
    return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
  };
  return a.axis == b.axis && std::ranges::equal(a.scale, b.scale, same) &&
         std::ranges::equal(a.shift, b.shift, same);
}

// The ScaleShifts that alone read the parts of a Split along another axis, one for each part that
// is read; none when they differ.
std::vector<size_t> SameOnAllParts(const Graph& graph, const Uses& uses, const Node& node) {
  const Type& x = TypeOf(graph, node.inputs[0]);
  const auto axis =
      runtime::NormalizeAxis(node.As<fb::SplitT>()->axis, x.ranked ? x.rank() : 0);
  std::vector<size_t> steps;
  std::optional<Affine> first;
  for (const ValueId part : node.outputs) {
    if (part == kNoValue || uses.Readers(part).empty()) continue;
    const int reader = OnlyReaderOfNumbers(graph, uses, part);
    if (reader < 0 || !axis.ok()) return {};
    const auto index = static_cast<size_t>(reader);
    if (!IsKnown(graph, graph.nodes[index])) return {};
    Affine affine = AffineOf(graph, graph.nodes[index]);
    if (!affine.IsFinite() || affine.axis == axis.value()) return {};
    if (first && !SameToTheBit(*first, affine)) return {};
    first = std::move(affine);
    steps.push_back(index);
  }
  return steps;
}

// Folds what is the same on all parts into what makes the whole. Returns the steps that stay, told
// why.
std::vector<size_t> FoldParts(Graph& graph, Uses& uses, BatchNorms& norms, size_t index) {
  for (;;) {
    const std::vector<size_t> steps = SameOnAllParts(graph, uses, graph.nodes[index]);
    if (steps.empty()) return {};
    BackwardFold fold(graph, uses);
    if (!fold.Absorb(graph.nodes[index].inputs[0], AffineOf(graph, graph.nodes[steps[0]]))) {
      for (const size_t step : steps) norms.Keep(graph.nodes[step], fold.refusal());
      return steps;
    }
    Node all;
    for (const size_t step : steps) AddSources(all, graph.nodes[step]);
    fold.Commit(graph, uses, norms, all);
    for (const size_t step : steps) LeaveOut(graph, uses, step);
    for (const size_t changed : fold.changed_affine()) FoldOne(graph, uses, norms, changed, true);
  }
}

Status Fold(Graph& graph, bool of_norms) {
  Uses uses(graph);
  BatchNorms norms(graph);
  std::vector<bool> told(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!of_norms && (node.As<fb::SplitT>() != nullptr || norms.IsOne(node))) continue;
    if (node.As<fb::SplitT>() != nullptr) {
      for (const size_t step : FoldParts(graph, uses, norms, i)) told[step] = true;
    }
    if (IsKnown(graph, node) && !told[i]) FoldOne(graph, uses, norms, i);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace

Status FoldBackward(Graph& graph) { return Fold(graph, /*of_norms=*/true); }

Status FoldBackwardAgain(Graph& graph) { return Fold(graph, /*of_norms=*/false); }

}  // namespace pleat::converter
