// A caller's tensor in any order, or of 8-bit pixels, read into the dense form a run wants.
#ifndef PLEAT_RUNTIME_READ_INPUT_H_
#define PLEAT_RUNTIME_READ_INPUT_H_

#include <cstdint>

#include "runtime/tensor.h"

namespace pleat::runtime {

// Sizes and strides (in elements) stand in the order of the result's axes.
struct StridedSource {
  ElementType element = ElementType::kFloat32;
  const void* data = nullptr;
  int rank = 0;
  int64_t shape[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};
  int channel_axis = 0;          // the axis that `mean` and `scale` run along
  const float* mean = nullptr;   // null: all 0
  const float* scale = nullptr;  // null: all 1
};

// True when the numbers are already as ReadInput would write them.
bool IsDense(const StridedSource& source, ElementType target);

// Elements from data[0] to the last one that is read, inclusive; 0 when there are none, -1 when
// that number does not fit. REQUIRES: no negative sizes or strides.
int64_t ReachOf(const StridedSource& source);

// Writes target[i...] = (source[i...] - mean[c]) * scale[c], row-major. REQUIRES: the element types
// are the same, or uint8 read as float32; mean and scale only where `target` is float32.
void ReadInput(const StridedSource& source, ElementType target, void* out);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_READ_INPUT_H_
