#include "converter/passes/backward_fold.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "converter/passes/links.h"
#include "converter/seeded_bugs.h"

namespace pleat::converter {
namespace {

bool IsLinear(const Node& node) {
  return node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr ||
         node.As<fb::MatMulT>() != nullptr;
}

bool IsNormalization(const Node& node) {
  return node.As<fb::InstanceNormT>() != nullptr || node.As<fb::LayerNormT>() != nullptr;
}

bool IsTable(const Graph& graph, const Node& node) {
  return node.As<fb::GatherT>() != nullptr && graph.ConstantOf(node.inputs[0]) != nullptr;
}

bool IsArithmetic(const Node& node) {
  const auto* binary = node.As<fb::BinaryT>();
  if (binary == nullptr || !IsNone(binary->activation)) return false;
  switch (binary->kind) {
    case fb::BinaryKind::Add:
    case fb::BinaryKind::Sub:
    case fb::BinaryKind::Mul:
    case fb::BinaryKind::Div:
    case fb::BinaryKind::PRelu:
      return true;
    default:
      return false;
  }
}

// Whether the operand has the channels of `affine` along the same axis as the result, of `rank`.
bool HasChannels(const Type& type, int rank, const Affine& affine) {
  return type.ranked && type.rank() == rank && affine.axis < rank &&
         type.shape[static_cast<size_t>(affine.axis)] == static_cast<int64_t>(affine.channels());
}

// The channel of each element of a tensor whose channels run along `axis`.
std::vector<size_t> ChannelsOf(const Shape& shape, int axis) {
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) inner *= shape[i];
  std::vector<size_t> channels(static_cast<size_t>(runtime::ElementCount(shape)));
  for (size_t i = 0; i < channels.size(); ++i) {
    channels[i] = i / static_cast<size_t>(inner) %
                  static_cast<size_t>(shape[static_cast<size_t>(axis)]);
  }
  return channels;
}

Affine ScaleOnly(Affine affine) {
  std::fill(affine.shift.begin(), affine.shift.end(), 0.0);
  return affine;
}

}  // namespace

void BackwardFold::BackTo(const Mark& mark) {
  linear_.resize(mark.linear);
  affine_.resize(mark.affine);
  constants_.resize(mark.constants);
  kind_ = mark.kind;
}

bool BackwardFold::IsPrivate(ValueId id, const std::string& what) {
  const std::string& name = graph_.values[static_cast<size_t>(id)].name;
  if (uses_.IsOutput(id) && !Seeded(SeededBug::kGraphOutputIgnored)) {
    return Refuse("PRODUCER_IS_OUTPUT",
                  "'" + name + "', made by " + what + ", is also an output of the network");
  }
  if (OnlyReaderOfNumbers(graph_, uses_, id) < 0 && !Seeded(SeededBug::kFanOutIgnored)) {
    return Refuse("PRODUCER_MULTI_USE", "'" + name + "', made by " + what + ", is read " +
                                            std::to_string(uses_.Readers(id).size()) + " times");
  }
  return true;
}

bool BackwardFold::Absorb(ValueId id, const Affine& affine) {
  if (depth_ == kMaxDepth || ++tries_ > kMaxTries) {
    return Refuse("PRODUCER_NOT_LINEAR", "too many steps lie between it and linear ones");
  }
  ++depth_;
  const bool absorbed = AbsorbNext(id, affine);
  --depth_;
  return absorbed;
}

bool BackwardFold::AbsorbNext(ValueId id, const Affine& affine) {
  const int maker = uses_.Maker(id);
  if (maker < 0) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + graph_.values[static_cast<size_t>(id)].name +
                                             "' is an input of the network or a constant");
  }
  const auto index = static_cast<size_t>(maker);
  const Node& node = graph_.nodes[index];
  const std::string what = std::string(node.OpName()) + " '" + NameOf(graph_, node) + "'";
  if (node.As<fb::CastT>() != nullptr) {
    return Refuse("DTYPE_CAST", "the type of the numbers changes in " + what);
  }
  const bool affine_step = node.As<fb::ScaleShiftT>() != nullptr;
  const bool concat = node.As<fb::ConcatT>() != nullptr;
  if (!IsLinear(node) && !affine_step && !concat && !IsNormalization(node) &&
      !IsArithmetic(node) && !IsLink(node)) {
    return Refuse("PRODUCER_NOT_LINEAR", "it reads the result of " + what + ", not a linear step");
  }
  if (!IsPrivate(id, what)) return false;
  if (IsLinear(node)) return IntoLinear(index, affine);
  if (affine_step) return IntoAffine(index, affine);
  if (concat) return IntoConcat(index, affine);
  if (IsNormalization(node)) return IntoNormalization(index, affine);
  if (IsArithmetic(node)) return IntoBinary(index, affine);
  if (IsTable(graph_, node)) return IntoTable(index, affine);
  return Through(node, id, affine);
}

std::vector<double> BackwardFold::NumbersSoFar(size_t index, size_t operand) const {
  for (size_t i = constants_.size(); i-- > 0;) {
    const ConstantEdit& edit = constants_[i];
    if (edit.node == index && edit.operand == operand) return edit.numbers;
  }
  return runtime::ToDoubles(*graph_.ConstantOf(graph_.nodes[index].inputs[operand]));
}

bool BackwardFold::IntoOperand(size_t index, size_t operand, const Affine& affine) {
  const ValueId id = graph_.nodes[index].inputs[operand];
  return graph_.ConstantOf(id) != nullptr ? IntoConstant(index, operand, affine)
                                          : Absorb(id, affine);
}

bool BackwardFold::IntoConstant(size_t index, size_t operand, const Affine& affine) {
  const Tensor& constant = *graph_.ConstantOf(graph_.nodes[index].inputs[operand]);
  ConstantEdit edit{index, operand, NumbersSoFar(index, operand), constant.shape()};
  const std::vector<size_t> channels = ChannelsOf(edit.shape, affine.axis);
  for (size_t i = 0; i < edit.numbers.size(); ++i) {
    edit.numbers[i] = edit.numbers[i] * affine.scale[channels[i]] + affine.shift[channels[i]];
  }
  if (auto refusal = CheckRange(edit.numbers)) {
    return Refuse(*refusal, NameOf(graph_, graph_.nodes[index]));
  }
  constants_.push_back(std::move(edit));
  if (kind_.empty()) kind_ = "operand";
  return true;
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
  if (!IsNone(activation) || node.input(3) != kNoValue || node.input(4) != kNoValue) {
    return Refuse("PRODUCER_NOT_LINEAR", "'" + name + "' already ends in an activation or a sum");
  }
  const bool left = product != nullptr && graph_.ConstantOf(node.input(1)) == nullptr &&
                    graph_.ConstantOf(node.input(0)) != nullptr;
  if (left) return IntoLeft(index, affine);
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
  const Bias* before = SoFar(linear_, index, &LinearEdit::bias);
  if (before != nullptr) read.bias = *before;
  for (size_t i = 0; i < read.bias.numbers.size(); ++i) {
    const size_t c = i % affine.channels();
    const double scale = Seeded(SeededBug::kBiasNotScaled) ? 1 : affine.scale[c];
    read.bias.numbers[i] = read.bias.numbers[i] * scale + affine.shift[c];
  }
  if (auto refusal = CheckRange(read.bias.numbers)) return Refuse(*refusal, name);
  LinearEdit edit{.node = index};
  if (!affine.IsShiftOnly()) {
    edit.weights = WeightsSoFar(graph_, linear_, index, 1);
    if (auto refusal = ScaleWeights(*map, /*by_output=*/true, affine.scale, *edit.weights)) {
      return Refuse(*refusal, name);
    }
  }
  if (!affine.IsScaleOnly() || node.input(2) != kNoValue || before != nullptr) {
    edit.bias = std::move(read.bias);
  }
  linear_.push_back(std::move(edit));
  kind_ = conv != nullptr ? "conv" : transposed != nullptr ? "conv_transpose" : "matmul";
  return true;
}

// Weights [M, K] on the left: the rows of every product are the channels.
bool BackwardFold::IntoLeft(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  const auto map = MapLeftWeights(graph_, node);
  const Type& output = TypeOf(graph_, node.outputs[0]);
  const int axis = output.rank() - 2;
  if (!map || !output.ranked || TypeOf(graph_, node.inputs[1]).rank() < 2 || affine.axis != axis ||
      map->outputs != static_cast<int64_t>(affine.channels())) {
    return Refuse("AXIS_MISMATCH", "its channels run along axis " + std::to_string(affine.axis) +
                                       " of the result of '" + name +
                                       "', whose output channels are axis " + std::to_string(axis));
  }
  const Tensor* old = graph_.ConstantOf(node.input(2));
  const int64_t rows = map->outputs;
  Bias bias{.numbers = std::vector<double>(affine.channels(), 0), .shape = {rows, 1}};
  if (node.input(2) != kNoValue && old == nullptr) {
    return Refuse("WEIGHT_NOT_CONST", "the bias of '" + name + "' is not constant");
  }
  const Bias* before = SoFar(linear_, index, &LinearEdit::bias);
  if (before != nullptr) {
    bias = *before;
  } else if (old != nullptr) {
    const Shape& shape = old->shape();
    const double beta = static_cast<double>(node.As<fb::MatMulT>()->beta);
    std::vector<double> numbers = runtime::ToDoubles(*old);
    for (double& number : numbers) number *= beta;
    if (shape.size() >= 2 && shape[shape.size() - 2] == rows) {
      bias = {std::move(numbers), shape};
    } else if (numbers.size() == 1) {
      bias.numbers.assign(affine.channels(), numbers[0]);
    } else {
      return Refuse("GEMM_BIAS_SHAPE", "the bias of '" + name + "' has shape " +
                                           runtime::ShapeText(shape) +
                                           " and would have to grow to hold a shift per row");
    }
  }
  const size_t width = bias.numbers.size() / affine.channels();
  for (size_t i = 0; i < bias.numbers.size(); ++i) {
    const size_t c = i / width;
    bias.numbers[i] = bias.numbers[i] * affine.scale[c] + affine.shift[c];
  }
  LinearEdit edit{.node = index, .operand = 0};
  edit.weights = WeightsSoFar(graph_, linear_, index, 0);
  auto refusal = CheckRange(bias.numbers);
  if (!refusal) refusal = ScaleWeights(*map, /*by_output=*/true, affine.scale, *edit.weights);
  if (refusal) return Refuse(*refusal, name);
  if (!affine.IsScaleOnly() || old != nullptr || before != nullptr) edit.bias = std::move(bias);
  linear_.push_back(std::move(edit));
  kind_ = "matmul";
  return true;
}

bool BackwardFold::IntoAffine(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  Affine before = AffineOf(graph_, node);
  for (const AffineEdit& edit : affine_) {
    if (edit.node == index) before = edit.affine;
  }
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
  for (size_t c = 0; c < composed.channels(); ++c) {
    const double scale = std::abs(composed.scale[c]);
    if (scale == 0 || scale >= std::numeric_limits<float>::min()) continue;
    if (scale >= std::abs(before.scale[c])) continue;
    return Refuse("UNDERFLOW", "the scale of channel " + std::to_string(c) + " in '" + name +
                                   "' would be below the smallest normal float32");
  }
  affine_.push_back({index, std::move(composed)});
  kind_ = "affine";
  return true;
}

// The gain and bias with which a normalisation ends.
bool BackwardFold::IntoNormalization(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string what = std::string(node.OpName()) + " '" + NameOf(graph_, node) + "'";
  const int rank = TypeOf(graph_, node.outputs[0]).rank();
  const auto* layer = node.As<fb::LayerNormT>();
  const int axis = layer != nullptr ? rank - 1 : 1;
  if (layer != nullptr && layer->axis != -1 && layer->axis != axis) {
    return Refuse("AXIS_MISMATCH", what + " normalises over several axes");
  }
  const Shape shape = {static_cast<int64_t>(affine.channels())};
  for (size_t operand : {1, 2}) {
    const Tensor* constant = graph_.ConstantOf(node.input(operand));
    if (constant == nullptr || constant->shape() != shape || affine.axis != axis) {
      return Refuse("AXIS_MISMATCH", what + " has no constant gain and bias along its channels");
    }
  }
  Affine own = affine;
  own.axis = 0;
  kind_ = "normalization";
  return IntoConstant(index, 1, ScaleOnly(own)) && IntoConstant(index, 2, own);
}

// A constant table of which rows are picked.
bool BackwardFold::IntoTable(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const Passage passage = BeforeLink(graph_, node, node.outputs[0], affine);
  if (passage.before.empty()) return Refuse(passage.refusal.code, passage.refusal.sentence);
  kind_ = "table";
  return IntoConstant(index, 0, passage.before[0]);
}

bool BackwardFold::IntoConcat(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const int rank = TypeOf(graph_, node.outputs[0]).rank();
  const auto axis = runtime::NormalizeAxis(node.As<fb::ConcatT>()->axis, rank);
  if (!axis.ok()) return Refuse("AXIS_MISMATCH", "the axis of the concatenation is not known");
  size_t begin = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Affine part = affine;
    if (axis.value() == affine.axis) {
      const Type& type = TypeOf(graph_, node.inputs[i]);
      const int64_t size =
          type.ranked ? type.shape[static_cast<size_t>(affine.axis)] : kUnknownDim;
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
    if (part.channels() > 0 && !IntoOperand(index, i, part)) return false;
  }
  return true;
}

bool BackwardFold::IntoBinary(size_t index, const Affine& affine) {
  switch (graph_.nodes[index].As<fb::BinaryT>()->kind) {
    case fb::BinaryKind::Add:
    case fb::BinaryKind::Sub:
      return IntoSum(index, affine);
    case fb::BinaryKind::PRelu:
      return IntoPRelu(index, affine);
    default:
      return IntoProduct(index, affine);
  }
}

bool BackwardFold::IntoSum(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const int rank = TypeOf(graph_, node.outputs[0]).rank();
  for (ValueId input : node.inputs) {
    if (HasChannels(TypeOf(graph_, input), rank, affine)) continue;
    return Refuse("ADD_ONE_SIDED", "the two sides of the sum '" + NameOf(graph_, node) +
                                       "' do not both have its channels");
  }
  if (IntoOperand(index, 0, affine) && IntoOperand(index, 1, ScaleOnly(affine))) return true;
  return Refuse("ADD_ONE_SIDED", "one side of the sum '" + NameOf(graph_, node) +
                                     "' cannot take the scale: " + refusal_.sentence);
}

// A product or quotient of two values, one of which may take a scale.
bool BackwardFold::IntoProduct(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string name = NameOf(graph_, node);
  if (!affine.IsScaleOnly()) {
    return Refuse("GATE", "its shift cannot pass the product '" + name + "' of two values");
  }
  const int rank = TypeOf(graph_, node.outputs[0]).rank();
  const size_t sides = node.As<fb::BinaryT>()->kind == fb::BinaryKind::Mul ? 2 : 1;
  for (size_t side = 0; side < sides; ++side) {
    if (!HasChannels(TypeOf(graph_, node.inputs[side]), rank, affine)) continue;
    const Mark mark = Here();
    if (IntoOperand(index, side, affine)) return true;
    BackTo(mark);
  }
  return Refuse("GATE", "neither side of the product '" + name + "' can take its scale");
}

// PRelu(slope a) under a scale s: s > 0 passes; under s < 0 it is PRelu(1/a) of s*a where a > 0.
bool BackwardFold::IntoPRelu(size_t index, const Affine& affine) {
  const Node& node = graph_.nodes[index];
  const std::string what = "the activation '" + NameOf(graph_, node) + "'";
  if (!affine.IsScaleOnly()) {
    return Refuse("PRODUCER_NOT_LINEAR", "its shift cannot pass " + what);
  }
  const Type& x = TypeOf(graph_, node.inputs[0]);
  if (!HasChannels(x, TypeOf(graph_, node.outputs[0]).rank(), affine)) {
    return Refuse("AXIS_MISMATCH", what + " broadcasts its input");
  }
  const bool negative =
      std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s < 0; });
  if (!negative) return IntoOperand(index, 0, affine);
  const Tensor* slopes = graph_.ConstantOf(node.inputs[1]);
  Shape shape(static_cast<size_t>(x.rank() - affine.axis), 1);
  shape[0] = static_cast<int64_t>(affine.channels());
  const size_t count = slopes == nullptr ? 0 : static_cast<size_t>(slopes->count());
  const bool per_channel = count == affine.channels() && slopes->shape() == shape;
  if (count != 1 && !per_channel) {
    return Refuse("NEG_SCALE", "a scale that is negative cannot pass " + what);
  }
  const std::vector<double> known = NumbersSoFar(index, 1);
  ConstantEdit edit{index, 1, {}, shape};
  Affine before = affine;
  for (size_t c = 0; c < affine.channels(); ++c) {
    double slope = known[known.size() == affine.channels() ? c : 0];
    if (affine.scale[c] < 0) {
      if (!(slope > 0)) return Refuse("NEG_SCALE", "a scale that is negative cannot pass " + what);
      before.scale[c] *= slope;
      slope = 1 / slope;
    }
    edit.numbers.push_back(slope);
  }
  if (auto refusal = CheckRange(edit.numbers)) return Refuse(*refusal, NameOf(graph_, node));
  constants_.push_back(std::move(edit));
  return IntoOperand(index, 0, before);
}

bool BackwardFold::Through(const Node& node, ValueId output, const Affine& affine) {
  const Passage passage = BeforeLink(graph_, node, output, affine);
  if (passage.before.empty()) return Refuse(passage.refusal.code, passage.refusal.sentence);
  for (const Affine& candidate : passage.before) {
    const Mark mark = Here();
    if (Absorb(node.inputs[0], candidate)) return true;
    BackTo(mark);
  }
  return false;
}

std::vector<size_t> BackwardFold::changed_affine() const {
  std::vector<size_t> nodes;
  for (const AffineEdit& edit : affine_) nodes.push_back(edit.node);
  return nodes;
}

void BackwardFold::Commit(Graph& graph, Uses& uses, BatchNorms& norms, const Node& source) {
  std::string into;
  std::vector<size_t> absorbed;
  const auto absorb = [&](size_t index, bool named) {
    if (std::find(absorbed.begin(), absorbed.end(), index) != absorbed.end()) return;
    absorbed.push_back(index);
    AddSources(graph.nodes[index], source);
    if (named) into += (into.empty() ? "" : ", ") + NameOf(graph, graph.nodes[index]);
  };
  const bool only_constants = linear_.empty() && affine_.empty();
  for (LinearEdit& edit : linear_) {
    absorb(edit.node, true);
    const size_t index = edit.node;
    uses.Forget(graph, index);
    Apply(graph, std::move(edit));
    uses.Learn(graph, index);
  }
  for (const AffineEdit& edit : affine_) {
    absorb(edit.node, true);
    uses.Forget(graph, edit.node);
    SetAffine(graph, graph.nodes[edit.node], edit.affine);
    uses.Learn(graph, edit.node);
  }
  for (const ConstantEdit& edit : constants_) {
    absorb(edit.node, only_constants);
    Node& node = graph.nodes[edit.node];
    const std::string name = graph.values[static_cast<size_t>(node.inputs[edit.operand])].name;
    uses.Forget(graph, edit.node);
    node.inputs[edit.operand] = AddDoubles(graph, name, edit.numbers, edit.shape);
    uses.Learn(graph, edit.node);
  }
  norms.MarkFolded(source, kind_, into);
}

}  // namespace pleat::converter
