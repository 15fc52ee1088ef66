// A row times weights that are kept as float16, summed in float32:
//   y[n] = min(max(init[n] + sum_k row[k] * w[k][n] + residual[n], low), high)
// Reading the weights is what takes the time, and they are half as long.
#ifndef PLEAT_KERNELS_HALF_ROWS_H_
#define PLEAT_KERNELS_HALF_ROWS_H_

#include <cstddef>

#include "kernels/half.h"

namespace pleat::kernels {

struct HalfRowJob {
  const float* row;
  size_t count;            // of k
  const Float16* panels;   // [ceil(columns/16)][count][16]
  const float* init;       // whole panels long, or null
  size_t columns;
  float* y;
  const float* residual;  // or null
  float low, high;
};

// Sums run in chains as gemm.h says. Every float16 is the float32 of the same value, infinities
// and subnormal numbers too. The function for the best instruction set in use:
using HalfRowFunction = void (*)(const HalfRowJob& job);
HalfRowFunction BestHalfRow();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_HALF_ROWS_H_
