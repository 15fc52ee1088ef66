// Lists of axes, as operators' fields and inputs name them.
#ifndef PLEAT_RUNTIME_OPS_AXES_H_
#define PLEAT_RUNTIME_OPS_AXES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/tensor.h"

namespace pleat::runtime {

// The axes normalised to [0, rank), in the order given. Fails for one outside [-rank, rank) and for
// one that is named twice.
Result<std::vector<int>> NormalizeAxes(std::span<const int64_t> axes, int rank);

// The sizes around an axis: the products of those before and after it, and its own.
// REQUIRES: `shape` is known and checked, 0 <= axis < rank.
struct AxisSplit {
  int64_t outer, size, inner;
};
AxisSplit SplitAtAxis(const Shape& shape, int axis);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_AXES_H_
