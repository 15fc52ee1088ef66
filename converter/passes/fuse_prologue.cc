// Before: x -> ScaleShift(s, t, bounds) -> views -> Conv | MatMul | mean or sum over space -> y
// After:  x -> views -> the same, reading x * s[c] + t[c] within the bounds -> y; MatMul as the Conv
//   of one pixel that it is
// Condition: there is no other activation; every reader is such an operator, whose channels lie last
//   and are proved to be those of s; it has constant weights and no prologue yet, and is not
//   depthwise, whose kernel reads each pixel too often; what pads its image is added behind the
//   prologue. A mean keeps the channels. A MatMul multiplies an image or a sequence by one matrix.
#include <algorithm>

#include "converter/passes/affine.h"
#include "converter/passes/batch_norms.h"
#include "converter/passes/passes.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

// The node that is to take a prologue, and what it has to scale by.
struct Taker {
  size_t node = 0;
  size_t first_view = 0;  // that reads the ScaleShift; the taker itself when there is none
  Affine affine;
};

bool MeansOverSpace(const Graph& graph, const Node& node, int rank) {
  const auto* reduce = node.As<fb::ReduceT>();
  const auto axes = FieldOrInput(graph, node, reduce->axes, 1);
  if (!axes || axes->empty()) return false;
  if (reduce->kind != fb::ReduceKind::Mean && reduce->kind != fb::ReduceKind::Sum) return false;
  // Neighbouring axes in front of the channels, as the kernel wants them.
  for (int64_t axis : *axes) {
    const auto normal = runtime::NormalizeAxis(axis, rank);
    if (!normal.ok() || normal.value() == 0 || normal.value() == rank - 1) return false;
  }
  return static_cast<int>(axes->size()) == rank - 2;
}

bool IsPixelProduct(const Graph& graph, const Node& node, int rank) {
  const auto* product = node.As<fb::MatMulT>();
  const Tensor* weights = graph.ConstantOf(node.input(1));
  if (product->transpose_a || product->alpha != 1 || product->weight_layout != 0 || rank > 5 ||
      weights == nullptr || weights->shape().size() != 2 ||
      weights->element() != ElementType::kFloat32) {
    return false;
  }
  if (node.input(2) == kNoValue) return true;
  const Tensor* bias = graph.ConstantOf(node.input(2));
  const int64_t outputs = weights->shape()[product->transpose_b ? 0 : 1];
  return product->beta == 1 && bias != nullptr && !bias->shape().empty() &&
         bias->count() == outputs && bias->shape().back() == outputs;
}

// Position of the operands scale, shift and bounds; 0 when the node takes no prologue.
size_t PositionIn(const Graph& graph, const Node& node, int rank) {
  constexpr size_t kOfConv = 5, kOfReduce = 2;
  if (const auto* conv = node.As<fb::ConvT>()) {
    const Tensor* weights = graph.ConstantOf(node.input(1));
    const bool fits = conv->channels_last && weights != nullptr && weights->shape().size() > 2 &&
                      (conv->group == 1 || weights->shape()[1] > 1) &&
                      node.input(kOfConv) == kNoValue;
    return fits ? kOfConv : 0;
  }
  if (node.As<fb::MatMulT>() != nullptr) return IsPixelProduct(graph, node, rank) ? kOfConv : 0;
  const bool means = node.As<fb::ReduceT>() != nullptr && MeansOverSpace(graph, node, rank);
  return means && node.input(kOfReduce) == kNoValue ? kOfReduce : 0;
}

// All that read the ScaleShift, through views, each with a prologue of its own; empty where one
// cannot take it, which `stopped_at` is.
std::vector<Taker> FindAll(const Graph& graph, const Uses& uses, const Node& scale_shift,
                           const Node** stopped_at) {
  struct Path {
    ValueId value;
    size_t first_view;
    Affine affine;
  };
  constexpr size_t kMostReaders = 100;
  std::vector<Path> pending = {{scale_shift.outputs[0], 0, AffineOf(graph, scale_shift)}};
  std::vector<Taker> takers;
  for (bool first = true; !pending.empty(); first = false) {
    const Path path = std::move(pending.back());
    pending.pop_back();
    const Type& type = TypeOf(graph, path.value);
    const bool last = type.ranked && type.rank() >= 3 && path.affine.axis == type.rank() - 1;
    const std::vector<int>& readers = uses.Readers(path.value);
    if (readers.empty() || takers.size() + readers.size() > kMostReaders) return {};
    for (const int reader : readers) {
      if (reader < 0) return {};
      const auto index = static_cast<size_t>(reader);
      const Node& node = graph.nodes[index];
      *stopped_at = &node;
      const bool once = std::count(node.inputs.begin(), node.inputs.end(), path.value) == 1;
      if (!once || node.inputs[0] != path.value) return {};
      const size_t view = first ? index : path.first_view;
      if (IsRearrangement(node)) {
        std::vector<Affine> behind = AfterRearrangement(graph, node, path.affine);
        if (behind.size() != 1) return {};
        pending.push_back({node.outputs[0], view, std::move(behind[0])});
      } else if (last && PositionIn(graph, node, type.rank()) != 0) {
        takers.push_back({index, view, path.affine});
      } else {
        return {};
      }
    }
  }
  return takers;
}

// A product with one matrix is a convolution of single pixels, channels last.
void MakeConv(Graph& graph, Node& node, int rank) {
  const auto& product = *node.As<fb::MatMulT>();
  const Tensor& old = *graph.ConstantOf(node.inputs[1]);
  const int64_t inputs = old.shape()[product.transpose_b ? 1 : 0];
  const int64_t outputs = old.shape()[product.transpose_b ? 0 : 1];
  Shape shape(static_cast<size_t>(rank), 1);
  shape[0] = outputs;
  shape[1] = inputs;
  Tensor weights = Tensor::Make(ElementType::kFloat32, shape);
  const auto from = old.data<float>();
  const auto to = weights.mutable_data<float>();
  for (size_t m = 0, k = 0, i = 0; i < to.size(); ++i) {
    to[i] = product.transpose_b ? from[i] : from[k * static_cast<size_t>(outputs) + m];
    if (++k == static_cast<size_t>(inputs)) ++m, k = 0;
  }
  fb::ConvT conv;
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->kernel.assign(static_cast<size_t>(rank) - 2, 1);
  conv.channels_last = true;
  conv.activation = product.activation;
  const std::string name = NameOf(graph, node);
  node.inputs[1] = graph.AddConstant(name + ".weights", std::move(weights));
  if (node.input(2) != kNoValue) {
    node.inputs[2] =
        graph.AddConstant(name + ".bias", graph.ConstantOf(node.inputs[2])->Reshaped({outputs}));
  }
  node.op.Set(std::move(conv));
}

ValueId AddFloats(Graph& graph, const std::string& name, const std::vector<double>& numbers) {
  return graph.AddConstant(
      name, Tensor::Vector(std::vector<float>(numbers.begin(), numbers.end())));
}

void GiveTo(Graph& graph, Uses& uses, const Node& scale_shift, const Taker& found) {
  for (const size_t changed : {found.first_view, found.node}) uses.Forget(graph, changed);
  Node& taking = graph.nodes[found.node];
  const int rank = TypeOf(graph, taking.inputs[0]).rank();
  const size_t at = PositionIn(graph, taking, rank);
  if (taking.As<fb::MatMulT>() != nullptr) MakeConv(graph, taking, rank);
  const std::string name = NameOf(graph, scale_shift);
  const fb::Activation activation = scale_shift.As<fb::ScaleShiftT>()->activation;
  const bool bounds = !IsNone(activation);
  taking.inputs.resize(at + (bounds ? 3 : 2), kNoValue);
  const bool same = found.affine.channels() ==
                    static_cast<size_t>(graph.ConstantOf(scale_shift.inputs[1])->count());
  taking.inputs[at] =
      same ? scale_shift.inputs[1] : AddFloats(graph, name + ".scale", found.affine.scale);
  taking.inputs[at + 1] =
      same ? scale_shift.inputs[2] : AddFloats(graph, name + ".shift", found.affine.shift);
  if (bounds) {
    taking.inputs[at + 2] =
        AddFloats(graph, name + ".bounds", {static_cast<double>(activation.a()),
                                            static_cast<double>(activation.b())});
  }
  graph.nodes[found.first_view].inputs[0] = scale_shift.inputs[0];
  AddSources(taking, scale_shift);
  uses.Learn(graph, found.node);
  if (found.first_view != found.node) uses.Learn(graph, found.first_view);
}

void Give(Graph& graph, Uses& uses, BatchNorms& norms, size_t index,
          const std::vector<Taker>& takers) {
  Node& scale_shift = graph.nodes[index];
  std::string into;
  for (const Taker& taker : takers) {
    GiveTo(graph, uses, scale_shift, taker);
    into += (into.empty() ? "" : ", ") + NameOf(graph, graph.nodes[taker.node]);
  }
  norms.MarkFolded(scale_shift, "prologue", into);
  uses.Forget(graph, index);
  Empty(scale_shift);
}

bool IsFloat32(const Tensor* tensor) {
  return tensor != nullptr && tensor->element() == ElementType::kFloat32;
}

// It stays; what reads it is another reason than those that it has.
void SayWhatReads(const Graph& graph, const BatchNorms& norms, const Node& scale_shift,
                  const Node& reader) {
  const auto* conv = reader.As<fb::ConvT>();
  const bool often = conv != nullptr ? conv->group > 1 : reader.As<fb::PoolT>() != nullptr;
  if (!often && reader.As<fb::MatMulT>() == nullptr) return;
  const std::string what = std::string(reader.OpName()) + " '" + NameOf(graph, reader) + "'";
  for (fb::BatchNormT* entry : norms.Of(scale_shift)) {
    const bool by_maker = entry->reason.starts_with("PRODUCER_");
    if (entry->status != fb::FoldStatus::Kept || !by_maker) continue;
    entry->reason = "NO_PROLOGUE";
    entry->detail += (entry->detail.empty() ? "" : "; ") + what +
                     (often ? " behind it reads each number too often to scale it there"
                            : " behind it cannot scale what it reads");
  }
}

}  // namespace

Status FusePrologue(Graph& graph) {
  Uses uses(graph);
  BatchNorms norms(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    if (scale_shift == nullptr || !TypeOf(graph, node.inputs[0]).ranked ||
        TypeOf(graph, node.inputs[0]).element != ElementType::kFloat32 ||
        !IsFloat32(graph.ConstantOf(node.inputs[1])) ||
        !IsFloat32(graph.ConstantOf(node.inputs[2]))) {
      continue;
    }
    const fb::Activation activation = scale_shift->activation;
    const bool bounds = activation.kind() == static_cast<uint8_t>(kernels::UnaryKind::kClip);
    if (!bounds && !IsNone(activation)) continue;
    const Node* reader = nullptr;
    if (const auto takers = FindAll(graph, uses, node, &reader); !takers.empty()) {
      Give(graph, uses, norms, i, takers);
    } else if (reader != nullptr) {
      SayWhatReads(graph, norms, node, *reader);
    }
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
