#include "runtime/ops/axes.h"

namespace pleat::runtime {

Result<std::vector<int>> NormalizeAxes(std::span<const int64_t> axes, int rank) {
  std::vector<int> normalized;
  std::vector<bool> seen(static_cast<size_t>(rank));
  for (int64_t axis : axes) {
    PLEAT_ASSIGN_OR_RETURN(const int a, NormalizeAxis(axis, rank));
    if (seen[static_cast<size_t>(a)]) {
      return InvalidModel("axis " + std::to_string(axis) + " is named twice");
    }
    seen[static_cast<size_t>(a)] = true;
    normalized.push_back(a);
  }
  return normalized;
}

AxisSplit SplitAtAxis(const Shape& shape, int axis) {
  const auto at = shape.begin() + axis;
  return {ElementCount({shape.begin(), at}), *at, ElementCount({at + 1, shape.end()})};
}

}  // namespace pleat::runtime
