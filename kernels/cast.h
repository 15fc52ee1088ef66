// Numbers from one type to another.
#ifndef PLEAT_KERNELS_CAST_H_
#define PLEAT_KERNELS_CAST_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

struct CastProblem {
  ElementType from = ElementType::kFloat32;
  ElementType to = ElementType::kFloat32;
  int64_t count = 0;

  SelectOptions select;
};

// Operands: x. Output: y, which may be x's own memory when elements of both have one size.
std::span<const Candidate<CastProblem>> CastCandidates();

// The conversion itself, between any two types: to floats rounded once, halves to even; floats to
// integers truncated and saturated, NaN to 0; integers to narrower ones modulo 2^width; to bool:
// not equal to 0. `to` may be `from` when elements of both have one size.
void CastElements(ElementType from_type, const void* from, ElementType to_type, void* to,
                  size_t count);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CAST_H_
