#include "converter/passes/forward_fold.h"

#include <algorithm>
#include <cmath>

#include "converter/seeded_bugs.h"

namespace pleat::converter {
namespace {

bool HasPadding(const fb::WindowT& window, int64_t taps) {
  if (window.auto_pad == fb::AutoPad::SameUpper || window.auto_pad == fb::AutoPad::SameLower) {
    return taps != 1;
  }
  return std::any_of(window.pads.begin(), window.pads.end(), [](int64_t pad) { return pad != 0; });
}

}  // namespace

bool ForwardFold::Absorb(ValueId id, const Affine& affine) {
  tries_ += static_cast<int>(uses_.Readers(id).size());
  if (depth_ == kMaxDepth || tries_ > kMaxTries) {
    return Refuse("BN_OUTPUT_MULTI_USE", "too many steps lie between it and linear ones");
  }
  ++depth_;
  const bool absorbed = AbsorbByAll(id, affine);
  --depth_;
  return absorbed;
}

bool ForwardFold::AbsorbByAll(ValueId id, const Affine& affine) {
  const std::vector<int>& readers = uses_.Readers(id);
  const Node* taker = nullptr;
  std::optional<Refusal> refusal;
  for (int reader : readers) {
    if (reader < 0) {
      refusal = {"BN_OUTPUT_MULTI_USE", "its result is an output of the network"};
      continue;
    }
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    if (AsksForShape(node)) continue;
    if (AbsorbBy(node, static_cast<size_t>(reader), id, affine)) {
      taker = &node;
    } else {
      refusal = refusal_;
    }
  }
  if (!refusal && taker == nullptr) refusal = {"BN_OUTPUT_MULTI_USE", "nobody reads its result"};
  if (!refusal) return true;
  if (taker != nullptr) {
    several_ = true;
    return Refuse("BN_OUTPUT_MULTI_USE", "'" + NameOf(graph_, *taker) + "' could take it, but " +
                                             refusal->sentence);
  }
  refusal_ = *refusal;
  return false;
}

bool ForwardFold::AbsorbBy(const Node& node, size_t index, ValueId id, const Affine& affine) {
  const std::string what = std::string(node.OpName()) + " '" + NameOf(graph_, node) + "'";
  if (std::count(node.inputs.begin(), node.inputs.end(), id) != 1) {
    return Refuse("BN_OUTPUT_MULTI_USE", what + " reads its result twice");
  }
  if (node.As<fb::ConcatT>() != nullptr) return ThroughConcat(node, id, affine);
  if (node.input(0) != id) {
    return Refuse("BN_OUTPUT_MULTI_USE", what + " reads its result as another operand");
  }
  if (node.As<fb::ConvT>() != nullptr || node.As<fb::MatMulT>() != nullptr ||
      node.As<fb::ConvTransposeT>() != nullptr) {
    return IntoLinear(index, affine);
  }
  if (node.As<fb::RecurrentT>() != nullptr) return IntoRecurrent(index, affine);
  if (IsRearrangement(node)) return Through(node, affine);
  if (node.As<fb::ReduceT>() != nullptr) return ThroughMean(node, affine);
  if (node.As<fb::PoolT>() != nullptr) return ThroughPool(node, affine);
  if (node.As<fb::PadT>() != nullptr) return ThroughPad(node, affine);
  if (node.As<fb::SliceT>() != nullptr) return ThroughSlice(node, affine);
  if (node.As<fb::SplitT>() != nullptr) return ThroughSplit(node, affine);
  if (node.As<fb::GatherT>() != nullptr) return ThroughGather(node, affine);
  if (PassesUnchanged(node, affine)) return Absorb(node.outputs[0], affine);
  return Refuse("BN_OUTPUT_MULTI_USE", "its reader " + what + " is not linear");
}

// y = op(x) for which op(s * x + t) = s * op(x) + t holds whatever s and t are.
bool ForwardFold::PassesUnchanged(const Node& node, const Affine& affine) const {
  const auto* resize = node.As<fb::ResizeT>();
  if (resize == nullptr || resize->mode == fb::ResizeMode::Cubic ||
      resize->coordinates == fb::CoordinateMode::TfCropAndResize) {
    return false;
  }
  const Type& x = TypeOf(graph_, node.inputs[0]);
  const Type& y = TypeOf(graph_, node.outputs[0]);
  const auto axis = static_cast<size_t>(affine.axis);
  return x.ranked && y.ranked && x.shape[axis] != kUnknownDim && x.shape[axis] == y.shape[axis];
}

bool ForwardFold::ThroughPool(const Node& node, const Affine& affine) {
  const auto* pool = node.As<fb::PoolT>();
  const std::string what = "'" + NameOf(graph_, node) + "'";
  const bool indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
  if (affine.axis != 1 || pool->kind == fb::PoolKind::Lp || pool->channels_last || indices) {
    return Refuse("BN_OUTPUT_MULTI_USE", "its reader " + what + " is not linear");
  }
  if (pool->kind == fb::PoolKind::Max) {
    if (std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s < 0; })) {
      return Refuse("NEG_SCALE", "a negative scale cannot pass the maximum of " + what);
    }
  } else if (pool->count_include_pad && !affine.IsScaleOnly() &&
             !Seeded(SeededBug::kCountIncludePad) &&
             (HasPadding(*pool->window, 0) || pool->ceil_mode)) {
    return Refuse("POOL_INCLUDE_PAD", what + " counts zeros around the image, which its shift " +
                                          "must not touch");
  }
  return Absorb(node.outputs[0], affine);
}

bool ForwardFold::ThroughPad(const Node& node, const Affine& affine) {
  const std::string what = "'" + NameOf(graph_, node) + "'";
  const auto pads = KnownInt64s(graph_, node.inputs[1]);
  const auto axes = KnownInt64s(graph_, node.input(3));
  const int rank = TypeOf(graph_, node.inputs[0]).rank();
  if (!pads || (node.input(3) != kNoValue && !axes)) {
    return Refuse("DYNAMIC_SHAPE", "the pads of " + what + " are not known");
  }
  const size_t count = pads->size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const auto axis = runtime::NormalizeAxis(axes ? (*axes)[i] : static_cast<int64_t>(i), rank);
    if (!axis.ok()) return Refuse("AXIS_MISMATCH", "the axes of " + what + " are not known");
    if (axis.value() == affine.axis && ((*pads)[i] != 0 || (*pads)[i + count] != 0)) {
      return Refuse("AXIS_MISMATCH", what + " pads its channels");
    }
  }
  const bool zero = node.input(2) == kNoValue || KnownScalar(graph_, node.input(2)) == 0.0;
  if (node.As<fb::PadT>()->mode == fb::PadMode::Constant && !(zero && affine.IsScaleOnly())) {
    return Refuse("PAD_SHIFT", what + " pads with a constant, which its shift must not touch");
  }
  return Absorb(node.outputs[0], affine);
}

bool ForwardFold::AbsorbTaken(ValueId id, const Affine& affine,
                              const std::vector<int64_t>& source) {
  Affine taken{.axis = affine.axis};
  for (const int64_t c : source) {
    if (c < 0 || c >= static_cast<int64_t>(affine.channels())) {
      return Refuse("DYNAMIC_SHAPE", "which of its channels are read is not known");
    }
    taken.scale.push_back(affine.scale[static_cast<size_t>(c)]);
    taken.shift.push_back(affine.shift[static_cast<size_t>(c)]);
  }
  return Absorb(id, taken);
}

bool ForwardFold::ThroughSlice(const Node& node, const Affine& affine) {
  const std::string what = "'" + NameOf(graph_, node) + "'";
  const Type& x = TypeOf(graph_, node.inputs[0]);
  const Type& y = TypeOf(graph_, node.outputs[0]);
  const auto starts = KnownInt64s(graph_, node.input(1));
  const auto axes = KnownInt64s(graph_, node.input(3));
  const auto steps = KnownInt64s(graph_, node.input(4));
  const bool all_axes = node.input(3) == kNoValue;
  if (!x.ranked || !y.ranked || (!all_axes && !axes) || (all_axes && !starts)) {
    return Refuse("DYNAMIC_SHAPE", "what " + what + " keeps is not known");
  }
  const size_t count = all_axes ? starts->size() : axes->size();
  for (size_t i = 0; i < count; ++i) {
    const auto axis =
        runtime::NormalizeAxis(all_axes ? static_cast<int64_t>(i) : (*axes)[i], x.rank());
    if (!axis.ok()) return Refuse("AXIS_MISMATCH", "the axes of " + what + " are not known");
    if (axis.value() != affine.axis) continue;
    const auto channels = static_cast<int64_t>(affine.channels());
    const int64_t kept = y.shape[static_cast<size_t>(affine.axis)];
    const bool known = starts && (steps || node.input(4) == kNoValue);
    if (!known || kept == kUnknownDim) {
      return Refuse("DYNAMIC_SHAPE", "which channels " + what + " keeps is not known");
    }
    const int64_t step = steps && i < steps->size() ? (*steps)[i] : 1;
    int64_t start = (*starts)[i] < 0 ? (*starts)[i] + channels : (*starts)[i];
    start = std::clamp<int64_t>(start, 0, step > 0 ? channels : channels - 1);
    std::vector<int64_t> source;
    for (int64_t c = 0; c < kept; ++c) source.push_back(start + c * step);
    return AbsorbTaken(node.outputs[0], affine, source);
  }
  return Absorb(node.outputs[0], affine);
}

// Every part takes its own.
bool ForwardFold::ThroughSplit(const Node& node, const Affine& affine) {
  const Type& x = TypeOf(graph_, node.inputs[0]);
  const auto axis = runtime::NormalizeAxis(node.As<fb::SplitT>()->axis, x.ranked ? x.rank() : 0);
  int64_t begin = 0;
  for (const ValueId part : node.outputs) {
    const Type& type = TypeOf(graph_, part);
    const bool along = axis.ok() && axis.value() == affine.axis;
    if (part == kNoValue || !axis.ok() || !type.ranked ||
        (along && type.shape[static_cast<size_t>(affine.axis)] == kUnknownDim)) {
      return Refuse("DYNAMIC_SHAPE", "the parts of '" + NameOf(graph_, node) + "' are not known");
    }
    if (uses_.Readers(part).empty()) {
      begin += along ? type.shape[static_cast<size_t>(affine.axis)] : 0;
      continue;
    }
    if (!along) {
      if (!Absorb(part, affine)) return false;
      continue;
    }
    std::vector<int64_t> source;
    for (int64_t c = 0; c < type.shape[static_cast<size_t>(affine.axis)]; ++c) {
      source.push_back(begin + c);
    }
    begin += static_cast<int64_t>(source.size());
    if (!AbsorbTaken(part, affine, source)) return false;
  }
  return true;
}

bool ForwardFold::ThroughGather(const Node& node, const Affine& affine) {
  const std::string what = "'" + NameOf(graph_, node) + "'";
  const Type& x = TypeOf(graph_, node.inputs[0]);
  const Type& indices = TypeOf(graph_, node.inputs[1]);
  const auto axis = runtime::NormalizeAxis(node.As<fb::GatherT>()->axis, x.ranked ? x.rank() : 0);
  if (!axis.ok() || !indices.ranked) {
    return Refuse("AXIS_MISMATCH", "the axes of " + what + " are not known");
  }
  if (affine.axis != axis.value()) {
    Affine behind = affine;
    if (affine.axis > axis.value()) behind.axis += indices.rank() - 1;
    return Absorb(node.outputs[0], behind);
  }
  auto known = KnownInt64s(graph_, node.inputs[1]);
  if (!known || indices.rank() != 1) {
    return Refuse("AXIS_MISMATCH", what + " picks among its channels");
  }
  for (int64_t& c : *known) c += c < 0 ? static_cast<int64_t>(affine.channels()) : 0;
  return AbsorbTaken(node.outputs[0], affine, *known);
}

bool ForwardFold::ThroughConcat(const Node& node, ValueId id, const Affine& affine) {
  const Type& type = TypeOf(graph_, node.outputs[0]);
  const std::string what = "'" + NameOf(graph_, node) + "'";
  const auto axis = runtime::NormalizeAxis(node.As<fb::ConcatT>()->axis, type.rank());
  if (!type.ranked || !axis.ok() || axis.value() != affine.axis) {
    return Refuse("AXIS_MISMATCH", what + " joins it with others along another axis");
  }
  Affine joined{.axis = affine.axis};
  for (ValueId input : node.inputs) {
    const Type& part = TypeOf(graph_, input);
    const int64_t size = part.ranked ? part.shape[static_cast<size_t>(affine.axis)] : kUnknownDim;
    if (size == kUnknownDim) {
      return Refuse("DYNAMIC_SHAPE", "the parts of " + what + " vary in size");
    }
    if (input == id) {
      joined.scale.insert(joined.scale.end(), affine.scale.begin(), affine.scale.end());
      joined.shift.insert(joined.shift.end(), affine.shift.begin(), affine.shift.end());
    } else {
      joined.scale.resize(joined.scale.size() + static_cast<size_t>(size), 1.0);
      joined.shift.resize(joined.shift.size() + static_cast<size_t>(size), 0.0);
    }
  }
  return Absorb(node.outputs[0], joined);
}

bool ForwardFold::IntoLinear(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
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
  if (!affine.IsScaleOnly() && !ShiftInto(node, *map, affine, edit)) return false;
  if (!affine.IsShiftOnly()) {
    edit.weights = WeightsSoFar(graph_, edits_, index, 1);
    const auto refusal = ScaleWeights(*map, /*by_output=*/false, affine.scale, *edit.weights);
    if (refusal) return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
  }
  edits_.push_back(std::move(edit));
  return true;
}

// W' = W * s[c]; the gates' bias for the input takes sum over c of W[m,c] * t[c].
bool ForwardFold::IntoRecurrent(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  const auto map = MapWeights(graph_, node);
  if (!map) return Refuse("WEIGHT_NOT_CONST", "the weights of '" + name + "' are not constant");
  if (affine.axis != 2 || map->inputs != static_cast<int64_t>(affine.channels())) {
    return Refuse("AXIS_MISMATCH", "its channels run along axis " + std::to_string(affine.axis) +
                                       " of what '" + name + "' reads, whose inputs are axis 2");
  }
  LinearEdit edit{.node = index};
  edit.weights = WeightsSoFar(graph_, edits_, index, 1);
  if (!affine.IsScaleOnly()) {
    BiasOrRefusal read = ReadGateBias(graph_, node, *map);
    if (read.refusal) return Refuse(read.refusal->code, read.refusal->sentence);
    if (const Bias* before = SoFar(edits_, index, &LinearEdit::bias)) read.bias = *before;
    const std::vector<double> sums = SumOfShifts(*map, *edit.weights, affine.shift);
    const auto gates = static_cast<size_t>(read.bias.shape[1] / 2);
    for (size_t m = 0; m < sums.size(); ++m) {
      read.bias.numbers[m / gates * 2 * gates + m % gates] += sums[m];
    }
    if (const auto refusal = CheckRange(read.bias.numbers)) {
      return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
    }
    edit.bias = std::move(read.bias);
  }
  const auto refusal = ScaleWeights(*map, /*by_output=*/false, affine.scale, *edit.weights);
  if (refusal) return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
  edits_.push_back(std::move(edit));
  return true;
}

// What the shift adds to the node's sums: to the bias, or to the tap bias where outputs differ in
// the taps they see.
bool ForwardFold::ShiftInto(const Node& node, const WeightMap& map, const Affine& affine,
                            LinearEdit& edit) {
  const std::string name = NameOf(graph_, node);
  const auto* conv = node.As<fb::ConvT>();
  const auto* product = node.As<fb::MatMulT>();
  BiasOrRefusal read = ReadBias(graph_, node, static_cast<size_t>(map.outputs));
  if (read.refusal) return Refuse(read.refusal->code, read.refusal->sentence);
  if (const Bias* before = SoFar(edits_, edit.node, &LinearEdit::bias)) read.bias = *before;
  const std::vector<double> weights = WeightsSoFar(graph_, edits_, edit.node, 1);
  std::vector<double>& bias = read.bias.numbers;
  std::optional<Refusal> refusal;
  const bool padded = conv != nullptr && HasPadding(*conv->window, map.taps) &&
                      !Seeded(SeededBug::kNaivePaddedBias);
  if (padded || node.As<fb::ConvTransposeT>() != nullptr) {
    std::vector<double> taps = ShiftsOfTaps(map, weights, affine.shift);
    const Tensor* old = graph_.ConstantOf(node.input(TapBiasPosition(node)));
    std::vector<double> before = old == nullptr ? std::vector<double>() : runtime::ToDoubles(*old);
    if (const auto* last = SoFar(edits_, edit.node, &LinearEdit::tap_bias)) before = *last;
    for (size_t i = 0; i < before.size(); ++i) taps[i] += before[i];
    // Any of the taps may be left out of an output's bias.
    for (double& number : bias) number = std::abs(number);
    for (size_t i = 0; i < taps.size(); ++i) {
      bias[i / static_cast<size_t>(map.taps)] += std::abs(taps[i]);
    }
    refusal = CheckRange(bias);
    edit.tap_bias = std::move(taps);
  } else {
    const std::vector<double> sums = SumOfShifts(map, weights, affine.shift);
    const double alpha = product != nullptr ? static_cast<double>(product->alpha) : 1;
    for (size_t i = 0; i < bias.size(); ++i) bias[i] += alpha * sums[i % sums.size()];
    refusal = CheckRange(bias);
    edit.bias = std::move(read.bias);
  }
  if (refusal) return Refuse(refusal->code, refusal->sentence + " in '" + name + "'");
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

void ForwardFold::CommitSilently(Graph& graph, Uses& uses) {
  for (LinearEdit& edit : edits_) {
    const size_t index = edit.node;
    uses.Forget(graph, index);
    Apply(graph, std::move(edit));
    uses.Learn(graph, index);
  }
}

void ForwardFold::Commit(Graph& graph, Uses& uses, BatchNorms& norms, const Node& source) {
  std::string kind, into;
  for (const LinearEdit& edit : edits_) {
    Node& node = graph.nodes[edit.node];
    // Of several readers the one that says most.
    if (kind != "next_padded_conv") {
      kind = node.As<fb::ConvTransposeT>() != nullptr ? "next_conv_transpose"
             : node.As<fb::MatMulT>() != nullptr      ? "next_matmul"
             : node.As<fb::RecurrentT>() != nullptr   ? "next_recurrent"
             : edit.tap_bias                          ? "next_padded_conv"
                                                      : "next_conv";
    }
    const auto same = [&](const LinearEdit& other) { return other.node == edit.node; };
    if (&*std::ranges::find_if(edits_, same) != &edit) continue;
    AddSources(node, source);
    into += (into.empty() ? "" : ", ") + NameOf(graph, node);
  }
  CommitSilently(graph, uses);
  norms.MarkFolded(source, kind, into);
}

}  // namespace pleat::converter
