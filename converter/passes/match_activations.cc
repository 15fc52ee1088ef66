// Before: x * sigmoid(a x); x * hardsigmoid(x); clip(x + 3, 0, 6) / 6, times x or not;
//   x * tanh(softplus(x)); x/2 * (1 + erf(x / sqrt 2)); x/2 * (1 + tanh(sqrt(2/pi) * (x +
//   0.044715 x^3))), each with its constants multiplied or divided in at any place;
//   max(x, a x) with 0 < a < 1; max(x, c), min(x, c)
// After:  one Unary: Swish(a), HardSwish, HardSigmoid(1/6, 1/2), Mish, Gelu, GeluTanh,
// LeakyRelu(a),
//   Clip(c, inf), Clip(-inf, c)
// Condition: constants of one element and within 1e-5 of the formula's, the type of x kept.
#include <cmath>
#include <limits>

#include "converter/passes/passes.h"
#include "converter/passes/patterns.h"
#include "kernels/activation.h"

namespace pleat::converter {
namespace {

using kernels::UnaryKind;

struct Found {
  UnaryKind kind;
  ValueId x;
  float a = 0, b = 0;
};

class Matcher {
 public:
  explicit Matcher(const Pattern& pattern) : is_(pattern) {}

  std::optional<Found> Match(const Node& root) const {
    const fb::BinaryKind kind = root.As<fb::BinaryT>()->kind;
    if (kind == fb::BinaryKind::Max || kind == fb::BinaryKind::Min) return MatchBound(root, kind);
    for (const Scaled& product : is_.WithoutScale(root.outputs[0])) {
      if (auto found = MatchProduct(product)) return found;
    }
    return std::nullopt;
  }

 private:
  std::optional<Found> MatchBound(const Node& root, fb::BinaryKind kind) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const bool max = kind == fb::BinaryKind::Max;
    const auto split = is_.ConstantOperand(root);
    if (split && split->constant->element() == ElementType::kFloat32) {
      if (split->constant->count() != 1) return std::nullopt;
      const float bound = split->constant->data<float>()[0];
      if (std::isnan(bound)) return std::nullopt;
      return Found{UnaryKind::kClip, split->other, max ? bound : -kInfinity,
                   max ? kInfinity : bound};
    }
    for (size_t side : {0, 1}) {
      for (const Scaled& slope : is_.WithoutScale(root.inputs[1 - side])) {
        if (max && slope.value == root.inputs[side] && slope.scale > 0 && slope.scale < 1) {
          return Found{UnaryKind::kLeakyRelu, slope.value, static_cast<float>(slope.scale)};
        }
      }
    }
    return std::nullopt;
  }

  std::optional<Found> MatchProduct(const Scaled& product) const {
    if (Near(product.scale, 1.0 / 6)) {
      const ValueId x = ClippedPlus3(product.value);
      if (x != kNoValue) return Found{UnaryKind::kHardSigmoid, x, 1.0f / 6, 0.5f};
    }
    const Node* mul = is_.Binary(product.value, fb::BinaryKind::Mul);
    if (mul == nullptr) return std::nullopt;
    for (int side : {0, 1}) {
      for (const Scaled& x : is_.WithoutScale(mul->inputs[static_cast<size_t>(side)])) {
        for (const Scaled& gate : is_.WithoutScale(mul->inputs[static_cast<size_t>(1 - side)])) {
          if (auto found = MatchGate(x.value, gate.value, product.scale * x.scale * gate.scale)) {
            return found;
          }
        }
      }
    }
    return std::nullopt;
  }

  // x * gate * scale.
  std::optional<Found> MatchGate(ValueId x, ValueId gate, double scale) const {
    if (Near(scale, 1)) {
      if (const Node* unary = is_.Unary(gate, UnaryKind::kSigmoid)) {
        for (const Scaled& argument : is_.WithoutScale(unary->inputs[0])) {
          if (argument.value == x) {
            return Found{UnaryKind::kSwish, x, static_cast<float>(argument.scale)};
          }
        }
      }
      const Node* hard = is_.Unary(gate, UnaryKind::kHardSigmoid);
      if (hard != nullptr && hard->inputs[0] == x) {
        const auto& activation = hard->As<fb::UnaryT>()->activation;
        if (Near(activation.a(), 1.0 / 6) && Near(activation.b(), 0.5)) {
          return Found{UnaryKind::kHardSwish, x};
        }
      }
      if (const Node* tanh = is_.Unary(gate, UnaryKind::kTanh)) {
        const Node* softplus = is_.Unary(tanh->inputs[0], UnaryKind::kSoftplus);
        if (softplus != nullptr && softplus->inputs[0] == x) return Found{UnaryKind::kMish, x};
      }
    }
    if (Near(scale, 1.0 / 6) && ClippedPlus3(gate) == x) return Found{UnaryKind::kHardSwish, x};
    if (!Near(scale, 0.5)) return std::nullopt;
    const auto inner = is_.PlusScalar(gate, 1);
    if (!inner) return std::nullopt;
    if (const Node* erf = is_.Unary(*inner, UnaryKind::kErf)) {
      for (const Scaled& argument : is_.WithoutScale(erf->inputs[0])) {
        if (argument.value == x && Near(argument.scale, std::sqrt(0.5))) {
          return Found{UnaryKind::kGelu, x};
        }
      }
    }
    if (const Node* tanh = is_.Unary(*inner, UnaryKind::kTanh)) {
      for (const Scaled& argument : is_.WithoutScale(tanh->inputs[0])) {
        if (Near(argument.scale, std::sqrt(2 / M_PI)) && IsCubicSum(argument.value, x)) {
          return Found{UnaryKind::kGeluTanh, x};
        }
      }
    }
    return std::nullopt;
  }

  // x when the value is clip(x + 3, 0, 6).
  ValueId ClippedPlus3(ValueId id) const {
    const Node* clip = is_.Unary(id, UnaryKind::kClip);
    if (clip == nullptr) return kNoValue;
    const auto& activation = clip->As<fb::UnaryT>()->activation;
    if (activation.a() != 0 || activation.b() != 6) return kNoValue;
    return is_.PlusScalar(clip->inputs[0], 3).value_or(kNoValue);
  }

  // x + 0.044715 x^3.
  bool IsCubicSum(ValueId id, ValueId x) const {
    const Node* sum = is_.Binary(id, fb::BinaryKind::Add);
    if (sum == nullptr) return false;
    for (size_t side : {0, 1}) {
      if (sum->inputs[side] != x) continue;
      for (const Scaled& cube : is_.WithoutScale(sum->inputs[1 - side])) {
        if (Near(cube.scale, 0.044715) && is_.Power(cube.value, x) == 3) return true;
      }
    }
    return false;
  }

  const Pattern& is_;
};

}  // namespace

Status MatchActivations(Graph& graph) {
  Uses uses(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const auto* binary = node.As<fb::BinaryT>();
    if (binary == nullptr || !IsNone(binary->activation)) continue;
    const bool spelled = binary->kind == fb::BinaryKind::Mul ||
                         binary->kind == fb::BinaryKind::Div ||
                         binary->kind == fb::BinaryKind::Max || binary->kind == fb::BinaryKind::Min;
    if (!spelled) continue;
    const Pattern pattern(graph, uses);
    const auto found = Matcher(pattern).Match(node);
    if (!found || !TypeOf(graph, found->x).ranked ||
        TypeOf(graph, found->x).element != ElementType::kFloat32 ||
        TypeOf(graph, found->x) != TypeOf(graph, node.outputs[0])) {
      continue;
    }
    node.sources = pattern.SourcesBetween(found->x, node.outputs[0]);
    fb::UnaryT unary;
    unary.activation = fb::Activation(static_cast<uint8_t>(found->kind), found->a, found->b);
    uses.Forget(graph, i);
    node.op.Set(std::move(unary));
    node.inputs = {found->x};
    uses.Learn(graph, i);
  }
  graph.EliminateDead();
  return Status::Ok();
}

}  // namespace pleat::converter
