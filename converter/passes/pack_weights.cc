// Before: constant float32 weights as ONNX has them: Conv [M][C/G][taps], MatMul [K][N]
// After:  the same in panels of 16 outputs, or for depthwise convolutions [taps][M], flat
// Condition: convolutions in groups of fewer than 8 outputs and products of fewer than 16 columns
//   stay: panels would be mostly padding. Shared weights are packed for each reader and become one
//   again in ShareConstants.
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "kernels/matmul.h"

namespace pleat::converter {
namespace {

using kernels::WeightLayout;

constexpr int64_t kPanel = 16;

void PackConv(Graph& graph, Node& node) {
  auto& fields = *node.As<fb::ConvT>();
  const Tensor& weights = *graph.ConstantOf(node.inputs[1]);
  const Shape& shape = weights.shape();
  kernels::ConvProblem problem;
  problem.groups = fields.group;
  problem.out_channels = shape[0];
  problem.in_channels = shape[1] * fields.group;
  const size_t rank = shape.size() - 2;
  for (size_t i = 0; i < rank; ++i) problem.kernel[3 - rank + i] = shape[i + 2];
  const bool depthwise = shape[1] == 1 && fields.group > 1;
  if (!depthwise && problem.out_channels / problem.groups < kPanel / 2 && problem.groups > 1) {
    return;
  }
  const WeightLayout layout = depthwise ? WeightLayout::kTapsChannels : WeightLayout::kPanels16;
  Tensor packed =
      Tensor::Make(ElementType::kFloat32, {kernels::ConvWeightElements(problem, layout)});
  kernels::PackConvWeights(problem, layout, weights.data<float>().data(),
                           packed.mutable_data<float>().data());
  fields.window->kernel.assign(shape.begin() + 2, shape.end());
  fields.weight_layout = static_cast<uint8_t>(layout);
  fields.out_channels = problem.out_channels;
  const std::string name = graph.values[static_cast<size_t>(node.inputs[1])].name;
  node.inputs[1] = graph.AddConstant(name, std::move(packed));
}

void PackMatMul(Graph& graph, Node& node) {
  auto& fields = *node.As<fb::MatMulT>();
  const Tensor& weights = *graph.ConstantOf(node.inputs[1]);
  const Shape& shape = weights.shape();
  if (shape.size() != 2) return;
  const int64_t rows = shape[fields.transpose_b ? 1 : 0];
  const int64_t columns = shape[fields.transpose_b ? 0 : 1];
  if (columns < kPanel) return;
  Tensor packed = Tensor::Make(ElementType::kFloat32, {kernels::PanelElements(rows, columns)});
  kernels::PackPanels(rows, columns, fields.transpose_b, weights.data<float>().data(),
                      packed.mutable_data<float>().data());
  fields.weight_layout = static_cast<uint8_t>(WeightLayout::kPanels16);
  fields.weight_rows = rows;
  fields.weight_columns = columns;
  fields.transpose_b = false;
  const std::string name = graph.values[static_cast<size_t>(node.inputs[1])].name;
  node.inputs[1] = graph.AddConstant(name, std::move(packed));
}

}  // namespace

Status PackWeights(Graph& graph) {
  for (Node& node : graph.nodes) {
    const auto* conv = node.As<fb::ConvT>();
    const auto* product = node.As<fb::MatMulT>();
    if (conv == nullptr && product == nullptr) continue;
    const Tensor* weights = graph.ConstantOf(node.input(1));
    if (weights == nullptr || weights->element() != ElementType::kFloat32 ||
        weights->count() == 0 || TypeOf(graph, node.inputs[0]).element != ElementType::kFloat32) {
      continue;
    }
    if (conv != nullptr && conv->weight_layout == 0) PackConv(graph, node);
    if (product != nullptr && product->weight_layout == 0) PackMatMul(graph, node);
  }
  return Status::Ok();
}

}  // namespace pleat::converter
