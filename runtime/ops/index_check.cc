#include "runtime/ops/index_check.h"

#include <algorithm>

namespace pleat::runtime {

Status CheckIndices(const Type& index, const Tensor* known, std::span<const int64_t> sizes) {
  if (ElementCount(index.shape) == 0) return Status::Ok();
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) {
    return InvalidModel("indices: an axis of size 0 has no elements to index");
  }
  if (known == nullptr) return Status::Ok();
  const std::vector<int64_t> values = ToInt64s(*known);
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t size = sizes[i % sizes.size()];
    if (values[i] < -size || values[i] >= size) {
      return InvalidModel("indices: expected numbers in [-" + std::to_string(size) + ", " +
                          std::to_string(size) + "), got " + std::to_string(values[i]));
    }
  }
  return Status::Ok();
}

Status CheckElementIndex(const Type& x, const Type& index, int64_t axis) {
  PLEAT_RETURN_IF_ERROR(CheckIndexType(index));
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const int normal, NormalizeAxis(axis, x.rank()));
  if (!index.ranked) return Status::Ok();
  bool fits = index.rank() == x.rank();
  for (size_t d = 0; fits && d < x.shape.size(); ++d) {
    fits = d == static_cast<size_t>(normal) || x.shape[d] == kUnknownDim ||
           index.shape[d] <= x.shape[d];
  }
  if (fits) return Status::Ok();
  return InvalidModel("indices: expected sizes up to those of " + TypeText(x) + " except axis " +
                      std::to_string(normal) + ", got " + TypeText(index));
}

}  // namespace pleat::runtime
