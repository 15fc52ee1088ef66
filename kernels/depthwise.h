// One line of a depthwise convolution's output; the loops under conv_depthwise.cc.
#ifndef PLEAT_KERNELS_DEPTHWISE_H_
#define PLEAT_KERNELS_DEPTHWISE_H_

#include <cstddef>
#include <cstdint>

namespace pleat::kernels {

// Output pixels that are computed together, at most.
inline constexpr int64_t kDepthwisePixels = 8;

struct DepthwiseLine {
  // Lines of the image that the window's rows fall on, without those outside: the first pixel.
  const float* const* lines;
  // For each, the weights of that row: [kernel] entries weight_step apart.
  const float* const* weights;
  size_t line_count;
  int64_t width;   // of the image
  int64_t x_step;  // between pixels
  int64_t out_width;
  int64_t kernel, stride, dilation, pad;
  size_t weight_step;
  const float* bias;  // or null
  const size_t* bias_offsets;  // of each output pixel's bias from `bias`; null: all have the same
  float* y;
  size_t y_step;
  const float* residual;  // or null
  size_t residual_step;
  size_t channels;
  const float* zeros;  // `channels` of them, what pixels outside hold
  float low, high;
  // Room for line_count * kDepthwisePixels * kernel of them.
  const float** pointers;
};

using DepthwiseFunction = void (*)(const DepthwiseLine&);

// For the best instruction set in use. Every output is one chain of fused multiply-adds, line by
// line, then along the kernel's row.
DepthwiseFunction BestDepthwise(int64_t kernel, int64_t stride, int64_t dilation);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_DEPTHWISE_H_
