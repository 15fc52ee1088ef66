// One function applied to every element: y[i] = f(x[i]), see activation.h.
#ifndef PLEAT_KERNELS_UNARY_H_
#define PLEAT_KERNELS_UNARY_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// y has the type of x; kNot, kIsNaN and kIsInf give bool. Every kind takes float32 and float64;
// kIdentity, kClip, kAbs, kNeg, kSign and kBitwiseNot (integers only) any other number type but the
// half-width floats; kNot takes bool.
struct UnaryProblem {
  ElementType type = ElementType::kFloat32;
  Activation activation;
  int64_t count = 0;

  SelectOptions select;
};

// Operands: x. Output: y, which may be x's own memory when both have one type.
std::span<const Candidate<UnaryProblem>> UnaryCandidates();

// values[i] = activation(values[i]) on the calling thread, for kernels that apply an activation to
// what they have just computed. Does not depend on alignment or on where an element lies.
void ApplyActivation(const Activation& activation, float* values, size_t count);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_UNARY_H_
