// Checks that the elementwise operators share: how many operands, of which types, and the shape two
// of them broadcast to.
#ifndef PLEAT_RUNTIME_OPS_OPERANDS_H_
#define PLEAT_RUNTIME_OPS_OPERANDS_H_

#include <initializer_list>

#include "runtime/op.h"
#include "runtime/tensor.h"

namespace pleat::runtime {

// Fails unless the node has the `required` inputs, at most `optional` more, and between 1 and
// `outputs` outputs.
Status CheckOperands(const Node& node, size_t required, size_t optional = 0, size_t outputs = 1);

// Fails unless the type, of the operand called `name`, is float32 or float64.
Status CheckFloat(const Type& type, const char* name);

// Fails unless both operands have the same element type.
Status CheckSameElements(const Type& a, const char* a_name, const Type& b, const char* b_name);

// Numpy's broadcast of two shapes into the first type; unranked when either is. Fails when they do
// not broadcast.
Status BroadcastInto(Type& a, const Type& b);

// Fails unless the operand called `name` is a vector of `length` numbers, as far as is known.
Status CheckVector(const Type& type, const char* name, int64_t length);

// Sizes around an axis: `inner` elements lie between neighbours along it. REQUIRES: shape is known.
struct AroundAxes {
  int64_t outer = 1, along = 1, inner = 1;
};
// Around axes [axis, axis_end).
AroundAxes Around(const Shape& shape, int axis, int axis_end);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_OPERANDS_H_
