// Before: MatMul of at most 4 rows, as far as they are known, with weights of float32 in panels
// After:  the same weights as float16, alpha multiplied in
// Condition: in no column does rounding change the weights by more than 2^-11 of their size (root
//   of the sum of squares), the most it is for a number that float16 holds in full: weights beyond
//   65504, NaNs, and columns of numbers so small that bits are lost keep float32.
#include <cmath>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "kernels/half.h"
#include "kernels/matmul.h"

namespace pleat::converter {
namespace {

using kernels::Float16;
using kernels::WeightLayout;

constexpr int64_t kPanel = 16;
constexpr int64_t kMaxRows = 4;

bool HasFewRows(const runtime::Type& a) {
  int64_t rows = 1;
  for (size_t i = 0; a.ranked && i + 1 < a.shape.size(); ++i) {
    if (a.shape[i] == runtime::kUnknownDim) continue;
    if (a.shape[i] > kMaxRows || rows > kMaxRows) return false;
    rows *= a.shape[i];
  }
  return rows <= kMaxRows;
}

// Panels of `rows` rows as float16, or nothing where a column would lose too much.
std::optional<Tensor> Halved(const Tensor& panels, int64_t rows, double alpha) {
  Tensor halved = Tensor::Make(ElementType::kFloat16, panels.shape());
  auto* to = static_cast<Float16*>(halved.mutable_raw());
  const float* from = panels.data<float>().data();
  for (int64_t panel = 0; panel < panels.count(); panel += rows * kPanel) {
    double size[kPanel] = {}, change[kPanel] = {};
    for (int64_t i = panel; i < panel + rows * kPanel; ++i) {
      const double exact = alpha * from[i];
      to[i] = kernels::ToFloat16(exact);
      const double off = kernels::ToFloat(to[i]) - exact;
      size[i % kPanel] += exact * exact;
      change[i % kPanel] += off * off;
    }
    for (int64_t column = 0; column < kPanel; ++column) {
      if (!(change[column] <= size[column] * 0x1p-22)) return {};
    }
  }
  return halved;
}

}  // namespace

Status HalveWeights(Graph& graph) {
  for (Node& node : graph.nodes) {
    auto* fields = node.As<fb::MatMulT>();
    if (fields == nullptr ||
        fields->weight_layout != static_cast<uint8_t>(WeightLayout::kPanels16) ||
        fields->transpose_a || !HasFewRows(TypeOf(graph, node.inputs[0]))) {
      continue;
    }
    const Tensor& panels = *graph.ConstantOf(node.inputs[1]);
    std::optional<Tensor> halved = Halved(panels, fields->weight_rows, fields->alpha);
    if (!halved) continue;
    fields->weight_layout = static_cast<uint8_t>(WeightLayout::kPanels16Half);
    fields->alpha = 1;
    const std::string name = graph.values[static_cast<size_t>(node.inputs[1])].name;
    node.inputs[1] = graph.AddConstant(name, std::move(*halved));
  }
  return Status::Ok();
}

}  // namespace pleat::converter
