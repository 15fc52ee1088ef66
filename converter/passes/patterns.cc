#include "converter/passes/patterns.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace pleat::converter {

bool Near(double a, double b) { return std::abs(a - b) <= 1e-5 * std::abs(b); }

const Node* Pattern::Maker(ValueId id) const {
  const int maker = uses_.Maker(id);
  return maker < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(maker)];
}

const Node* Pattern::Unary(ValueId id, kernels::UnaryKind kind) const {
  const Node* node = Maker(id);
  const auto* unary = node == nullptr ? nullptr : node->As<fb::UnaryT>();
  return unary != nullptr && unary->activation.kind() == static_cast<uint8_t>(kind) ? node
                                                                                    : nullptr;
}

const Node* Pattern::Binary(ValueId id, fb::BinaryKind kind) const {
  const Node* node = Maker(id);
  const auto* binary = node == nullptr ? nullptr : node->As<fb::BinaryT>();
  return binary != nullptr && binary->kind == kind && IsNone(binary->activation) ? node : nullptr;
}

std::optional<Pattern::Split> Pattern::ConstantOperand(const Node& node) const {
  for (size_t side : {1, 0}) {
    const Tensor* constant = graph_.ConstantOf(node.inputs[side]);
    if (constant != nullptr && graph_.ConstantOf(node.inputs[1 - side]) == nullptr) {
      return Split{constant, node.inputs[1 - side], side == 0};
    }
  }
  return std::nullopt;
}

std::vector<Scaled> Pattern::WithoutScale(ValueId id) const {
  constexpr size_t kMaxWays = 8;  // no formula is spelled with more
  std::vector<Scaled> ways = {{1, id}};
  while (ways.size() < kMaxWays) {
    const Scaled last = ways.back();
    const Node* product = Binary(last.value, fb::BinaryKind::Mul);
    const Node* quotient = Binary(last.value, fb::BinaryKind::Div);
    const Node* node = product != nullptr ? product : quotient;
    const auto split = node == nullptr ? std::nullopt : ConstantOperand(*node);
    if (!split || split->constant->count() != 1 || !kernels::IsFloat(split->constant->element()) ||
        (quotient != nullptr && split->constant_left)) {
      return ways;
    }
    const double number = runtime::ToDoubles(*split->constant)[0];
    ways.push_back({product != nullptr ? last.scale * number : last.scale / number, split->other});
  }
  return ways;
}

std::optional<ValueId> Pattern::PlusScalar(ValueId id, double number) const {
  const Node* sum = Binary(id, fb::BinaryKind::Add);
  const auto split = sum == nullptr ? std::nullopt : ConstantOperand(*sum);
  if (!split || split->constant->count() != 1 ||
      !Near(runtime::ToDoubles(*split->constant)[0], number)) {
    return std::nullopt;
  }
  return split->other;
}

int Pattern::Power(ValueId id, ValueId x, int deepest) const {
  if (id == x) return 1;
  if (deepest == 0) return 0;
  if (const Node* pow = Binary(id, fb::BinaryKind::Pow)) {
    const auto exponent = KnownScalar(graph_, pow->inputs[1]);
    const bool whole =
        exponent && *exponent >= 1 && *exponent <= 8 && *exponent == std::floor(*exponent);
    return whole && pow->inputs[0] == x ? static_cast<int>(*exponent) : 0;
  }
  const Node* product = Binary(id, fb::BinaryKind::Mul);
  if (product == nullptr) return 0;
  const int left = Power(product->inputs[0], x, deepest - 1);
  const int right = left == 0 ? 0 : Power(product->inputs[1], x, deepest - 1);
  return right == 0 ? 0 : left + right;
}

std::vector<std::string> Pattern::SourcesBetween(ValueId from, ValueId to) const {
  std::vector<ValueId> stack = {to};
  std::set<ValueId> seen = {from, kNoValue};
  Node all;
  while (!stack.empty()) {
    const ValueId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const Node* node = Maker(id);
    if (node == nullptr) continue;
    AddSources(all, *node);
    stack.insert(stack.end(), node->inputs.begin(), node->inputs.end());
  }
  std::reverse(all.sources.begin(), all.sources.end());
  return all.sources;
}

}  // namespace pleat::converter
