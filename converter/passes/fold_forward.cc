// Before: x -> ScaleShift(s, t) -> views -> Conv | ConvTranspose | MatMul (w, b), for every reader
// After:  x -> views -> the same with w' = w * s[c], b' = b + sum over taps, c of w * t[c]
// Condition: every reader is such an operator with constant weights, the channel axis is proved to
//   be its axis of input channels c, and the shift meets every tap: a Conv has no padding (the sum
//   is wrong at a padded border) and a ConvTranspose none at all (its outputs see varying taps),
//   unless t = 0.
// Formula: in double; Gemm's bias becomes beta * b + alpha * sum with beta = 1.
#include <algorithm>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

class ForwardFold {
 public:
  ForwardFold(Graph& graph, const Uses& uses, const Node& source)
      : graph_(graph), uses_(uses), source_(source) {}

  // Whether all readers of `id` can take affine(id) upon themselves; with `commit` they do.
  bool Absorb(ValueId id, const Affine& affine, bool commit);

  const Refusal& refusal() const { return refusal_; }
  const std::string& kind() const { return kind_; }
  const std::string& into() const { return into_; }

 private:
  bool Refuse(std::string code, std::string sentence) {
    refusal_ = {std::move(code), std::move(sentence)};
    return false;
  }
  bool IntoLinear(Node& node, const Affine& affine, bool commit);
  bool Through(Node& node, const Affine& affine, bool commit);
  std::optional<std::vector<double>> Bias(const Node& node, const std::vector<double>& sums,
                                          Shape* shape);

  Graph& graph_;
  const Uses& uses_;
  const Node& source_;
  Refusal refusal_;
  std::string kind_;
  std::string into_;
};

bool HasPadding(const fb::WindowT& window, int64_t taps) {
  if (window.auto_pad == fb::AutoPad::SameUpper || window.auto_pad == fb::AutoPad::SameLower) {
    return taps != 1;
  }
  return std::any_of(window.pads.begin(), window.pads.end(), [](int64_t pad) { return pad != 0; });
}

bool ForwardFold::Absorb(ValueId id, const Affine& affine, bool commit) {
  const std::vector<int>& readers = uses_.Readers(id);
  if (readers.empty()) return Refuse("BN_OUTPUT_MULTI_USE", "nobody reads its result");
  for (int reader : readers) {
    if (reader < 0) return Refuse("BN_OUTPUT_MULTI_USE", "its result is an output of the network");
    Node& node = graph_.nodes[static_cast<size_t>(reader)];
    if (node.input(0) != id || std::count(node.inputs.begin(), node.inputs.end(), id) != 1) {
      return Refuse("BN_OUTPUT_MULTI_USE",
                    "'" + NameOf(graph_, node) + "' reads its result as another operand");
    }
    if (IsRearrangement(node)) {
      if (!Through(node, affine, commit)) return false;
    } else if (node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr ||
               node.As<fb::MatMulT>() != nullptr) {
      if (!IntoLinear(node, affine, commit)) return false;
    } else {
      return Refuse("BN_OUTPUT_MULTI_USE", "its reader " + std::string(node.OpName()) + " '" +
                                               NameOf(graph_, node) + "' is not linear");
    }
  }
  return true;
}

std::optional<std::vector<double>> ForwardFold::Bias(const Node& node,
                                                     const std::vector<double>& sums,
                                                     Shape* shape) {
  const auto channels = static_cast<int64_t>(sums.size());
  const auto* product = node.As<fb::MatMulT>();
  const double alpha = product != nullptr ? static_cast<double>(product->alpha) : 1;
  const double beta = product != nullptr ? static_cast<double>(product->beta) : 1;
  std::vector<double> bias(sums.size(), 0);
  *shape = {channels};
  if (node.input(2) != kNoValue) {
    const Tensor* old = graph_.ConstantOf(node.input(2));
    if (old == nullptr) {
      Refuse("WEIGHT_NOT_CONST", "the bias of '" + NameOf(graph_, node) + "' is not constant");
      return std::nullopt;
    }
    bias = runtime::ToDoubles(*old);
    if (!old->shape().empty() && old->shape().back() == channels) {
      *shape = old->shape();
    } else if (bias.size() == 1) {
      bias.assign(sums.size(), bias[0]);
    } else {
      Refuse("GEMM_BIAS_SHAPE", "the bias of '" + NameOf(graph_, node) + "' has shape " +
                                    runtime::ShapeText(old->shape()) +
                                    " and would have to grow to hold a shift per column");
      return std::nullopt;
    }
  }
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = beta * bias[i] + alpha * sums[i % sums.size()];
  return bias;
}

bool ForwardFold::IntoLinear(Node& node, const Affine& affine, bool commit) {
  const std::string name = NameOf(graph_, node);
  const auto* conv = node.As<fb::ConvT>();
  const auto* transposed = node.As<fb::ConvTransposeT>();
  auto* product = node.As<fb::MatMulT>();
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
  if (!affine.IsScaleOnly()) {
    if (conv != nullptr && HasPadding(*conv->window, map->taps)) {
      return Refuse("PAD_SHIFT", "'" + name + "' pads with zeros, which its shift must not touch");
    }
    if (transposed != nullptr) {
      return Refuse("CONVT_SHIFT", "its shift would differ from place to place behind the " +
                                       std::string("transposed convolution '") + name + "'");
    }
  }
  std::vector<double> weights = runtime::ToDoubles(*graph_.ConstantOf(node.inputs[1]));
  Shape bias_shape;
  const auto bias = Bias(node, SumOfShifts(*map, weights, affine.shift), &bias_shape);
  if (!bias) return false;
  auto refusal = CheckBias(*bias);
  if (!refusal) refusal = ScaleWeights(*map, /*by_output=*/false, affine.scale, weights);
  if (refusal) return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
  if (!commit) return true;
  const Value& old = graph_.values[static_cast<size_t>(node.inputs[1])];
  if (!affine.IsShiftOnly()) {
    node.inputs[1] = AddDoubles(graph_, std::string(old.name), weights, Shape(old.type.shape));
  }
  if (!affine.IsScaleOnly()) {
    if (node.inputs.size() < 3) node.inputs.resize(3, kNoValue);
    const std::string bias_name = node.inputs[2] == kNoValue
                                      ? name + ".bias"
                                      : graph_.values[static_cast<size_t>(node.inputs[2])].name;
    node.inputs[2] = AddDoubles(graph_, bias_name, *bias, bias_shape);
    if (product != nullptr) product->beta = 1;
  }
  AddSources(node, source_);
  kind_ = conv != nullptr         ? "next_conv"
          : transposed != nullptr ? "next_conv_transpose"
                                  : "next_matmul";
  into_ += (into_.empty() ? "" : ", ") + name;
  return true;
}

bool ForwardFold::Through(Node& node, const Affine& affine, bool commit) {
  const std::vector<Affine> candidates = AfterRearrangement(graph_, node, affine);
  if (candidates.empty()) {
    return Refuse("AXIS_MISMATCH", "its channels are not an axis behind " +
                                       std::string(node.OpName()) + " '" + NameOf(graph_, node) +
                                       "'");
  }
  for (const Affine& candidate : candidates) {
    if (Absorb(node.outputs[0], candidate, /*commit=*/false)) {
      return !commit || Absorb(node.outputs[0], candidate, /*commit=*/true);
    }
  }
  return false;
}

bool SaysMore(const std::string& code) {
  return code == "PAD_SHIFT" || code == "CONVT_SHIFT" || code == "GEMM_BIAS_SHAPE" ||
         code == "OVERFLOW" || code == "UNDERFLOW";
}

}  // namespace

Status FoldForward(Graph& graph) {
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
    const Uses uses(graph);
    ForwardFold fold(graph, uses, node);
    if (!fold.Absorb(node.outputs[0], affine, /*commit=*/false)) {
      if (SaysMore(fold.refusal().code)) Keep(graph, node, fold.refusal());
      continue;
    }
    PLEAT_CHECK(fold.Absorb(node.outputs[0], affine, /*commit=*/true),
                "what folds once folds again");
    MarkFolded(graph, node, fold.kind(), fold.into());
    graph.ReplaceUses(node.outputs[0], node.inputs[0]);
    Empty(node);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
