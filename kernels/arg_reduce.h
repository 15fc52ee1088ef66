// The position of the largest or smallest number along an axis (ONNX operators ArgMax, ArgMin).
#ifndef PLEAT_KERNELS_ARG_REDUCE_H_
#define PLEAT_KERNELS_ARG_REDUCE_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x is [outer, size, inner]. Among equals the first wins, or the last; the first (last) NaN wins
// over every number. size is at least 1 unless there are no outputs.
struct ArgReduceProblem {
  ElementType type = ElementType::kFloat32;  // any number
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
  bool max = true;
  bool last_index = false;

  SelectOptions select;
};

// Operands of a run: x. One output: int64 [outer, inner].
std::span<const Candidate<ArgReduceProblem>> ArgReduceCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_ARG_REDUCE_H_
