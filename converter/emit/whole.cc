#include "converter/emit/whole.h"

#include <algorithm>
#include <limits>
#include <map>

#include "kernels/activation.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Node;

// Whatever folds into or out of these is written back.
constexpr const char* kLinear[] = {"Add",  "BatchNormalization", "Conv", "ConvTranspose", "Div",
                                   "Gemm", "MatMul",             "Mul",  "Neg",           "Sub",
                                   "Sum"};

}  // namespace

void KeepWhole(runtime::Graph& graph, const std::function<std::string(const std::string&)>& op_of) {
  std::map<std::string, int> steps;
  for (const Node& node : graph.nodes) {
    if (!node.sources.empty()) ++steps[node.sources.front()];
  }
  // With an activation behind it that changes no number, a step is affine to no pass.
  constexpr float kEnd = std::numeric_limits<float>::infinity();
  const fb::Activation nothing(static_cast<uint8_t>(kernels::UnaryKind::kClip), -kEnd, kEnd);
  for (Node& node : graph.nodes) {
    auto* binary = node.As<fb::BinaryT>();
    if (binary == nullptr || node.sources.empty() || steps[node.sources.front()] < 2) continue;
    const auto output = static_cast<size_t>(node.outputs[0]);
    if (graph.values[output].type.element != runtime::ElementType::kFloat32) continue;
    const std::string op = op_of(node.sources.front());
    if (op.empty() || std::ranges::find(kLinear, op) != std::end(kLinear)) continue;
    binary->activation = nothing;
  }
}

}  // namespace pleat::converter
