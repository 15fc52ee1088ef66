// The k largest or smallest numbers along an axis and where they stand (ONNX operator TopK).
#ifndef PLEAT_KERNELS_TOP_K_H_
#define PLEAT_KERNELS_TOP_K_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x is [outer, size, inner], the outputs are [outer, k, inner], best first; the first of equals
// comes first. NaN counts as larger than every number. k <= size.
struct TopKProblem {
  ElementType type = ElementType::kFloat32;  // any number
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
  int64_t k = 1;
  bool largest = true;

  // Which outputs there are.
  bool values = true;
  bool indices = true;

  SelectOptions select;
};

// Operands of a run: x. Outputs: those of the values (type of x) and the int64 indices along the
// axis that are wanted, in this order.
std::span<const Candidate<TopKProblem>> TopKCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_TOP_K_H_
