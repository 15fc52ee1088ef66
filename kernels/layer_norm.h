// Normalisation of every row by its own mean and population variance:
//   y[r,l] = (x[r,l] - mean_r) / sqrt(variance_r + epsilon) * scale[l] + bias[l]
#ifndef PLEAT_KERNELS_LAYER_NORM_H_
#define PLEAT_KERNELS_LAYER_NORM_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are dense [rows, length].
struct LayerNormProblem {
  ElementType type = ElementType::kFloat32;  // of all operands: float32 or float64
  int64_t rows = 1, length = 1;
  double epsilon = 1e-5;
  bool has_bias = true;

  SelectOptions select;
};

// Operands: x, scale [length], bias [length] when has_bias. Output: y, which may be x's own memory.
std::span<const Candidate<LayerNormProblem>> LayerNormCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_LAYER_NORM_H_
