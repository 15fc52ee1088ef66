// What is different among the slices of a tensor (ONNX operator Unique).
#ifndef PLEAT_KERNELS_UNIQUE_H_
#define PLEAT_KERNELS_UNIQUE_H_

#include <cstdint>
#include <vector>

#include "kernels/element_type.h"

namespace pleat::kernels {

// Slices are x[:, i, :] of x [outer, size, inner]; they compare element by element in row-major
// order, NaN equal to itself and above all numbers.
struct UniqueProblem {
  ElementType type = ElementType::kFloat32;  // any number
  int64_t outer = 1, size = 1, inner = 1;
  bool sorted = true;  // ascending; else in the order of first appearance
};

struct UniqueSlices {
  std::vector<int64_t> first;    // of each different slice: where it first appears
  std::vector<int64_t> inverse;  // of each slice: which of the different ones it is
  std::vector<int64_t> count;    // of each different slice: how often it appears
};

UniqueSlices FindUnique(const UniqueProblem& problem, const void* x);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_UNIQUE_H_
