// Where things are in the buffers of a convolution: strides of images, places of weights.
#ifndef PLEAT_KERNELS_CONV_GEOMETRY_H_
#define PLEAT_KERNELS_CONV_GEOMETRY_H_

#include <cstdint>

#include "kernels/conv.h"
#include "kernels/conv_transpose.h"

namespace pleat::kernels {

constexpr int64_t kPanelWidth = 16;

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class Problem>
int64_t InPixels(const Problem& p) {
  return p.in[0] * p.in[1] * p.in[2];
}
template <class Problem>
int64_t OutPixels(const Problem& p) {
  return p.out[0] * p.out[1] * p.out[2];
}
template <class Problem>
int64_t Taps(const Problem& p) {
  return p.kernel[0] * p.kernel[1] * p.kernel[2];
}

// Distances, in elements, between neighbours in a tensor of images.
struct ImageStrides {
  int64_t batch, pixel, channel;
};
// `pixel_stride` 0: densely packed.
inline ImageStrides StridesOf(bool channels_last, int64_t pixels, int64_t channels,
                              int64_t pixel_stride) {
  if (!channels_last) return {pixels * channels, 1, pixels};
  const int64_t step = pixel_stride == 0 ? channels : pixel_stride;
  return {pixels * step, step, 1};
}

// Place of the weight of output m (of all groups), input c (within the group) and tap.
inline int64_t WeightIndex(const ConvProblem& p, WeightLayout layout, int64_t m, int64_t c,
                           int64_t tap) {
  const int64_t inputs = p.in_channels / p.groups;
  const int64_t outputs = p.out_channels / p.groups;
  switch (layout) {
    case WeightLayout::kOnnx:
    case WeightLayout::kPanels16Half:  // MatMul's alone
      break;
    case WeightLayout::kPanels16: {
      const int64_t panel = m / outputs * CeilDiv(outputs, kPanelWidth) + m % outputs / kPanelWidth;
      return ((panel * Taps(p) + tap) * inputs + c) * kPanelWidth + m % outputs % kPanelWidth;
    }
    case WeightLayout::kTapsChannels:
      return tap * p.out_channels + m;
  }
  return (m * inputs + c) * Taps(p) + tap;
}

// The same for a transposed convolution, in ONNX's layout.
inline int64_t WeightIndex(const ConvTransposeProblem& p, WeightLayout, int64_t m, int64_t c,
                           int64_t tap) {
  const int64_t outputs = p.out_channels / p.groups;
  const int64_t input = m / outputs * (p.in_channels / p.groups) + c;
  return (input * outputs + m % outputs) * Taps(p) + tap;
}

// The input's coordinate along axis d that output o reads with the tap k, negative for none.
inline int64_t SourceOf(const ConvProblem& p, int d, int64_t o, int64_t k) {
  const int64_t i = o * p.stride[d] - p.pad_begin[d] + k * p.dilation[d];
  return i < p.in[d] ? i : -1;
}
// The same for a transposed convolution: the input whose tap k lands on output o.
inline int64_t SourceOf(const ConvTransposeProblem& p, int d, int64_t o, int64_t k) {
  const int64_t place = o + p.pad_begin[d] - k * p.dilation[d];
  if (place < 0 || place % p.stride[d] != 0) return -1;
  return place / p.stride[d] < p.in[d] ? place / p.stride[d] : -1;
}

// A run's operands by name: the constants of the problem, else what the caller brings.
template <class T>
struct ProductOperands {
  const T* x;
  const T* w;
  const T* bias;
  const T* residual;
  T* y;
};
template <class T, class Problem>
ProductOperands<T> TakeOperands(const Problem& p, const Operands& operands) {
  const void* const* next = operands.inputs;
  ProductOperands<T> taken{};
  taken.x = static_cast<const T*>(*next++);
  taken.w = static_cast<const T*>(p.weights != nullptr ? p.weights : *next++);
  if (p.has_bias) taken.bias = static_cast<const T*>(p.bias != nullptr ? p.bias : *next++);
  if constexpr (requires { p.has_residual; }) {
    if (p.has_residual) taken.residual = static_cast<const T*>(*next++);
  }
  taken.y = static_cast<T*>(operands.outputs[0]);
  return taken;
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CONV_GEOMETRY_H_
