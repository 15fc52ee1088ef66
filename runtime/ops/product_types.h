// Checks shared by the operators that multiply matrices: Conv, ConvTranspose, MatMul.
#ifndef PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_
#define PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_

#include <span>

#include "runtime/op.h"
#include "runtime/tensor.h"

namespace pleat::runtime {

// Fails unless operands 0, 1 and those in `optional` that are present are all float32 or all
// float64. `names` says what each is called.
Status CheckProductElements(const Node& node, std::span<const Type> inputs,
                            std::span<const char* const> names);

// Fails unless a present operand's type may be `expected`: ranks and known sizes agree.
Status CheckOperandShape(const Node& node, std::span<const Type> inputs, size_t index,
                         const char* name, const Shape& expected);

// True when both sizes are known and differ.
inline bool Differ(int64_t a, int64_t b) { return a != kUnknownDim && b != kUnknownDim && a != b; }

// The operand's numbers where they are known before a run, else null; in that case the operand is
// appended to the kernel's.
const void* ConstantOrOperand(PrepareContext& context, int index);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_
