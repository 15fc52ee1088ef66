// Before: x -> Conv | MatMul (w, b), all w[m] = 0 for some outputs m -> activations, pools,
//   depthwise Convs (u, e) -> z, which Conv | MatMul (v, d) read
// After:  the same without those outputs, and without v[., m]; what they carry, a[m], is added where
//   it is read: d' = d + sum of v[., m] * a[m], by tap where the reader pads its image
// Condition: constant weights, some output stays, nobody else reads the values between; a pool keeps
//   a constant as it is, a depthwise Conv makes a[m] one of e[m] + sum of u[m] * a[m] where it pads
//   with nothing or a[m] is 0, and goes without u[m] and e[m]. Groups of a Conv on either side lose
//   as many channels each and keep some; what is dead beyond that stays.
// Formula: in double; a is b behind the activations. Exact for every finite x. This is what a batch
//   norm whose gamma is 0 leaves of a filter.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "converter/passes/batch_norms.h"
#include "converter/passes/forward_fold.h"
#include "converter/passes/passes.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

constexpr size_t kWeights = 1, kBias = 2;

// The axis of the weights that the operator's outputs, or its inputs, run along.
size_t AxisOfWeights(const Node& node, bool outputs) {
  const auto* product = node.As<fb::MatMulT>();
  if (product == nullptr) return outputs ? 0 : 1;
  return outputs != product->transpose_b ? 1 : 0;
}

// Its channels can be taken out, from every group as many, and leave some in each.
bool IsWhole(const Graph& graph, const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  const auto* product = node.As<fb::MatMulT>();
  if (conv == nullptr && product == nullptr) return false;
  if (!MapWeights(graph, node)) return false;
  if (product != nullptr) return !product->transpose_a;
  return conv->group == 1 || TypeOf(graph, node.inputs[kWeights]).shape[1] > 1;
}

int64_t GroupsOf(const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  return conv != nullptr ? conv->group : 1;
}

int ChannelAxis(const Graph& graph, const Node& node, ValueId value) {
  return node.As<fb::ConvT>() != nullptr ? 1 : TypeOf(graph, value).rank() - 1;
}

// The number that each channel without weights makes; nothing for the others. Empty when there are
// none, or nothing else.
std::vector<std::optional<double>> ConstantChannels(const Graph& graph, const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  const fb::Activation activation =
      conv != nullptr ? conv->activation : node.As<fb::MatMulT>()->activation;
  if (!IsNone(activation) || node.input(3) != kNoValue || node.input(4) != kNoValue) return {};
  const auto map = MapWeights(graph, node);
  const Tensor* weights = graph.ConstantOf(node.inputs[kWeights]);
  const auto outputs = static_cast<size_t>(map->outputs);
  std::vector<char> alive(outputs, 0);
  const std::vector<double> numbers = runtime::ToDoubles(*weights);
  for (int64_t i = 0; i < map->count(); ++i) {
    if (numbers[static_cast<size_t>(i)] != 0) alive[static_cast<size_t>(map->Output(i))] = 1;
  }
  const auto living = std::count(alive.begin(), alive.end(), 1);
  if (living == 0 || living == map->outputs) return {};
  std::vector<double> bias(outputs, 0);
  if (node.input(kBias) != kNoValue) {
    const Tensor* constant = graph.ConstantOf(node.inputs[kBias]);
    if (constant == nullptr || constant->count() != map->outputs ||
        constant->shape().back() != map->outputs) {
      return {};
    }
    bias = runtime::ToDoubles(*constant);
    const auto* product = node.As<fb::MatMulT>();
    for (double& b : bias) b *= product != nullptr ? static_cast<double>(product->beta) : 1;
  }
  std::vector<std::optional<double>> constants(outputs);
  for (size_t m = 0; m < outputs; ++m) {
    if (alive[m] == 0) constants[m] = bias[m];
  }
  return constants;
}

bool KeepsConstants(const Node& node) {
  const auto* pool = node.As<fb::PoolT>();
  if (pool == nullptr || pool->channels_last || node.outputs.size() > 1) return false;
  return pool->kind == fb::PoolKind::Max ||
         (pool->kind == fb::PoolKind::Average && !pool->count_include_pad);
}

// One filter of each channel.
bool IsDepthwise(const Graph& graph, const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  if (conv == nullptr || conv->channels_last || !IsNone(conv->activation) ||
      node.input(3) != kNoValue || node.input(4) != kNoValue || !MapWeights(graph, node)) {
    return false;
  }
  const Shape& shape = TypeOf(graph, node.inputs[kWeights]).shape;
  const Tensor* bias = graph.ConstantOf(node.input(kBias));
  const bool plain = node.input(kBias) == kNoValue ||
                     (bias != nullptr && bias->shape() == Shape{shape[0]});
  return plain && shape[1] == 1 && shape[0] == conv->group;
}

// What a depthwise convolution makes of constant channels; false, and nothing changed, where its
// padding is in between.
bool PassDepthwise(const Graph& graph, const Node& node,
                   std::vector<std::optional<double>>& constants) {
  const fb::WindowT& window = *node.As<fb::ConvT>()->window;
  const bool pads = window.auto_pad == fb::AutoPad::SameUpper ||
                    window.auto_pad == fb::AutoPad::SameLower ||
                    std::any_of(window.pads.begin(), window.pads.end(),
                                [](int64_t pad) { return pad != 0; });
  const auto meets_pads = [&](std::optional<double> a) { return pads && a && *a != 0; };
  if (std::any_of(constants.begin(), constants.end(), meets_pads)) return false;
  const std::vector<double> weights = runtime::ToDoubles(*graph.ConstantOf(node.inputs[kWeights]));
  const Tensor* bias = graph.ConstantOf(node.input(kBias));
  const std::vector<double> biases = bias == nullptr ? std::vector<double>(constants.size(), 0)
                                                     : runtime::ToDoubles(*bias);
  const size_t taps = weights.size() / constants.size();
  for (size_t m = 0; m < constants.size(); ++m) {
    if (!constants[m]) continue;
    double sum = 0;
    for (size_t tap = 0; tap < taps; ++tap) sum += weights[m * taps + tap];
    *constants[m] = biases[m] + sum * *constants[m];
  }
  return true;
}

Tensor Kept(const Tensor& tensor, size_t axis, const std::vector<size_t>& kept) {
  Shape shape = tensor.shape();
  size_t outer = 1, inner = kernels::ElementSize(tensor.element());
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[i]);
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  const auto before = static_cast<size_t>(shape[axis]);
  shape[axis] = static_cast<int64_t>(kept.size());
  Tensor result = Tensor::Make(tensor.element(), shape);
  const auto* from = static_cast<const std::byte*>(tensor.raw());
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  for (size_t o = 0; o < outer; ++o) {
    for (const size_t channel : kept) {
      std::memcpy(to, from + (o * before + channel) * inner, inner);
      to += inner;
    }
  }
  return result;
}

// The same of weights whose second axis has the inputs of one of several groups.
Tensor KeptOfGroups(const Tensor& weights, int64_t groups, const std::vector<size_t>& kept) {
  const Shape& shape = weights.shape();
  const auto rows = static_cast<size_t>(shape[0] / groups), inputs = static_cast<size_t>(shape[1]);
  const size_t taps = static_cast<size_t>(weights.count()) / (static_cast<size_t>(shape[0]) * inputs);
  const size_t bytes = taps * kernels::ElementSize(weights.element());
  const size_t left = kept.size() / static_cast<size_t>(groups);
  Shape smaller = shape;
  smaller[1] = static_cast<int64_t>(left);
  Tensor result = Tensor::Make(weights.element(), smaller);
  const auto* from = static_cast<const std::byte*>(weights.raw());
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  for (size_t m = 0; m < static_cast<size_t>(shape[0]); ++m) {
    for (size_t i = 0; i < left; ++i) {
      const size_t input = kept[m / rows * left + i] - m / rows * inputs;
      std::memcpy(to, from + (m * inputs + input) * bytes, bytes);
      to += bytes;
    }
  }
  return result;
}

// One producer of constant channels, and all that has to change with it.
class Drop {
 public:
  Drop(Graph& graph, Uses& uses, const BatchNorms& norms, size_t index)
      : graph_(graph), uses_(uses), norms_(norms), index_(index) {}

  void Run();

 private:
  // Follows the constants to `end_`, the value that linear operators alone read.
  bool Follow(std::vector<std::optional<double>>& constants);
  // Leaves as many constants to every group of the producer and the readers; false where none are
  // left, or no groups are within one another.
  bool Even(std::vector<std::optional<double>>& constants) const;
  bool CarryOn(const std::vector<std::optional<double>>& constants);
  void Keep(size_t index, size_t operand, size_t axis);
  void KeepOutputs(size_t index);  // weights and bias
  void Remark(size_t of);

  Graph& graph_;
  Uses& uses_;
  const BatchNorms& norms_;
  const size_t index_;
  std::vector<ValueId> between_;
  std::vector<size_t> passed_;  // depthwise convolutions
  ValueId end_ = kNoValue;
  int axis_ = 1;
  std::vector<size_t> kept_;
};

bool Drop::Follow(std::vector<std::optional<double>>& constants) {
  end_ = graph_.nodes[index_].outputs[0];
  between_ = {end_};
  for (int reader = uses_.OnlyReader(end_); reader >= 0; reader = uses_.OnlyReader(end_)) {
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    const auto* unary = node.As<fb::UnaryT>();
    const bool depthwise = axis_ == 1 && node.inputs[0] == end_ && IsDepthwise(graph_, node);
    if (depthwise) {
      if (!PassDepthwise(graph_, node, constants)) break;
      passed_.push_back(static_cast<size_t>(reader));
    } else if (unary == nullptr && !(axis_ == 1 && KeepsConstants(node))) {
      break;
    }
    for (auto& constant : constants) {
      if (unary == nullptr || !constant) continue;
      const fb::Activation& f = unary->activation;
      *constant = kernels::ApplyUnary(static_cast<kernels::UnaryKind>(f.kind()), f.a(), f.b(),
                                      *constant);
    }
    end_ = node.outputs[0];
    between_.push_back(end_);
  }
  const std::vector<int>& readers = uses_.Readers(end_);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int reader) {
    if (reader < 0) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    return IsWhole(graph_, node) && node.inputs[0] == end_ &&
           std::count(node.inputs.begin(), node.inputs.end(), end_) == 1 &&
           ChannelAxis(graph_, node, end_) == axis_;
  });
}

bool Drop::Even(std::vector<std::optional<double>>& constants) const {
  std::vector<int64_t> all = {GroupsOf(graph_.nodes[index_])};
  for (const int reader : uses_.Readers(end_)) {
    all.push_back(GroupsOf(graph_.nodes[static_cast<size_t>(reader)]));
  }
  const auto groups = static_cast<size_t>(*std::max_element(all.begin(), all.end()));
  for (const int64_t others : all) {
    if (groups % static_cast<size_t>(others) != 0) return false;
  }
  const size_t width = constants.size() / groups;
  size_t fewest = width - 1;
  for (size_t group = 0; group < groups; ++group) {
    size_t dead = 0;
    for (size_t m = group * width; m < (group + 1) * width; ++m) dead += constants[m] ? 1 : 0;
    fewest = std::min(fewest, dead);
  }
  if (groups == 1) return true;
  for (size_t group = 0; group < groups; ++group) {
    size_t left = fewest;
    for (size_t m = group * width; m < (group + 1) * width; ++m) {
      if (!constants[m]) continue;
      if (left == 0) constants[m].reset();
      else --left;
    }
  }
  return fewest > 0;
}

bool Drop::CarryOn(const std::vector<std::optional<double>>& constants) {
  Affine carried{.axis = axis_};
  for (const auto& constant : constants) {
    carried.scale.push_back(1);
    carried.shift.push_back(constant.value_or(0));
  }
  if (!carried.IsFinite()) return false;
  if (carried.IsScaleOnly()) return true;
  ForwardFold fold(graph_, uses_);
  if (!fold.Absorb(end_, carried)) return false;
  fold.CommitSilently(graph_, uses_);
  return true;
}

void Drop::Keep(size_t index, size_t operand, size_t axis) {
  const int64_t groups = GroupsOf(graph_.nodes[index]);
  ValueId& id = graph_.nodes[index].inputs[operand];
  const std::string name = graph_.values[static_cast<size_t>(id)].name;
  uses_.Forget(graph_, index);
  const Tensor& whole = *graph_.ConstantOf(id);
  const bool inputs = operand == kWeights && axis == 1 && groups > 1;
  id = graph_.AddConstant(name, inputs ? KeptOfGroups(whole, groups, kept_)
                                       : Kept(whole, axis, kept_));
  uses_.Learn(graph_, index);
}

void Drop::KeepOutputs(size_t index) {
  const Node& node = graph_.nodes[index];
  Keep(index, kWeights, AxisOfWeights(node, /*outputs=*/true));
  if (node.input(kBias) != kNoValue) {
    Keep(index, kBias, graph_.ConstantOf(node.inputs[kBias])->shape().size() - 1);
  }
}

void Drop::Remark(size_t of) {
  const Node& node = graph_.nodes[index_];
  const std::string name = NameOf(graph_, node);
  for (fb::BatchNormT* entry : norms_.Of(node)) {
    if (entry->status != fb::FoldStatus::Folded || entry->into != name) continue;
    entry->detail = std::to_string(of - kept_.size()) + " of " + std::to_string(of) +
                    " channels are constant and left out";
  }
}

void Drop::Run() {
  auto constants = ConstantChannels(graph_, graph_.nodes[index_]);
  if (constants.empty()) return;
  axis_ = ChannelAxis(graph_, graph_.nodes[index_], graph_.nodes[index_].outputs[0]);
  if (axis_ < 1 || !Follow(constants) || !Even(constants) || !CarryOn(constants)) return;
  for (size_t m = 0; m < constants.size(); ++m) {
    if (!constants[m]) kept_.push_back(m);
  }
  KeepOutputs(index_);
  for (const size_t index : passed_) {
    KeepOutputs(index);
    graph_.nodes[index].As<fb::ConvT>()->group = static_cast<int64_t>(kept_.size());
  }
  const std::vector<int> readers = uses_.Readers(end_);
  for (const int reader : readers) {
    const auto at = static_cast<size_t>(reader);
    Keep(at, kWeights, AxisOfWeights(graph_.nodes[at], /*outputs=*/false));
  }
  // Another value than the source's of that name.
  for (const ValueId id : between_) {
    runtime::Value& value = graph_.values[static_cast<size_t>(id)];
    value.type.shape[static_cast<size_t>(axis_)] = static_cast<int64_t>(kept_.size());
    value.name += ".kept";
  }
  Remark(constants.size());
}

}  // namespace

Status DropDeadChannels(Graph& graph) {
  Uses uses(graph);
  const BatchNorms norms(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (IsWhole(graph, graph.nodes[i])) Drop(graph, uses, norms, i).Run();
  }
  return Status::Ok();
}

}  // namespace pleat::converter
