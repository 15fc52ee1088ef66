// Convolution in one, two or three spatial dimensions, any groups, with bias, residual and
// activation applied before the store:
//   y[n,o,m] = act(bias[m] + sum_{k,c} x[n, o*stride - pad_begin + k*dilation, g*C/G + c] *
//   w[m,k,c]
//                  + residual[n,o,m])
// where x outside the image counts as 0 and g is the group of m (ONNX operator Conv). With tap_bias
// the sum has a further term tap_bias[m,k] for each k that reads inside the image.
#ifndef PLEAT_KERNELS_CONV_H_
#define PLEAT_KERNELS_CONV_H_

#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/element_type.h"
#include "kernels/kernel.h"
#include "kernels/prologue.h"

namespace pleat::kernels {

// How weights lie in memory. Values are part of the model file.
enum class WeightLayout : uint8_t {
  // As in ONNX: Conv [M][C/G][taps]; ConvTranspose [C][M/G][taps]; MatMul [K][N].
  kOnnx = 0,
  // Panels of 16 outputs that every instruction set reads in place:
  // Conv [G][ceil(M/G / 16)][taps][C/G][16], MatMul [ceil(N/16)][K][16]; the tail is zero.
  kPanels16 = 1,
  // Depthwise (C/G == 1): Conv [taps][M].
  kTapsChannels = 2,
  // MatMul: kPanels16 of float16 numbers.
  kPanels16Half = 3,
};

struct ConvProblem {
  ElementType type = ElementType::kFloat32;  // of x, w, bias, residual, y: float32 or float64
  bool channels_last = true;  // x, residual, y are [N, spatial.., C]; else [N, C, spatial..]
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  // Depth, height, width. Missing leading dimensions are 1 (size, kernel, stride) and 0 (pads).
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t pad_begin[3] = {0, 0, 0};
  int64_t pad_end[3] = {0, 0, 0};

  // Elements between neighbouring pixels when channels_last; 0 means densely packed. They let a
  // convolution read a slice of, or write into a part of, a wider tensor (Concat without a copy).
  int64_t in_pixel_stride = 0;
  int64_t out_pixel_stride = 0;
  int64_t residual_pixel_stride = 0;

  WeightLayout weight_layout = WeightLayout::kOnnx;
  // Constant weights, 64-byte aligned, alive as long as the kernel; null: they come with each run.
  const void* weights = nullptr;
  bool has_bias = false;
  const void* bias = nullptr;  // [M]; null with has_bias: it comes with each run
  bool has_residual = false;   // laid out as y
  // Constant [M][taps], or null: what each tap adds to the sum where it meets the image. Kernels
  // other than the reference want the plain bias, if any, to be constant then.
  const double* tap_bias = nullptr;
  Prologue prologue;  // of x, by input channel
  Activation activation;

  SelectOptions select;
};

// Operands of a run: x; w when weights == null; bias when has_bias and bias == null; residual when
// has_residual. One output: y.
std::span<const Candidate<ConvProblem>> ConvCandidates();

// Elements that weights of the given layout hold.
int64_t ConvWeightElements(const ConvProblem& problem, WeightLayout layout);

// Rearranges weights from ONNX's layout to `to` (both ConvWeightElements long).
void PackConvWeights(const ConvProblem& problem, WeightLayout to, const float* from, float* packed);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CONV_H_
