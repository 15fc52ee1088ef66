// The optional operands scale, shift and bounds of an operator that scales x where it reads it.
#ifndef PLEAT_RUNTIME_OPS_PROLOGUE_H_
#define PLEAT_RUNTIME_OPS_PROLOGUE_H_

#include "kernels/prologue.h"
#include "runtime/op.h"
#include "runtime/ops/product_types.h"

namespace pleat::runtime {

template <class Context>
bool HasPrologue(const Context& context, size_t first) {
  return context.has_input(first) || context.has_input(first + 1) || context.has_input(first + 2);
}

// Reads operands from `first` on: scale and shift [channels], bounds [2] or none, constants of x's
// type. The result points into them.
template <class Context>
Result<kernels::Prologue> PrologueOf(const Context& context, size_t first, int64_t channels) {
  constexpr const char* kNames[] = {"scale", "shift", "bounds"};
  kernels::Prologue prologue;
  if (!HasPrologue(context, first)) return prologue;
  const ElementType element = context.inputs[0].element;
  for (size_t i = 0; i < 3; ++i) {
    if (i == 2 && !context.has_input(first + i)) continue;
    const Tensor* known = context.known_input(first + i);
    if (known == nullptr || known->element() != element) {
      return InvalidModel("expected constant " + std::string(kNames[i]) + " of " +
                          ElementName(element));
    }
    PLEAT_RETURN_IF_ERROR(CheckOperandShape(context.node, context.inputs, first + i, kNames[i],
                                            {i == 2 ? 2 : channels}));
    if (i == 0) prologue.scale = known->raw();
    if (i == 1) prologue.shift = known->raw();
    if (i < 2) continue;
    const std::vector<double> bounds = ToDoubles(*known);
    prologue.activation = {kernels::UnaryKind::kClip, static_cast<float>(bounds[0]),
                           static_cast<float>(bounds[1])};
  }
  return prologue;
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_PROLOGUE_H_
