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

// One attempt. Absorb collects what to change; nothing changes before Commit.
class BackwardFold {
 public:
  BackwardFold(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // Whether the maker of `id` can make affine(id) instead.
  bool Absorb(ValueId id, const Affine& affine);
  // Changes the graph; what `source` stands for goes into the operators found. REQUIRES: Absorb
  // returned true, and the graph is the same.
  void Commit(Graph& graph, const Node& source);

  const Refusal& refusal() const { return refusal_; }
  const std::string& kind() const { return kind_; }

 private:
  struct AffineEdit {
    size_t node;
    Affine affine;
  };

  bool Refuse(std::string code, std::string sentence) {
    refusal_ = {std::move(code), std::move(sentence)};
    return false;
  }
  bool Refuse(const Refusal& refusal, const std::string& name) {
    return Refuse(refusal.code, refusal.sentence + " in '" + name + "'");
  }
  bool IntoLinear(size_t index, const Affine& affine);
  bool IntoAffine(size_t index, const Affine& affine);
  bool IntoConcat(const Node& node, const Affine& affine);
  bool IntoSum(const Node& node, const Affine& affine);
  bool Through(const Node& node, const Affine& affine);
  bool ThroughActivation(const Node& node, const Affine& affine);

  const Graph& graph_;
  const Uses& uses_;
  std::vector<LinearEdit> linear_;
  std::vector<AffineEdit> affine_;
  Refusal refusal_;
  std::string kind_;
};

bool BackwardFold::Absorb(ValueId id, const Affine& affine) {
  const std::string& name = graph_.values[static_cast<size_t>(id)].name;
  const int maker = uses_.Maker(id);
  if (maker < 0) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + name + "' is an input of the network or a constant");
  }
  const Node& node = graph_.nodes[static_cast<size_t>(maker)];
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
  if (linear) return IntoLinear(static_cast<size_t>(maker), affine);
  if (rearranges) return Through(node, affine);
  if (node.As<fb::ScaleShiftT>() != nullptr) {
    return IntoAffine(static_cast<size_t>(maker), affine);
  }
  if (node.As<fb::ConcatT>() != nullptr) return IntoConcat(node, affine);
  if (unary != nullptr) return ThroughActivation(node, affine);
  return IntoSum(node, affine);
}

bool BackwardFold::IntoLinear(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  const auto* conv = node.As<fb::ConvT>();
  const auto* transposed = node.As<fb::ConvTransposeT>();
  const auto* product = node.As<fb::MatMulT>();
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
  BiasOrRefusal read = ReadBias(graph_, node, affine.channels());
  if (read.refusal) return Refuse(read.refusal->code, read.refusal->sentence);
  for (size_t i = 0; i < read.bias.numbers.size(); ++i) {
    const size_t c = i % affine.channels();
    read.bias.numbers[i] = read.bias.numbers[i] * affine.scale[c] + affine.shift[c];
  }
  if (auto refusal = CheckRange(read.bias.numbers)) return Refuse(*refusal, name);
  LinearEdit edit{.node = index};
  if (!affine.IsShiftOnly()) {
    edit.weights = runtime::ToDoubles(*graph_.ConstantOf(node.inputs[1]));
    if (auto refusal = ScaleWeights(*map, /*by_output=*/true, affine.scale, *edit.weights)) {
      return Refuse(*refusal, name);
    }
  }
  if (!affine.IsScaleOnly() || node.input(2) != kNoValue) edit.bias = std::move(read.bias);
  linear_.push_back(std::move(edit));
  kind_ = conv != nullptr ? "conv" : transposed != nullptr ? "conv_transpose" : "matmul";
  return true;
}

bool BackwardFold::IntoAffine(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  const Affine before = AffineOf(graph_, node);
  if (!IsNone(node.As<fb::ScaleShiftT>()->activation)) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + name + "' already ends in an activation");
  }
  if (before.axis != affine.axis || before.channels() != affine.channels()) {
    return Refuse("AXIS_MISMATCH", "'" + name + "' scales along axis " +
                                       std::to_string(before.axis) + ", not " +
                                       std::to_string(affine.axis));
  }
  Affine composed = Compose(before, affine);
  for (const auto* numbers : {&composed.scale, &composed.shift}) {
    if (auto refusal = CheckRange(*numbers)) return Refuse(*refusal, name);
  }
  affine_.push_back({index, std::move(composed)});
  kind_ = "affine";
  return true;
}

bool BackwardFold::IntoConcat(const Node& node, const Affine& affine) {
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
    if (!Absorb(input, part)) return false;
  }
  return true;
}

bool BackwardFold::IntoSum(const Node& node, const Affine& affine) {
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
  if (Absorb(node.inputs[0], affine) && Absorb(node.inputs[1], scale_only)) {
    return true;
  }
  return Refuse("ADD_ONE_SIDED", "one side of the sum '" + NameOf(graph_, node) +
                                     "' cannot take the scale: " + refusal_.sentence);
}

bool BackwardFold::Through(const Node& node, const Affine& affine) {
  const std::vector<Affine> candidates = BeforeRearrangement(graph_, node, affine);
  if (candidates.empty()) {
    return Refuse("AXIS_MISMATCH", "its channels are not an axis before " +
                                       std::string(node.OpName()) + " '" + NameOf(graph_, node) +
                                       "'");
  }
  for (const Affine& candidate : candidates) {
    const size_t linear = linear_.size(), affine_edits = affine_.size();
    if (Absorb(node.inputs[0], candidate)) return true;
    linear_.resize(linear);
    affine_.resize(affine_edits);
  }
  return false;
}

bool BackwardFold::ThroughActivation(const Node& node, const Affine& affine) {
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
  return Absorb(node.inputs[0], affine);
}

void BackwardFold::Commit(Graph& graph, const Node& source) {
  std::string into;
  const auto absorb = [&](size_t index) {
    AddSources(graph.nodes[index], source);
    into += (into.empty() ? "" : ", ") + NameOf(graph, graph.nodes[index]);
  };
  for (LinearEdit& edit : linear_) {
    absorb(edit.node);
    Apply(graph, std::move(edit));
  }
  for (const AffineEdit& edit : affine_) {
    absorb(edit.node);
    SetAffine(graph, graph.nodes[edit.node], edit.affine);
  }
  MarkFolded(graph, source, kind_, into);
}

void FoldOne(Graph& graph, size_t index) {
  const Uses uses(graph);
  Node& node = graph.nodes[index];
  const ValueId input = node.inputs[0];
  const Affine affine = AffineOf(graph, node);
  if (!affine.IsFinite()) {
    return Keep(graph, node, {"BN_BAD_VARIANCE", "its scale or shift is not a finite number"});
  }
  BackwardFold fold(graph, uses);
  if (!fold.Absorb(input, affine)) return Keep(graph, node, fold.refusal());
  fold.Commit(graph, node);
  Node& maker = graph.nodes[static_cast<size_t>(uses.Maker(input))];
  std::replace(maker.outputs.begin(), maker.outputs.end(), input, node.outputs[0]);
  Empty(node);
}

}  // namespace

Status FoldBackward(Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    const bool known = scale_shift != nullptr && IsNone(scale_shift->activation) &&
                       graph.ConstantOf(node.inputs[1]) != nullptr &&
                       graph.ConstantOf(node.inputs[2]) != nullptr;
    if (known) FoldOne(graph, i);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
