// Before: x -> ScaleShift(s, t, bounds) -> Conv | mean or sum over space -> y
// After:  x -> the same, reading x * s[c] + t[c] within the bounds -> y
// Condition: channels lie last; there is no other activation; the reader is the only one, has
//   constant weights and no prologue yet, and is not depthwise, whose kernel reads each pixel too
//   often; what pads its image is added behind the prologue. A mean keeps the channels.
#include "converter/passes/batch_norms.h"
#include "converter/passes/passes.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

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

// Position of the operands scale, shift and bounds; 0 when the node takes no prologue.
size_t PositionIn(const Graph& graph, const Node& node, int rank) {
  if (const auto* conv = node.As<fb::ConvT>()) {
    const Tensor* weights = graph.ConstantOf(node.input(1));
    const bool fits = conv->channels_last && weights != nullptr && weights->shape().size() > 2 &&
                      (conv->group == 1 || weights->shape()[1] > 1) && node.input(5) == kNoValue;
    if (fits) return 5;
  }
  const bool means = node.As<fb::ReduceT>() != nullptr && MeansOverSpace(graph, node, rank);
  return means && node.input(2) == kNoValue ? 2 : 0;
}

}  // namespace

Status FusePrologue(Graph& graph) {
  Uses uses(graph);
  BatchNorms norms(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const auto* scale_shift = node.As<fb::ScaleShiftT>();
    if (scale_shift == nullptr) continue;
    const Type& type = TypeOf(graph, node.inputs[0]);
    if (!type.ranked || type.rank() < 3 || scale_shift->axis != type.rank() - 1 ||
        type.element != ElementType::kFloat32) {
      continue;
    }
    const Tensor* scale = graph.ConstantOf(node.inputs[1]);
    const Tensor* shift = graph.ConstantOf(node.inputs[2]);
    if (scale == nullptr || shift == nullptr || scale->element() != ElementType::kFloat32 ||
        shift->element() != ElementType::kFloat32) {
      continue;
    }
    const fb::Activation activation = scale_shift->activation;
    const bool bounds = activation.kind() == static_cast<uint8_t>(kernels::UnaryKind::kClip);
    if (!bounds && !IsNone(activation)) continue;
    const int reader = uses.OnlyReader(node.outputs[0]);
    if (reader < 0) continue;
    Node& taking = graph.nodes[static_cast<size_t>(reader)];
    const size_t at = PositionIn(graph, taking, type.rank());
    if (at == 0 || taking.inputs[0] != node.outputs[0]) continue;
    uses.Forget(graph, i);
    uses.Forget(graph, static_cast<size_t>(reader));
    taking.inputs.resize(at + (bounds ? 3 : 2), kNoValue);
    taking.inputs[0] = node.inputs[0];
    taking.inputs[at] = node.inputs[1];
    taking.inputs[at + 1] = node.inputs[2];
    if (bounds) {
      const std::vector<float> numbers = {activation.a(), activation.b()};
      taking.inputs[at + 2] =
          graph.AddConstant(NameOf(graph, node) + ".bounds", Tensor::Vector(numbers));
    }
    norms.MarkFolded(node, "prologue", NameOf(graph, taking));
    AddSources(taking, node);
    uses.Learn(graph, static_cast<size_t>(reader));
    Empty(node);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
