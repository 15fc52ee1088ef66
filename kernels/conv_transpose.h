// Transposed convolution (ONNX operator ConvTranspose): every input pixel adds its kernel, scaled,
// to the output:
//   y[n, i*stride - pad_begin + k*dilation, g*M/G + m] += x[n,i,c] * w[c,m,k], plus bias, then act,
// for c in group g; contributions outside the output are dropped.
#ifndef PLEAT_KERNELS_CONV_TRANSPOSE_H_
#define PLEAT_KERNELS_CONV_TRANSPOSE_H_

#include "kernels/conv.h"

namespace pleat::kernels {

// The fields mean what they mean in ConvProblem, `in` being the smaller image as a rule. Weights
// are in ONNX's layout [C][M/G][taps]. No residual.
struct ConvTransposeProblem {
  ElementType type = ElementType::kFloat32;
  bool channels_last = true;
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t pad_begin[3] = {0, 0, 0};
  int64_t out_pixel_stride = 0;
  const void* weights = nullptr;  // null: comes with each run
  bool has_bias = false;
  const void* bias = nullptr;  // null with has_bias: comes with each run
  const double* tap_bias = nullptr;  // [M][taps], for each tap that brings a pixel
  Activation activation;

  SelectOptions select;
};

// Operands: x; w when weights == null; bias when has_bias and bias == null. Output: y.
std::span<const Candidate<ConvTransposeProblem>> ConvTransposeCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CONV_TRANSPOSE_H_
