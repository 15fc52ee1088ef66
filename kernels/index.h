// Indices that come with a run. A kernel cannot fail, so an index out of range means the nearest
// one in range; negative ones count from the end, as ONNX has it.
#ifndef PLEAT_KERNELS_INDEX_H_
#define PLEAT_KERNELS_INDEX_H_

#include <algorithm>
#include <cstdint>

#include "kernels/element_type.h"

namespace pleat::kernels {

// A position in [0, size). REQUIRES: size > 0.
inline int64_t WrapIndex(int64_t index, int64_t size) {
  if (index < 0) index += size;
  return std::clamp<int64_t>(index, 0, size - 1);
}

// Reads entries of an index tensor of type int64 or int32.
class Indices {
 public:
  Indices(ElementType type, const void* data) : wide_(type == ElementType::kInt64), data_(data) {}
  int64_t operator[](int64_t i) const {
    return wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }

 private:
  const bool wide_;
  const void* const data_;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_INDEX_H_
