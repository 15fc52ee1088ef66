// Before: x -> Pad(constant) -> Conv | AveragePool -> y
// After:  x -> the same with the pads added to its own -> y
// Condition: the pads are known, not negative and of spatial axes only; the operator alone reads
//   the padded image and has explicit pads. Conv: the value is 0. AveragePool: it is 0 and its own
//   padding, if any, counts as well; windows do not pass the end, nor lie in the padding alone.
// x -> Pad -> Transpose -> Conv | Pool becomes x -> Transpose -> Pad -> the same first: networks of
// channels-last frameworks have it.
#include <algorithm>
#include <utility>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace pleat::converter {
namespace {

// Begins and ends of all axes of x, as ONNX orders them; nothing when they are not known.
std::optional<std::vector<int64_t>> AllPads(const Graph& graph, const Node& node) {
  const auto rank = static_cast<size_t>(TypeOf(graph, node.inputs[0]).rank());
  const auto pads = KnownInt64s(graph, node.inputs[1]);
  const auto axes = KnownInt64s(graph, node.input(3));
  if (!pads || (node.input(3) != kNoValue && !axes)) return std::nullopt;
  const size_t count = axes ? axes->size() : rank;
  if (pads->size() != 2 * count) return std::nullopt;
  std::vector<int64_t> all(2 * rank, 0);
  for (size_t i = 0; i < count; ++i) {
    const auto axis = runtime::NormalizeAxis(axes ? (*axes)[i] : static_cast<int64_t>(i),
                                             static_cast<int>(rank));
    if (!axis.ok()) return std::nullopt;
    all[static_cast<size_t>(axis.value())] = (*pads)[i];
    all[static_cast<size_t>(axis.value()) + rank] = (*pads)[i + count];
  }
  return all;
}

// Begins and ends of the spatial axes that a Pad adds; nothing when it does more or less.
std::optional<std::vector<int64_t>> SpatialPads(const Graph& graph, const Node& node) {
  const auto* pad = node.As<fb::PadT>();
  const Type& type = TypeOf(graph, node.inputs[0]);
  if (pad->mode != fb::PadMode::Constant || !type.ranked || type.rank() < 3) return std::nullopt;
  const auto pads = AllPads(graph, node);
  if (!pads) return std::nullopt;
  const auto rank = static_cast<size_t>(type.rank());
  std::vector<int64_t> spatial;
  for (size_t i = 0; i < pads->size(); ++i) {
    if ((*pads)[i] < 0) return std::nullopt;
    if (i % rank >= 2) spatial.push_back((*pads)[i]);
    if (i % rank < 2 && (*pads)[i] != 0) return std::nullopt;
  }
  return spatial;
}

// Swaps a Pad and the Transpose that alone reads it, in the places they have.
void MoveBehindTranspose(Graph& graph, Node& pad, Node& transpose) {
  const std::vector<int64_t> perm = transpose.As<fb::TransposeT>()->perm;
  const Type type = TypeOf(graph, pad.inputs[0]);
  const auto pads = AllPads(graph, pad);
  const auto rank = static_cast<size_t>(type.rank());
  if (!pads || perm.size() != rank) return;
  std::vector<int64_t> turned;
  for (size_t i = 0; i < 2 * rank; ++i) {
    turned.push_back((*pads)[i / rank * rank + static_cast<size_t>(perm[i % rank])]);
  }
  Type between = type;
  for (size_t i = 0; i < rank; ++i) between.shape[i] = type.shape[static_cast<size_t>(perm[i])];
  const std::string name = NameOf(graph, pad);
  const ValueId moved = AddTyped(graph, name + ".transposed", between);
  pad.inputs[1] = AddInt64s(graph, name + "/pads", turned);
  pad.inputs.resize(std::min<size_t>(pad.inputs.size(), 3));
  transpose.inputs[0] = std::exchange(pad.inputs[0], moved);
  pad.outputs = std::exchange(transpose.outputs, {moved});
  std::swap(pad, transpose);
}

bool IsZero(const std::vector<int64_t>& pads) {
  return std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
}

bool HasWindow(const Node& node) {
  return node.As<fb::ConvT>() != nullptr || node.As<fb::PoolT>() != nullptr;
}

// The window of a node that may take the pads over with this value around the image, else null.
fb::WindowT* WindowThatTakes(Node& node, double value) {
  if (auto* conv = node.As<fb::ConvT>()) {
    if (node.input(4) != kNoValue) return nullptr;  // pixels it pads with have a tap bias
    return value == 0 && !conv->channels_last ? conv->window.get() : nullptr;
  }
  auto* pool = node.As<fb::PoolT>();
  if (pool == nullptr || pool->channels_last || pool->ceil_mode ||
      (node.outputs.size() > 1 && node.outputs[1] != kNoValue)) {
    return nullptr;
  }
  const bool counts = pool->count_include_pad || IsZero(pool->window->pads);
  if (pool->kind == fb::PoolKind::Average && value == 0 && counts) return pool->window.get();
  return nullptr;
}

bool SmallerThanWindow(const std::vector<int64_t>& pads, const fb::WindowT& window) {
  const size_t rank = pads.size() / 2;
  for (size_t i = 0; i < pads.size(); ++i) {
    const int64_t dilation = window.dilations.empty() ? 1 : window.dilations[i % rank];
    if (pads[i] > (window.kernel[i % rank] - 1) * dilation) return false;
  }
  return true;
}

}  // namespace

Status FusePad(Graph& graph) {
  const Uses uses(graph);
  for (Node& node : graph.nodes) {
    if (node.As<fb::PadT>() == nullptr) continue;
    const int reader = uses.OnlyReader(node.outputs[0]);
    if (reader >= 0 && graph.nodes[static_cast<size_t>(reader)].As<fb::TransposeT>() != nullptr) {
      Node& transpose = graph.nodes[static_cast<size_t>(reader)];
      const int behind = uses.OnlyReader(transpose.outputs[0]);
      if (behind >= 0 && HasWindow(graph.nodes[static_cast<size_t>(behind)])) {
        MoveBehindTranspose(graph, node, transpose);
      }
      continue;
    }
    const auto pads = SpatialPads(graph, node);
    const auto value = node.input(2) == kNoValue ? 0.0 : KnownScalar(graph, node.input(2));
    if (!pads || reader < 0 || !value) continue;
    Node& taker = graph.nodes[static_cast<size_t>(reader)];
    if (taker.input(0) != node.outputs[0]) continue;
    fb::WindowT* window = WindowThatTakes(taker, *value);
    if (window == nullptr || window->auto_pad == fb::AutoPad::SameUpper ||
        window->auto_pad == fb::AutoPad::SameLower) {
      continue;
    }
    std::vector<int64_t> all = window->pads;
    all.resize(pads->size(), 0);
    for (size_t i = 0; i < all.size(); ++i) all[i] += (*pads)[i];
    if (taker.As<fb::PoolT>() != nullptr && !SmallerThanWindow(all, *window)) continue;
    window->auto_pad = fb::AutoPad::NotSet;
    window->pads = std::move(all);
    if (auto* pool = taker.As<fb::PoolT>()) pool->count_include_pad = true;
    AddSources(taker, node);
    taker.inputs[0] = node.inputs[0];
    Empty(node);
  }
  DropEmptyNodes(graph);
  return Status::Ok();
}

}  // namespace pleat::converter
