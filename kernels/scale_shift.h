// One multiply-add per channel, what an inference batch normalization is:
//   y[o,c,i] = act(x[o,c,i] * scale[c] + shift[c])
#ifndef PLEAT_KERNELS_SCALE_SHIFT_H_
#define PLEAT_KERNELS_SCALE_SHIFT_H_

#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are dense [outer, channels, inner].
struct ScaleShiftProblem {
  ElementType type = ElementType::kFloat32;        // of x and y: float32 or float64
  ElementType scale_type = ElementType::kFloat32;  // float32 or float64, whatever x is
  ElementType shift_type = ElementType::kFloat32;
  int64_t outer = 1, channels = 1, inner = 1;
  // Constants [channels], alive as long as the kernel; null: they come with each run.
  const void* scale = nullptr;
  const void* shift = nullptr;
  Activation activation;

  SelectOptions select;
};

// Operands: x; scale when scale == null; shift when shift == null. Output: y, which may be x's own
// memory.
std::span<const Candidate<ScaleShiftProblem>> ScaleShiftCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_SCALE_SHIFT_H_
