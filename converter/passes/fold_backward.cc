// Before: x -> Conv | ConvTranspose | MatMul | ScaleShift (w, b) -> views -> ScaleShift(s, t) -> y
// After:  x -> the same with w' = w * s[m], b' = b * s[m] + t[m] -> views -> y
// Condition: every value between is read once and is no graph output, the weights are constant,
//   and the channel axis is proved to be the axis of the operator's output channels m.
// Formula: in double; Gemm's alpha stays, its bias becomes beta * b * s + t with beta = 1. Through
//   Concat each part takes its slice of s and t; through a sum of two both take s and one takes t;
//   through Relu, LeakyRelu s alone moves where all s > 0.
#include <algorithm>
#include <limits>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"
#include "converter/passes/passes.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

using kernels::UnaryKind;

// One attempt: first a dry run of Absorb that finds out, then one that commits.
class BackwardFold {
 public:
  BackwardFold(Graph& graph, const Uses& uses, const Node& source)
      : graph_(graph), uses_(uses), source_(source) {}

  // Whether the maker of `id` can make affine(id) instead; with `commit` it does.
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
  bool IntoAffine(Node& node, const Affine& affine, bool commit);
  bool IntoConcat(Node& node, const Affine& affine, bool commit);
  bool IntoSum(Node& node, const Affine& affine, bool commit);
  bool Through(Node& node, const Affine& affine, bool commit);
  bool ThroughActivation(Node& node, const Affine& affine, bool commit);
  // The bias of the node under `affine` as a new list, and its shape; nothing when refused.
  std::optional<std::vector<double>> Bias(const Node& node, const Affine& affine, Shape* shape);
  void Done(Node& node, const char* kind);

  Graph& graph_;
  const Uses& uses_;
  const Node& source_;
  Refusal refusal_;
  std::string kind_;
  std::string into_;
};

bool BackwardFold::Absorb(ValueId id, const Affine& affine, bool commit) {
  const std::string& name = graph_.values[static_cast<size_t>(id)].name;
  const int maker = uses_.Maker(id);
  if (maker < 0) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + name + "' is an input of the network or a constant");
  }
  Node& node = graph_.nodes[static_cast<size_t>(maker)];
  const bool linear = node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr ||
                      node.As<fb::MatMulT>() != nullptr;
  const std::string what = std::string(node.OpName()) + " '" + NameOf(graph_, node) + "'";
  const bool rearranges = IsRearrangement(node);
  const auto* binary = node.As<fb::BinaryT>();
  const auto* unary = node.As<fb::UnaryT>();
  const bool sum =
      binary != nullptr && binary->kind == fb::BinaryKind::Add && IsNone(binary->activation);
  if (!linear && !rearranges && node.As<fb::ScaleShiftT>() == nullptr &&
      node.As<fb::ConcatT>() == nullptr && !sum && unary == nullptr) {
    return Refuse("PRODUCER_NOT_LINEAR", "it reads the result of " + what + ", not a linear step");
  }
  if (uses_.IsOutput(id)) {
    return Refuse("PRODUCER_IS_OUTPUT",
                  "'" + name + "', made by " + what + ", is also an output of the network");
  }
  if (uses_.Readers(id).size() != 1) {
    return Refuse("PRODUCER_MULTI_USE", "'" + name + "', made by " + what + ", is read " +
                                            std::to_string(uses_.Readers(id).size()) + " times");
  }
  if (linear) return IntoLinear(node, affine, commit);
  if (rearranges) return Through(node, affine, commit);
  if (node.As<fb::ScaleShiftT>() != nullptr) return IntoAffine(node, affine, commit);
  if (node.As<fb::ConcatT>() != nullptr) return IntoConcat(node, affine, commit);
  if (unary != nullptr) return ThroughActivation(node, affine, commit);
  return IntoSum(node, affine, commit);
}

std::optional<std::vector<double>> BackwardFold::Bias(const Node& node, const Affine& affine,
                                                      Shape* shape) {
  const size_t channels = affine.channels();
  std::vector<double> bias(channels, 0);
  *shape = {static_cast<int64_t>(channels)};
  if (node.input(2) != kNoValue) {
    const Tensor* old = graph_.ConstantOf(node.input(2));
    if (old == nullptr) {
      Refuse("WEIGHT_NOT_CONST", "the bias of '" + NameOf(graph_, node) + "' is not constant");
      return std::nullopt;
    }
    bias = runtime::ToDoubles(*old);
    const bool by_column =
        !old->shape().empty() && old->shape().back() == static_cast<int64_t>(channels);
    if (!by_column && bias.size() != 1) {
      Refuse("GEMM_BIAS_SHAPE", "the bias of '" + NameOf(graph_, node) + "' has shape " +
                                    runtime::ShapeText(old->shape()) +
                                    " and would have to grow to hold a shift per column");
      return std::nullopt;
    }
    if (by_column) {
      *shape = old->shape();
    } else {
      bias.assign(channels, bias[0]);
    }
  }
  const auto* product = node.As<fb::MatMulT>();
  const double beta = product != nullptr ? static_cast<double>(product->beta) : 1;
  for (size_t i = 0; i < bias.size(); ++i) {
    const size_t c = i % channels;
    bias[i] = beta * bias[i] * affine.scale[c] + affine.shift[c];
  }
  return bias;
}

bool BackwardFold::IntoLinear(Node& node, const Affine& affine, bool commit) {
  const std::string name = NameOf(graph_, node);
  const auto* conv = node.As<fb::ConvT>();
  const auto* transposed = node.As<fb::ConvTransposeT>();
  auto* product = node.As<fb::MatMulT>();
  const fb::Activation& activation = conv != nullptr         ? conv->activation
                                     : transposed != nullptr ? transposed->activation
                                                             : product->activation;
  if (!IsNone(activation) || node.input(3) != kNoValue) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + name + "' already ends in an activation or a sum");
  }
  if (graph_.ConstantOf(node.input(1)) == nullptr) {
    return Refuse("WEIGHT_NOT_CONST", "the weights of '" + name + "' are not constant");
  }
  const auto map = MapWeights(graph_, node);
  if (!map) {
    return Refuse("AXIS_MISMATCH", "the weights of '" + name + "' have no axis of channels");
  }
  const Type& output = TypeOf(graph_, node.outputs[0]);
  const int axis = product != nullptr ? output.rank() - 1 : 1;
  if (!output.ranked || affine.axis != axis ||
      map->outputs != static_cast<int64_t>(affine.channels())) {
    return Refuse("AXIS_MISMATCH", "its channels run along axis " + std::to_string(affine.axis) +
                                       " of the result of '" + name +
                                       "', whose output channels are axis " + std::to_string(axis));
  }
  Shape bias_shape;
  const auto bias = Bias(node, affine, &bias_shape);
  if (!bias) return false;
  if (auto refusal = CheckBias(*bias)) return Refuse(refusal->code, refusal->sentence);
  std::optional<std::vector<double>> weights;
  if (!affine.IsShiftOnly()) {
    weights = runtime::ToDoubles(*graph_.ConstantOf(node.inputs[1]));
    if (auto refusal = ScaleWeights(*map, /*by_output=*/true, affine.scale, *weights)) {
      return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
    }
  }
  if (!commit) return true;
  if (weights) {
    const Value& old = graph_.values[static_cast<size_t>(node.inputs[1])];
    node.inputs[1] = AddDoubles(graph_, std::string(old.name), *weights, Shape(old.type.shape));
  }
  if (node.inputs.size() < 3) node.inputs.resize(3, kNoValue);
  if (!affine.IsScaleOnly() || node.inputs[2] != kNoValue) {
    const std::string bias_name = node.inputs[2] == kNoValue
                                      ? name + ".bias"
                                      : graph_.values[static_cast<size_t>(node.inputs[2])].name;
    node.inputs[2] = AddDoubles(graph_, bias_name, *bias, bias_shape);
    if (product != nullptr) product->beta = 1;
  }
  Done(node, conv != nullptr ? "conv" : transposed != nullptr ? "conv_transpose" : "matmul");
  return true;
}

bool BackwardFold::IntoAffine(Node& node, const Affine& affine, bool commit) {
  const Affine before = AffineOf(graph_, node);
  if (!IsNone(node.As<fb::ScaleShiftT>()->activation)) {
    return Refuse("PRODUCER_NOT_LINEAR",
                  "'" + NameOf(graph_, node) + "' already ends in an activation");
  }
  if (before.axis != affine.axis || before.channels() != affine.channels()) {
    return Refuse("AXIS_MISMATCH", "'" + NameOf(graph_, node) + "' scales along axis " +
                                       std::to_string(before.axis) + ", not " +
                                       std::to_string(affine.axis));
  }
  const Affine composed = Compose(before, affine);
  for (const auto* numbers : {&composed.scale, &composed.shift}) {
    if (auto refusal = CheckBias(*numbers)) return Refuse(refusal->code, refusal->sentence);
  }
  if (!commit) return true;
  SetAffine(graph_, node, composed);
  Done(node, "affine");
  return true;
}

bool BackwardFold::IntoConcat(Node& node, const Affine& affine, bool commit) {
  const int rank = TypeOf(graph_, node.outputs[0]).rank();
  const auto axis = runtime::NormalizeAxis(node.As<fb::ConcatT>()->axis, rank);
  if (!axis.ok()) return Refuse("AXIS_MISMATCH", "the axis of the concatenation is not known");
  size_t begin = 0;
  for (ValueId input : node.inputs) {
    Affine part = affine;
    if (axis.value() == affine.axis) {
      const int64_t size = TypeOf(graph_, input).ranked
                               ? TypeOf(graph_, input).shape[static_cast<size_t>(affine.axis)]
                               : kUnknownDim;
      if (size < 0 || begin + static_cast<size_t>(size) > affine.channels()) {
        return Refuse("DYNAMIC_SHAPE", "the parts of '" + NameOf(graph_, node) + "' vary in size");
      }
      const auto take = [&](const std::vector<double>& all) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
        return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(size));
      };
      part.scale = take(affine.scale);
      part.shift = take(affine.shift);
      begin += static_cast<size_t>(size);
    }
    if (!Absorb(input, part, commit)) return false;
  }
  return true;
}

bool BackwardFold::IntoSum(Node& node, const Affine& affine, bool commit) {
  const Type& output = TypeOf(graph_, node.outputs[0]);
  for (ValueId input : node.inputs) {
    const Type& type = TypeOf(graph_, input);
    if (!type.ranked || type.rank() != output.rank() ||
        type.shape[static_cast<size_t>(affine.axis)] != static_cast<int64_t>(affine.channels())) {
      return Refuse("ADD_ONE_SIDED", "the two sides of the sum '" + NameOf(graph_, node) +
                                         "' do not both have its channels");
    }
  }
  Affine scale_only = affine;
  std::fill(scale_only.shift.begin(), scale_only.shift.end(), 0.0);
  if (Absorb(node.inputs[0], affine, commit) && Absorb(node.inputs[1], scale_only, commit)) {
    return true;
  }
  return Refuse("ADD_ONE_SIDED", "one side of the sum '" + NameOf(graph_, node) +
                                     "' cannot take the scale: " + refusal_.sentence);
}

bool BackwardFold::Through(Node& node, const Affine& affine, bool commit) {
  const std::vector<Affine> candidates = BeforeRearrangement(graph_, node, affine);
  if (candidates.empty()) {
    return Refuse("AXIS_MISMATCH", "its channels are not an axis before " +
                                       std::string(node.OpName()) + " '" + NameOf(graph_, node) +
                                       "'");
  }
  for (const Affine& candidate : candidates) {
    if (Absorb(node.inputs[0], candidate, /*commit=*/false)) {
      return !commit || Absorb(node.inputs[0], candidate, /*commit=*/true);
    }
  }
  return false;
}

bool BackwardFold::ThroughActivation(Node& node, const Affine& affine, bool commit) {
  const fb::Activation& activation = node.As<fb::UnaryT>()->activation;
  const auto kind = static_cast<UnaryKind>(activation.kind());
  const bool relu = kind == UnaryKind::kClip && activation.a() == 0 &&
                    activation.b() >= std::numeric_limits<float>::max();
  const std::string what = "the activation '" + NameOf(graph_, node) + "'";
  if (!relu && kind != UnaryKind::kLeakyRelu) {
    return Refuse("ACT_NOT_HOMOGENEOUS", what + " stands between it and the linear step");
  }
  if (!affine.IsScaleOnly()) {
    return Refuse("PRODUCER_NOT_LINEAR", "its shift cannot pass " + what);
  }
  if (std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s <= 0; })) {
    return Refuse("NEG_SCALE", "a scale that is not positive cannot pass " + what);
  }
  return Absorb(node.inputs[0], affine, commit);
}

void BackwardFold::Done(Node& node, const char* kind) {
  AddSources(node, source_);
  kind_ = kind;
  into_ += (into_.empty() ? "" : ", ") + NameOf(graph_, node);
}

bool FoldOne(Graph& graph, size_t index) {
  const Uses uses(graph);
  Node& node = graph.nodes[index];
  const ValueId input = node.inputs[0];
  const Affine affine = AffineOf(graph, node);
  BackwardFold fold(graph, uses, node);
  if (!affine.IsFinite()) {
    Keep(graph, node, {"BN_BAD_VARIANCE", "its scale or shift is not a finite number"});
    return false;
  }
  if (!IsNone(node.As<fb::ScaleShiftT>()->activation)) return false;
  if (!fold.Absorb(input, affine, /*commit=*/false)) {
    Keep(graph, node, fold.refusal());
    return false;
  }
  PLEAT_CHECK(fold.Absorb(input, affine, /*commit=*/true), "what folds once folds again");
  MarkFolded(graph, node, fold.kind(), fold.into());
  Node& maker = graph.nodes[static_cast<size_t>(uses.Maker(input))];
  std::replace(maker.outputs.begin(), maker.outputs.end(), input, node.outputs[0]);
  Empty(node);
  return true;
}

}  // namespace

Status FoldBackward(Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.As<fb::ScaleShiftT>() == nullptr || graph.ConstantOf(node.inputs[1]) == nullptr ||
        graph.ConstantOf(node.inputs[2]) == nullptr) {
      continue;
    }
    FoldOne(graph, i);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
