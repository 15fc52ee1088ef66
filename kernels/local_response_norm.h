// Local response normalization across channels (ONNX operator LRN):
//   y[o,c,i] = x[o,c,i] / (bias + alpha/size * sum_k x[o,k,i]^2)^beta
// with k from c - floor((size-1)/2) to c + ceil((size-1)/2), as far as there are channels.
#ifndef PLEAT_KERNELS_LOCAL_RESPONSE_NORM_H_
#define PLEAT_KERNELS_LOCAL_RESPONSE_NORM_H_

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are dense [outer, channels, inner].
struct LocalResponseNormProblem {
  ElementType type = ElementType::kFloat32;  // float32 or float64
  int64_t outer = 1, channels = 1, inner = 1;
  int64_t size = 1;  // >= 1
  double alpha = 1e-4, beta = 0.75, bias = 1;

  SelectOptions select;

  // Channels of the window before and after its own, no more than there can be.
  int64_t before() const { return std::min((size - 1) / 2, std::max<int64_t>(channels - 1, 0)); }
  int64_t after() const { return std::min(size / 2, std::max<int64_t>(channels - 1, 0)); }
};

// Operands: x. Output: y, other memory than x's.
std::span<const Candidate<LocalResponseNormProblem>> LocalResponseNormCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_LOCAL_RESPONSE_NORM_H_
