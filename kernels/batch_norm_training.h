// Batch normalization as in training (ONNX operator BatchNormalization, training_mode = 1): mean
// and population variance are those of the batch,
//   y[o,c,i] = (x[o,c,i] - mean_c) / sqrt(variance_c + epsilon) * gamma[c] + beta[c]
//   running_mean[c] = mean[c] * momentum + mean_c * (1 - momentum), and so the variance.
#ifndef PLEAT_KERNELS_BATCH_NORM_TRAINING_H_
#define PLEAT_KERNELS_BATCH_NORM_TRAINING_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x and y are dense [outer, channels, inner].
struct BatchNormTrainingProblem {
  ElementType type = ElementType::kFloat32;            // of x and y: float32 or float64
  ElementType parameter_type = ElementType::kFloat32;  // of all else: float32 or float64
  int64_t outer = 1, channels = 1, inner = 1;
  double epsilon = 1e-5;
  double momentum = 0.9;
  bool wants[3] = {true, true, true};  // y, running mean, running variance

  SelectOptions select;
};

// Operands: x, gamma, beta, mean, variance (four times [channels]). Outputs: those wanted, in
// order; y may be x's own memory.
std::span<const Candidate<BatchNormTrainingProblem>> BatchNormTrainingCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_BATCH_NORM_TRAINING_H_
