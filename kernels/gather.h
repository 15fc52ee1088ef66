// Elements picked by index (ONNX operators Gather, GatherElements, GatherND). Indices come with a
// run; one out of range means the nearest in range, negative ones count from the end.
#ifndef PLEAT_KERNELS_GATHER_H_
#define PLEAT_KERNELS_GATHER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// y[o, i, :] = x[o, index[i], :] with x [outer, axis_size, inner].
struct GatherProblem {
  size_t element_size = 4;
  ElementType index_type = ElementType::kInt64;  // int64 or int32
  int64_t outer = 1;
  int64_t axis_size = 1;  // > 0 unless y is empty
  int64_t inner = 1;
  int64_t index_count = 1;
};

// y[i0, .., iK] = x[i0, .., index[i0, .., iK] at `axis`, .., iK]; y has the shape of index.
struct GatherElementsProblem {
  size_t element_size = 4;
  ElementType index_type = ElementType::kInt64;
  int axis = 0;
  std::vector<int64_t> shape;        // of x; shape[axis] > 0 unless y is empty
  std::vector<int64_t> index_shape;  // as long; at most x's but at `axis`. Not rank 0.
};

// y[b, t, :] = x[b, index[b, t, 0], .., index[b, t, k-1], :] with x [batch, sizes.., slice].
struct GatherNDProblem {
  size_t element_size = 4;
  ElementType index_type = ElementType::kInt64;
  int64_t batch = 1;
  int64_t tuples = 1;          // per batch
  std::vector<int64_t> sizes;  // of the k indexed dimensions; all > 0 unless y is empty
  int64_t slice = 1;
};

// Operands: x, index. Output: y.
std::span<const Candidate<GatherProblem>> GatherCandidates();
std::span<const Candidate<GatherElementsProblem>> GatherElementsCandidates();
std::span<const Candidate<GatherNDProblem>> GatherNDCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_GATHER_H_
