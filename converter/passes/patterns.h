// Questions that pattern matching asks about the makers of values.
#ifndef PLEAT_CONVERTER_PASSES_PATTERNS_H_
#define PLEAT_CONVERTER_PASSES_PATTERNS_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/passes/rewrite.h"
#include "kernels/activation.h"

namespace pleat::converter {

// Equal to a constant that people wrote with six digits or more.
bool Near(double a, double b);

// scale * value.
struct Scaled {
  double scale;
  ValueId value;
};

// Answers are about the graph as it was when `uses` was taken; both must outlive this.
class Pattern {
 public:
  Pattern(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // The node that makes `id` when it is of that kind, without a fused activation; else null.
  const Node* Unary(ValueId id, kernels::UnaryKind kind) const;
  const Node* Binary(ValueId id, fb::BinaryKind kind) const;
  const Node* Maker(ValueId id) const;

  // Every way to read the value as scale * value by leaving out products with, and quotients by,
  // one constant number: first {1, id} itself.
  std::vector<Scaled> WithoutScale(ValueId id) const;
  // v when the value is v + number.
  std::optional<ValueId> PlusScalar(ValueId id, double number) const;
  // n when the value is x multiplied with itself n times, as products or powers; else 0.
  int Power(ValueId id, ValueId x, int deepest = 8) const;
  // The constant operand of a Binary node and the other one, in either order.
  struct Split {
    const Tensor* constant;
    ValueId other;
    bool constant_left;
  };
  std::optional<Split> ConstantOperand(const Node& node) const;

  // What the nodes on all paths from `from` to `to` stand for, without repetition.
  std::vector<std::string> SourcesBetween(ValueId from, ValueId to) const;

 private:
  const Graph& graph_;
  const Uses& uses_;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_PATTERNS_H_
