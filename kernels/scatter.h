// A copy of a tensor with elements replaced, or combined, at indices (ONNX operators
// ScatterElements and ScatterND). Updates of one place are applied in the order of the index
// tensor. An index out of range means the nearest in range, negative ones count from the end.
#ifndef PLEAT_KERNELS_SCATTER_H_
#define PLEAT_KERNELS_SCATTER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// Values are those of fb::ScatterReduction.
enum class ScatterKind : uint8_t { kReplace = 0, kAdd = 1, kMul = 2, kMax = 3, kMin = 4 };

// y = x, then y[i0, .., index[i0, .., iK] at `axis`, .., iK] op= updates[i0, .., iK].
struct ScatterElementsProblem {
  ElementType type = ElementType::kFloat32;      // replace: any; else neither float16 nor bfloat16
  ElementType index_type = ElementType::kInt64;  // int64 or int32
  ScatterKind kind = ScatterKind::kReplace;
  int axis = 0;
  std::vector<int64_t> shape;        // of x and y; shape[axis] > 0 unless index is empty
  std::vector<int64_t> index_shape;  // of index and updates; at most x's but at `axis`. Not rank 0.
};

// y = x, then y[index[t, 0], .., index[t, k-1], :] op= updates[t, :] with x [sizes.., slice].
struct ScatterNDProblem {
  ElementType type = ElementType::kFloat32;
  ElementType index_type = ElementType::kInt64;
  ScatterKind kind = ScatterKind::kReplace;
  int64_t tuples = 1;
  std::vector<int64_t> sizes;  // of the k indexed dimensions; all > 0 unless updates is empty
  int64_t slice = 1;
};

// Operands: x, index, updates. Output: y, which may be x itself.
std::span<const Candidate<ScatterElementsProblem>> ScatterElementsCandidates();
std::span<const Candidate<ScatterNDProblem>> ScatterNDCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_SCATTER_H_
