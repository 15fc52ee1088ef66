// Choice between two operands: y = condition ? a : b, all three broadcast as Numpy does.
#ifndef PLEAT_KERNELS_WHERE_H_
#define PLEAT_KERNELS_WHERE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// The shapes broadcast and have at most 8 axes.
struct WhereProblem {
  ElementType type = ElementType::kFloat32;  // of a, b and y: any
  std::vector<int64_t> condition_shape, a_shape, b_shape;

  SelectOptions select;
};

// Operands: condition (bool), a, b. Output: y, which may be a's or b's memory when that has y's
// shape.
std::span<const Candidate<WhereProblem>> WhereCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_WHERE_H_
