// Normalisation of every channel of every image by its own mean and population variance over space:
//   y[n,c,s] = (x[n,c,s] - mean_nc) / sqrt(variance_nc + epsilon) * scale[c] + bias[c]
#ifndef PLEAT_KERNELS_INSTANCE_NORM_H_
#define PLEAT_KERNELS_INSTANCE_NORM_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

struct InstanceNormProblem {
  ElementType type = ElementType::kFloat32;  // of all operands: float32 or float64
  bool channels_last =
      false;  // x and y are dense [batch, space, channels]; else [batch, channels, space]
  int64_t batch = 1, channels = 1, space = 1;
  double epsilon = 1e-5;

  SelectOptions select;
};

// Operands: x, scale [channels], bias [channels]. Output: y, which may be x's own memory.
std::span<const Candidate<InstanceNormProblem>> InstanceNormCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_INSTANCE_NORM_H_
