// Softmax along one axis, or its logarithm:
//   e[o,l,i] = exp(x[o,l,i] - max_l x[o,l,i])
//   y[o,l,i] = e[o,l,i] / sum_l e[o,l,i]
#ifndef PLEAT_KERNELS_SOFTMAX_H_
#define PLEAT_KERNELS_SOFTMAX_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are dense [outer, length, inner].
struct SoftmaxProblem {
  ElementType type = ElementType::kFloat32;  // float32 or float64
  int64_t outer = 1, length = 1, inner = 1;
  bool log = false;

  SelectOptions select;
};

// Operands: x. Output: y, which may be x's own memory.
std::span<const Candidate<SoftmaxProblem>> SoftmaxCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_SOFTMAX_H_
