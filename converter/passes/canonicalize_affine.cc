// Before: x -> Mul | Add | Sub | Div | Neg with a constant that varies along one axis at most -> y
// After:  x -> ScaleShift(axis, s, t) -> y, in float64
// Condition: the constant does not enlarge x, x's size along the axis is known and is the
//   constant's, and a neighbour can take it: a linear operator with constant weights, possibly
//   behind views, a ScaleShift, or another such step. A constant of one element takes the axis
//   that the neighbour works along.
// Formula: x*c: (c, 0); x+c: (1, c); x-c: (1, -c); c-x: (-1, c); x/c: (1/c, 0); -x: (-1, 0).
#include <cmath>

#include "converter/passes/affine.h"
#include "converter/passes/batch_norms.h"
#include "converter/passes/passes.h"
#include "converter/seeded_bugs.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

constexpr int kAnyAxis = -1;
constexpr int kNoAxis = -2;

struct Step {
  ValueId x = kNoValue;
  Affine affine;  // of one channel with axis kAnyAxis when the constant is one number
};

bool Agree(int a, int b) { return a == kAnyAxis || b == kAnyAxis || a == b; }

bool HasConstantWeights(const Graph& graph, const Node& node) {
  return (node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr ||
          node.As<fb::MatMulT>() != nullptr) &&
         graph.ConstantOf(node.input(1)) != nullptr;
}

// The axis along which `numbers` vary when broadcast to `type`; kNoAxis when they vary along
// several or would enlarge it.
int AxisOf(const Tensor& numbers, const Type& type) {
  if (!type.ranked) return kNoAxis;
  const Shape& shape = numbers.shape();
  if (Seeded(SeededBug::kMatchBySize) && type.rank() > 1 && numbers.count() == type.shape[1]) {
    return 1;
  }
  const int offset = type.rank() - static_cast<int>(shape.size());
  if (offset < 0) return kNoAxis;
  int axis = kAnyAxis;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const int candidate = offset + static_cast<int>(i);
    if (axis != kAnyAxis || type.shape[static_cast<size_t>(candidate)] != shape[i]) return kNoAxis;
    axis = candidate;
  }
  return axis;
}

std::optional<Step> MatchStep(const Graph& graph, const Node& node) {
  Step step;
  if (const auto* unary = node.As<fb::UnaryT>()) {
    if (unary->activation.kind() != static_cast<uint8_t>(kernels::UnaryKind::kNeg)) {
      return std::nullopt;
    }
    step.x = node.inputs[0];
    step.affine = {.axis = kAnyAxis, .scale = {-1}, .shift = {0}};
    return TypeOf(graph, step.x).element == ElementType::kFloat32 ? std::optional(step)
                                                                  : std::nullopt;
  }
  const auto* binary = node.As<fb::BinaryT>();
  if (binary == nullptr || !IsNone(binary->activation)) return std::nullopt;
  const bool left = graph.ConstantOf(node.inputs[0]) != nullptr;
  const Tensor* constant = graph.ConstantOf(node.inputs[left ? 0 : 1]);
  if (constant == nullptr || constant->count() == 0) return std::nullopt;
  step.x = node.inputs[left ? 1 : 0];
  if (graph.ConstantOf(step.x) != nullptr ||
      TypeOf(graph, step.x).element != ElementType::kFloat32) {
    return std::nullopt;
  }
  step.affine.axis = AxisOf(*constant, TypeOf(graph, step.x));
  if (step.affine.axis == kNoAxis) return std::nullopt;
  for (double c : runtime::ToDoubles(*constant)) {
    double scale = 1, shift = 0;
    switch (binary->kind) {
      case fb::BinaryKind::Mul:
        scale = c;
        break;
      case fb::BinaryKind::Add:
        shift = c;
        break;
      case fb::BinaryKind::Sub:
        scale = left && !Seeded(SeededBug::kConstantMinusSign) ? -1 : 1;
        shift = left ? c : -c;
        break;
      case fb::BinaryKind::Div:
        if (left) return std::nullopt;
        scale = 1 / c;
        break;
      default:
        return std::nullopt;
    }
    step.affine.scale.push_back(scale);
    step.affine.shift.push_back(shift);
  }
  return step.affine.IsFinite() ? std::optional(step) : std::nullopt;
}

// The axis along which the maker of x takes an affine step, kNoAxis when it takes none.
int AxisOfMaker(const Graph& graph, const Uses& uses, ValueId x, int axis) {
  const int maker = uses.Maker(x);
  if (maker < 0 || OnlyReaderOfNumbers(graph, uses, x) < 0) return kNoAxis;
  const Node& node = graph.nodes[static_cast<size_t>(maker)];
  if (HasConstantWeights(graph, node)) {
    return node.As<fb::MatMulT>() != nullptr ? TypeOf(graph, x).rank() - 1 : 1;
  }
  const auto* scale_shift = node.As<fb::ScaleShiftT>();
  if (scale_shift != nullptr && Agree(static_cast<int>(scale_shift->axis), axis)) {
    return static_cast<int>(scale_shift->axis);
  }
  if (const auto step = MatchStep(graph, node)) return step->affine.axis;
  if (axis >= 0 && (scale_shift != nullptr || IsRearrangement(node)) &&
      graph.ConstantOf(node.inputs[0]) == nullptr) {
    ValueId behind = x;
    int at = maker;
    while (at >= 0 && OnlyReaderOfNumbers(graph, uses, behind) >= 0 &&
           (IsRearrangement(graph.nodes[static_cast<size_t>(at)]) ||
            graph.nodes[static_cast<size_t>(at)].As<fb::ScaleShiftT>() != nullptr)) {
      behind = graph.nodes[static_cast<size_t>(at)].inputs[0];
      at = uses.Maker(behind);
    }
    if (at >= 0 && HasConstantWeights(graph, graph.nodes[static_cast<size_t>(at)])) return axis;
  }
  return kNoAxis;
}

// The axis along which the one reader of y takes an affine step, kNoAxis when it takes none.
int AxisOfReader(const Graph& graph, const Uses& uses, ValueId y) {
  const int reader = OnlyReaderOfNumbers(graph, uses, y);
  if (reader < 0) return kNoAxis;
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  if (node.inputs[0] == y && HasConstantWeights(graph, node)) {
    return node.As<fb::MatMulT>() != nullptr ? TypeOf(graph, y).rank() - 1 : 1;
  }
  if (node.inputs[0] == y && node.As<fb::RecurrentT>() != nullptr &&
      graph.ConstantOf(node.input(1)) != nullptr) {
    return 2;
  }
  if (const auto* scale_shift = node.As<fb::ScaleShiftT>()) {
    return static_cast<int>(scale_shift->axis);
  }
  if (const auto step = MatchStep(graph, node)) return step->affine.axis;
  return kNoAxis;
}

// The axis for a step of `axis`, or kNoAxis when no neighbour would take it.
int ChooseAxis(const Graph& graph, const Uses& uses, const Node& node, const Step& step) {
  const int maker = AxisOfMaker(graph, uses, step.x, step.affine.axis);
  const int reader = AxisOfReader(graph, uses, node.outputs[0]);
  const bool by_maker = maker != kNoAxis && Agree(maker, step.affine.axis);
  const bool by_reader = reader != kNoAxis && Agree(reader, step.affine.axis);
  if (!by_maker && !by_reader) return kNoAxis;
  if (step.affine.axis != kAnyAxis) return step.affine.axis;
  if (by_maker && maker != kAnyAxis) return maker;
  if (by_reader && reader != kAnyAxis) return reader;
  return TypeOf(graph, step.x).rank() > 1 ? 1 : 0;
}

Status Canonicalize(Graph& graph, bool of_norms) {
  const Uses uses(graph);
  const BatchNorms norms(graph);
  for (Node& node : graph.nodes) {
    auto step = MatchStep(graph, node);
    if (!step || (!of_norms && norms.IsOne(node))) continue;
    const Type& type = TypeOf(graph, step->x);
    const int axis = ChooseAxis(graph, uses, node, *step);
    if (axis < 0 || axis >= type.rank()) continue;
    const int64_t channels = type.shape[static_cast<size_t>(axis)];
    if (channels <= 0) continue;
    if (step->affine.axis == kAnyAxis) {
      step->affine.scale.assign(static_cast<size_t>(channels), double(step->affine.scale[0]));
      step->affine.shift.assign(static_cast<size_t>(channels), double(step->affine.shift[0]));
    }
    step->affine.axis = axis;
    node.op.Set(fb::ScaleShiftT{});
    node.inputs = {step->x};
    SetAffine(graph, node, step->affine);
  }
  return Status::Ok();
}

}  // namespace

Status CanonicalizeAffine(Graph& graph) { return Canonicalize(graph, /*of_norms=*/true); }

Status CanonicalizeAffineAgain(Graph& graph) { return Canonicalize(graph, /*of_norms=*/false); }

}  // namespace pleat::converter
