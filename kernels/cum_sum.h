// Running sums or products along an axis (ONNX operators CumSum, CumProd): y[i] = sum of x[0..i].
#ifndef PLEAT_KERNELS_CUM_SUM_H_
#define PLEAT_KERNELS_CUM_SUM_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are [outer, size, inner]. Integers wrap around.
struct CumSumProblem {
  ElementType type = ElementType::kFloat32;  // any number
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
  bool exclusive = false;  // y[i] leaves x[i] out
  bool reverse = false;    // from the last element down
  bool product = false;    // products, not sums

  SelectOptions select;
};

// Operands of a run: x. One output: y, which may be x itself.
std::span<const Candidate<CumSumProblem>> CumSumCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CUM_SUM_H_
