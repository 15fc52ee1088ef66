// The shared arithmetic of sliding windows: an operator's Window fields and an image's sizes become
// one checked geometry in three dimensions, with the sizes of what comes out.
#ifndef PLEAT_RUNTIME_OPS_WINDOW_H_
#define PLEAT_RUNTIME_OPS_WINDOW_H_

#include <cstdint>
#include <span>

#include "runtime/graph.h"
#include "runtime/tensor.h"

namespace pleat::runtime {

// Depth, height, width. Dimensions the operator lacks stand in front: sizes, kernel, stride and
// dilation 1, pads 0. `in`, `kernel` and `out` may hold kUnknownDim; where `in` or `kernel` does,
// `out` does too, and pads that follow from the sizes (auto_pad) are 0. All else is within
// [0, kMaxTensorBytes].
struct WindowGeometry {
  int rank = 0;  // of the operator: 1, 2 or 3
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t pad_begin[3] = {0, 0, 0};
  int64_t pad_end[3] = {0, 0, 0};

  // Output sizes in the operator's own rank.
  Shape OutSizes() const { return {out + 3 - rank, out + 3}; }
  // Kernel positions. REQUIRES: the kernel is known.
  int64_t Taps() const { return kernel[0] * kernel[1] * kernel[2]; }

  // Copies the fields a kernels:: problem shares with this.
  template <class Problem>
  void CopyTo(Problem& problem) const {
    for (int i = 0; i < 3; ++i) {
      problem.in[i] = in[i];
      problem.out[i] = out[i];
      problem.kernel[i] = kernel[i];
      problem.stride[i] = stride[i];
      problem.dilation[i] = dilation[i];
      problem.pad_begin[i] = pad_begin[i];
      if constexpr (requires { problem.pad_end[i]; }) problem.pad_end[i] = pad_end[i];
    }
  }
};

// Windows that gather, as in Conv and Pool (ONNX operators Conv, MaxPool, AveragePool):
//   out = floor or ceil((in + pad_begin + pad_end - ((kernel - 1) * dilation + 1)) / stride) + 1
// With `ceil_mode` a last window that would start behind the image and its begin pad is dropped.
// `in` are the spatial sizes, `kernel` the sizes of the window (of the weights, where
// `window.kernel` is empty). Fails, saying expected and got, unless 1 <= in.size() <= 3, every list
// fits that rank, kernel, strides and dilations are positive, pads are not negative, and the window
// fits in the padded image.
Result<WindowGeometry> GatherGeometry(const fb::WindowT& window, std::span<const int64_t> kernel,
                                      std::span<const int64_t> in, bool ceil_mode = false);

// Windows that scatter (ONNX operator ConvTranspose):
//   out = (in - 1) * stride + output_padding + (kernel - 1) * dilation + 1 - pad_begin - pad_end
// With `output_shape` (spatial sizes), or auto_pad SameUpper / SameLower (then out = in * stride),
// the pads follow from the output instead; an odd pad's larger half is at the end for SameUpper,
// else at the begin. `output_padding` and `output_shape` may be empty.
Result<WindowGeometry> ScatterGeometry(const fb::WindowT& window, std::span<const int64_t> kernel,
                                       std::span<const int64_t> in,
                                       std::span<const int64_t> output_padding,
                                       std::span<const int64_t> output_shape);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_WINDOW_H_
