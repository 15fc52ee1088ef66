// Before: x -> ScaleShift(s, t) -> views, means over other axes
//           -> Conv | ConvTranspose | MatMul (w, b), for every reader
// After:  x -> the same without it, with w' = w * s[c], b' = b + sum over taps, c of w * t[c]
// Condition: every reader is such an operator with constant weights, the channel axis is proved to
//   be its axis of input channels c, and the shift meets every tap: a Conv has no padding (the sum
//   is wrong at a padded border) and a ConvTranspose none at all (its outputs see varying taps),
//   unless t = 0.
// Formula: in double; Gemm's bias becomes beta * b + alpha * sum with beta = 1.
#include <algorithm>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"
#include "converter/passes/passes.h"
#include "converter/seeded_bugs.h"

namespace pleat::converter {
namespace {

// One attempt. Absorb collects what to change; nothing changes before Commit.
class ForwardFold {
 public:
  ForwardFold(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // Whether all readers of `id` can take affine(id) upon themselves.
  bool Absorb(ValueId id, const Affine& affine);
  // Changes the graph, and tells `uses`; what `source` stands for goes into the operators found.
  // REQUIRES: Absorb returned true, and the graph is the same.
  void Commit(Graph& graph, Uses& uses, const Node& source);

  const Refusal& refusal() const { return refusal_; }

 private:
  bool Refuse(std::string code, std::string sentence) {
    refusal_ = {std::move(code), std::move(sentence)};
    return false;
  }
  bool IntoLinear(size_t index, const Affine& affine);
  bool Through(const Node& node, const Affine& affine);
  bool ThroughMean(const Node& node, const Affine& affine);

  const Graph& graph_;
  const Uses& uses_;
  std::vector<LinearEdit> edits_;
  Refusal refusal_;
  std::string kind_;
};

bool HasPadding(const fb::WindowT& window, int64_t taps) {
  if (window.auto_pad == fb::AutoPad::SameUpper || window.auto_pad == fb::AutoPad::SameLower) {
    return taps != 1;
  }
  return std::any_of(window.pads.begin(), window.pads.end(), [](int64_t pad) { return pad != 0; });
}

bool ForwardFold::Absorb(ValueId id, const Affine& affine) {
  const std::vector<int>& readers = uses_.Readers(id);
  if (readers.empty()) return Refuse("BN_OUTPUT_MULTI_USE", "nobody reads its result");
  for (int reader : readers) {
    if (reader < 0) return Refuse("BN_OUTPUT_MULTI_USE", "its result is an output of the network");
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    if (node.input(0) != id || std::count(node.inputs.begin(), node.inputs.end(), id) != 1) {
      return Refuse("BN_OUTPUT_MULTI_USE",
                    "'" + NameOf(graph_, node) + "' reads its result as another operand");
    }
    const bool linear = node.As<fb::ConvT>() != nullptr || node.As<fb::MatMulT>() != nullptr ||
                        node.As<fb::ConvTransposeT>() != nullptr;
    bool absorbed = false;
    if (IsRearrangement(node)) {
      absorbed = Through(node, affine);
    } else if (linear) {
      absorbed = IntoLinear(static_cast<size_t>(reader), affine);
    } else if (node.As<fb::ReduceT>() != nullptr) {
      absorbed = ThroughMean(node, affine);
    } else {
      Refuse("BN_OUTPUT_MULTI_USE", "its reader " + std::string(node.OpName()) + " '" +
                                        NameOf(graph_, node) + "' is not linear");
    }
    if (!absorbed) return false;
  }
  return true;
}

bool ForwardFold::IntoLinear(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  const auto* conv = node.As<fb::ConvT>();
  const auto* transposed = node.As<fb::ConvTransposeT>();
  const auto* product = node.As<fb::MatMulT>();
  const auto map = MapWeights(graph_, node);
  if (!map) {
    return Refuse("WEIGHT_NOT_CONST",
                  "the weights of '" + name + "' are not constant or have no axis of channels");
  }
  const int rank = TypeOf(graph_, node.inputs[0]).rank();
  const int axis = product == nullptr ? 1 : product->transpose_a ? std::max(rank - 2, 0) : rank - 1;
  if (affine.axis != axis || map->inputs != static_cast<int64_t>(affine.channels())) {
    return Refuse("AXIS_MISMATCH", "its channels run along axis " + std::to_string(affine.axis) +
                                       " of what '" + name + "' reads, whose input channels are " +
                                       "axis " + std::to_string(axis));
  }
  LinearEdit edit{.node = index};
  std::vector<double> weights = runtime::ToDoubles(*graph_.ConstantOf(node.inputs[1]));
  std::optional<Refusal> refusal;
  if (!affine.IsScaleOnly()) {
    if (conv != nullptr && HasPadding(*conv->window, map->taps) &&
        !Seeded(SeededBug::kNaivePaddedBias)) {
      return Refuse("PAD_SHIFT", "'" + name + "' pads with zeros, which its shift must not touch");
    }
    if (transposed != nullptr) {
      return Refuse("CONVT_SHIFT", "its shift would differ from place to place behind the " +
                                       std::string("transposed convolution '") + name + "'");
    }
    BiasOrRefusal read = ReadBias(graph_, node, static_cast<size_t>(map->outputs));
    if (read.refusal) return Refuse(read.refusal->code, read.refusal->sentence);
    const std::vector<double> sums = SumOfShifts(*map, weights, affine.shift);
    const double alpha = product != nullptr ? static_cast<double>(product->alpha) : 1;
    for (size_t i = 0; i < read.bias.numbers.size(); ++i) {
      read.bias.numbers[i] += alpha * sums[i % sums.size()];
    }
    refusal = CheckRange(read.bias.numbers);
    edit.bias = std::move(read.bias);
  }
  if (!refusal && !affine.IsShiftOnly()) {
    refusal = ScaleWeights(*map, /*by_output=*/false, affine.scale, weights);
    edit.weights = std::move(weights);
  }
  if (refusal) return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
  edits_.push_back(std::move(edit));
  kind_ = conv != nullptr         ? "next_conv"
          : transposed != nullptr ? "next_conv_transpose"
                                  : "next_matmul";
  return true;
}

bool ForwardFold::Through(const Node& node, const Affine& affine) {
  const std::vector<Affine> candidates = AfterRearrangement(graph_, node, affine);
  if (candidates.empty()) {
    return Refuse("AXIS_MISMATCH", "its channels are not an axis behind " +
                                       std::string(node.OpName()) + " '" + NameOf(graph_, node) +
                                       "'");
  }
  for (const Affine& candidate : candidates) {
    const size_t edits = edits_.size();
    if (Absorb(node.outputs[0], candidate)) return true;
    edits_.resize(edits);
  }
  return false;
}

bool ForwardFold::ThroughMean(const Node& node, const Affine& affine) {
  const auto* reduce = node.As<fb::ReduceT>();
  const auto axes = FieldOrInput(graph_, node, reduce->axes, 1);
  const Type& type = TypeOf(graph_, node.inputs[0]);
  const std::string what = "'" + NameOf(graph_, node) + "'";
  if (reduce->kind != fb::ReduceKind::Mean || !axes || axes->empty() || !type.ranked) {
    return Refuse("BN_OUTPUT_MULTI_USE", "its reader " + what + " is not linear");
  }
  Affine behind = affine;
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, type.rank());
    if (!normal.ok() || normal.value() == affine.axis) {
      return Refuse("AXIS_MISMATCH", what + " takes the mean over its channels");
    }
    if (!reduce->keepdims && normal.value() < affine.axis) --behind.axis;
  }
  return Absorb(node.outputs[0], behind);
}

void ForwardFold::Commit(Graph& graph, Uses& uses, const Node& source) {
  std::string into;
  for (LinearEdit& edit : edits_) {
    Node& node = graph.nodes[edit.node];
    AddSources(node, source);
    into += (into.empty() ? "" : ", ") + NameOf(graph, node);
    const size_t index = edit.node;
    uses.Forget(graph, index);
    Apply(graph, std::move(edit));
    uses.Learn(graph, index);
  }
  MarkFolded(graph, source, kind_, into);
}

bool SaysMore(const std::string& code) {
  return code == "PAD_SHIFT" || code == "CONVT_SHIFT" || code == "GEMM_BIAS_SHAPE" ||
         code == "OVERFLOW" || code == "UNDERFLOW";
}

}  // namespace

Status FoldForward(Graph& graph) {
  Uses uses(graph);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    if (scale_shift == nullptr || !IsNone(scale_shift->activation) ||
        graph.ConstantOf(node.inputs[1]) == nullptr ||
        graph.ConstantOf(node.inputs[2]) == nullptr) {
      continue;
    }
    const Affine affine = AffineOf(graph, node);
    if (!affine.IsFinite()) continue;
    ForwardFold fold(graph, uses);
    if (!fold.Absorb(node.outputs[0], affine)) {
      if (SaysMore(fold.refusal().code)) Keep(graph, node, fold.refusal());
      continue;
    }
    fold.Commit(graph, uses, node);
    const ValueId input = node.inputs[0], output = node.outputs[0];
    uses.Forget(graph, i);
    Empty(node);
    uses.ReplaceUses(graph, output, input);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
