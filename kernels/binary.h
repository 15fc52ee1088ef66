// Two operands, element by element, broadcast as Numpy does: y = act(a op b).
#ifndef PLEAT_KERNELS_BINARY_H_
#define PLEAT_KERNELS_BINARY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/activation.h"
#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// Values are part of the model file: append, never renumber.
enum class BinaryKind : uint8_t {
  kAdd = 0,
  kSub = 1,
  kMul = 2,
  kDiv = 3,  // integers truncate; by zero gives 0
  kPow = 4,  // integers to a negative power: as 1/x truncated, 0 for x = 0
  kMin = 5,  // NaN when either is
  kMax = 6,
  kPRelu = 7,  // a < 0 ? a*b : a
  kMod = 8,    // sign of b, as Python, of a zero too; by integer zero gives 0
  kFMod = 9,   // sign of a, as C's fmod; by integer zero gives 0
  kEqual = 10,
  kLess = 11,
  kLessOrEqual = 12,
  kGreater = 13,
  kGreaterOrEqual = 14,
  kAnd = 15,  // kAnd, kOr, kXor: bool only
  kOr = 16,
  kXor = 17,
  kBitAnd = 18,  // kBitAnd to kShiftRight: integers only
  kBitOr = 19,
  kBitXor = 20,
  kShiftLeft = 21,  // 0 when b is negative or not below the width
  kShiftRight = 22,
};
inline constexpr int kBinaryKindCount = 23;

// True for the kinds that give bool from any type.
constexpr bool Compares(BinaryKind kind) {
  return kind >= BinaryKind::kEqual && kind <= BinaryKind::kGreaterOrEqual;
}

// The operation in double: the definition for floats. Comparisons give 0 or 1.
// REQUIRES: kind is arithmetic or a comparison.
double ApplyBinary(BinaryKind kind, double a, double b);

// Integer sums and products wrap. y has the type of a and b, or bool for comparisons. Shapes have
// at most 8 axes and broadcast.
struct BinaryProblem {
  ElementType type = ElementType::kFloat32;  // of a and b: any but the half-width floats
  BinaryKind kind = BinaryKind::kAdd;
  std::vector<int64_t> a_shape, b_shape;
  Activation activation;  // of float results; else identity

  SelectOptions select;
};

// Operands: a, b. Output: y, which may be the memory of an operand that has y's shape and type.
std::span<const Candidate<BinaryProblem>> BinaryCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_BINARY_H_
