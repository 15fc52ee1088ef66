// Tensors of which positions matter (ONNX operators Trilu, OneHot and NonZero).
#ifndef PLEAT_KERNELS_MASKS_H_
#define PLEAT_KERNELS_MASKS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// y[b,r,c] = x[b,r,c] where c - r >= k (upper) or c - r <= k (lower), else 0.
struct TriluProblem {
  size_t element_size = 4;
  bool upper = true;
  int64_t batch = 1, rows = 1, columns = 1;
  bool has_k = false;                        // false: k is 0
  ElementType k_type = ElementType::kInt64;  // int64 or int32
};

// y[o,d,i] = values[1] where index[o,i] is d or d - depth, else values[0]; fractions of indices are
// cut off.
struct OneHotProblem {
  size_t element_size = 4;                       // of values and y
  ElementType index_type = ElementType::kInt64;  // int64, int32, float32 or float64
  int64_t outer = 1, depth = 1, inner = 1;
};

// Coordinates of the elements other than 0 in row-major order: y[d, j] is the d-th coordinate of
// the j-th of them.
struct NonZeroProblem {
  ElementType type = ElementType::kFloat32;  // of x
  std::vector<int64_t> shape;                // of x; not rank 0
  int64_t count = 0;                         // elements of x other than 0
};

// Operands: x, k when has_k. Output: y.
std::span<const Candidate<TriluProblem>> TriluCandidates();
// Operands: index, values (2 elements). Output: y.
std::span<const Candidate<OneHotProblem>> OneHotCandidates();
// Operand: x. Output: y, int64.
std::span<const Candidate<NonZeroProblem>> NonZeroCandidates();

// How many of x's `count` elements are not 0 (-0 is 0, NaN is not).
int64_t CountNonZero(ElementType type, const void* x, int64_t count);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_MASKS_H_
