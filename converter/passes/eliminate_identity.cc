// Before: a step that returns its operand: Identity, Cast to the same type, Unary identity,
//   Transpose in order, Reshape | Flatten | Squeeze | Unsqueeze | Expand to the same known shape,
//   Pad by nothing, Slice of everything, Concat of one; and chains of two:
//   Transpose(p) -> Transpose(q), Reshape -> Reshape
// After:  its operand; Transpose(p[q]); the last Reshape
// Condition: a value that is an output keeps its name: its maker makes it directly, or the step
//   stays when that cannot be.
#include <algorithm>
#include <limits>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace pleat::converter {
namespace {

bool AllAre(const Graph& graph, ValueId id, int64_t number) {
  const auto numbers = KnownInt64s(graph, id);
  return numbers &&
         std::all_of(numbers->begin(), numbers->end(), [number](int64_t n) { return n == number; });
}

// Slice: starts, ends, axes, steps cover each axis whole.
bool TakesAll(const Graph& graph, const Node& node) {
  const auto ends = KnownInt64s(graph, node.input(2));
  const auto axes = KnownInt64s(graph, node.input(3));
  const Type& type = TypeOf(graph, node.inputs[0]);
  if (!ends || !type.ranked || (node.input(3) != kNoValue && !axes) ||
      !AllAre(graph, node.input(1), 0) ||
      (node.input(4) != kNoValue && !AllAre(graph, node.input(4), 1))) {
    return false;
  }
  for (size_t i = 0; i < ends->size(); ++i) {
    const auto axis =
        runtime::NormalizeAxis(axes ? (*axes)[i] : static_cast<int64_t>(i), type.rank());
    if (!axis.ok()) return false;
    const int64_t size = type.shape[static_cast<size_t>(axis.value())];
    const int64_t end = (*ends)[i];
    const bool whole =
        size == kUnknownDim ? end == std::numeric_limits<int64_t>::max() : end >= size;
    if (!whole) return false;
  }
  return true;
}

bool ChangesNothing(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  const Type& input = TypeOf(graph, node.inputs[0]);
  const Type& output = TypeOf(graph, node.outputs[0]);
  if (node.As<fb::IdentityT>() != nullptr) return true;
  if (const auto* unary = node.As<fb::UnaryT>()) return IsNone(unary->activation);
  if (node.As<fb::CastT>() != nullptr) return input.element == output.element;
  if (node.As<fb::ReshapeT>() != nullptr || node.As<fb::FlattenT>() != nullptr ||
      node.As<fb::SqueezeT>() != nullptr || node.As<fb::UnsqueezeT>() != nullptr ||
      node.As<fb::ExpandT>() != nullptr) {
    const auto unknown = std::count(input.shape.begin(), input.shape.end(), kUnknownDim);
    const auto zeros = std::count(input.shape.begin(), input.shape.end(), 0);
    const bool counted = node.As<fb::ExpandT>() == nullptr && unknown == 1 && zeros == 0;
    return input.ranked && input == output && (unknown == 0 || counted);
  }
  if (const auto* transpose = node.As<fb::TransposeT>()) {
    for (size_t i = 0; i < transpose->perm.size(); ++i) {
      if (transpose->perm[i] != static_cast<int64_t>(i)) return false;
    }
    return !transpose->perm.empty();
  }
  if (node.As<fb::PadT>() != nullptr) return AllAre(graph, node.input(1), 0);
  if (node.As<fb::SliceT>() != nullptr) return TakesAll(graph, node);
  return node.As<fb::ConcatT>() != nullptr && node.inputs.size() == 1;
}

// Removes node `index`, which returns its operand. False when names of outputs forbid it.
bool Bypass(Graph& graph, Uses& uses, size_t index) {
  Node& node = graph.nodes[index];
  const ValueId input = node.inputs[0], output = node.outputs[0];
  if (!uses.IsOutput(output)) {
    uses.Forget(graph, index);
    Empty(node);
    uses.ReplaceUses(graph, output, input);
    return true;
  }
  const int maker = uses.Maker(input);
  if (maker < 0 || uses.IsOutput(input)) return false;
  uses.Forget(graph, index);
  Empty(node);
  uses.ReplaceUses(graph, input, output);
  uses.Forget(graph, static_cast<size_t>(maker));
  auto& outputs = graph.nodes[static_cast<size_t>(maker)].outputs;
  std::replace(outputs.begin(), outputs.end(), input, output);
  uses.Learn(graph, static_cast<size_t>(maker));
  return true;
}

// Node `index` takes the operand of the node before it instead.
void ReadBefore(Graph& graph, Uses& uses, size_t index, Node& before) {
  Node& node = graph.nodes[index];
  // Views of views of views: enough names to find the place.
  constexpr size_t kMaxSources = 64;
  uses.Forget(graph, index);
  node.inputs[0] = before.inputs[0];
  uses.Learn(graph, index);
  if (node.sources.size() + before.sources.size() <= kMaxSources) AddSources(node, before);
}

// Joins node `index` with the like node that makes its operand.
void JoinChain(Graph& graph, Uses& uses, size_t index) {
  Node& node = graph.nodes[index];
  const int maker = uses.Maker(node.inputs.empty() ? kNoValue : node.inputs[0]);
  if (maker < 0) return;
  Node& before = graph.nodes[static_cast<size_t>(maker)];
  auto* transpose = node.As<fb::TransposeT>();
  const auto* first = before.As<fb::TransposeT>();
  if (transpose != nullptr && first != nullptr && !transpose->perm.empty() &&
      !first->perm.empty()) {
    std::vector<int64_t> perm;
    for (int64_t axis : transpose->perm) perm.push_back(first->perm[static_cast<size_t>(axis)]);
    transpose->perm = std::move(perm);
    return ReadBefore(graph, uses, index, before);
  }
  const bool views = before.As<fb::ReshapeT>() != nullptr || before.As<fb::FlattenT>() != nullptr ||
                     before.As<fb::SqueezeT>() != nullptr || before.As<fb::UnsqueezeT>() != nullptr;
  const auto* reshape = node.As<fb::ReshapeT>();
  if (reshape == nullptr || !views) return;
  const auto shape = KnownInt64s(graph, node.input(1));
  const bool copies = shape && std::find(shape->begin(), shape->end(), 0) != shape->end();
  if (shape && !copies) ReadBefore(graph, uses, index, before);
}

}  // namespace

Status EliminateIdentity(Graph& graph) {
  Uses uses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].op.type == fb::Op::NONE) continue;
    JoinChain(graph, uses, i);
    if (ChangesNothing(graph, graph.nodes[i])) Bypass(graph, uses, i);
  }
  DropEmptyNodes(graph);
  graph.EliminateDead();
  return Status::Ok();
}

}  // namespace pleat::converter
