// Checks shared by the operators that multiply matrices: Conv, ConvTranspose, MatMul.
#ifndef PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_
#define PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_

#include <span>

#include "runtime/op.h"
#include "runtime/tensor.h"

namespace pleat::runtime {

// Fails unless operands 0, 1 and the further ones that have names and are present are all float32
// or all float64, there are at most `most` operands (0: those with names) and there is one output.
Status CheckProductElements(const Node& node, std::span<const Type> inputs,
                            std::span<const char* const> names, size_t most = 0);

// Fails unless a present operand's type may be `expected`: ranks and known sizes agree.
Status CheckOperandShape(const Node& node, std::span<const Type> inputs, size_t index,
                         const char* name, const Shape& expected);

// The constant float64 [outputs, kernel..] that operand `index` must be when present.
Status CheckTapBias(const Node& node, std::span<const Type> inputs, const Tensor* known,
                    size_t index, int64_t outputs, const Shape& kernel);

// True when both sizes are known and differ.
inline bool Differ(int64_t a, int64_t b) { return a != kUnknownDim && b != kUnknownDim && a != b; }

// The operand's numbers where they are known before a run, else null; in that case the operand is
// appended to the kernel's.
const void* ConstantOrOperand(PrepareContext& context, int index);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_PRODUCT_TYPES_H_
