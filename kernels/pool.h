// Pooling in one, two or three spatial dimensions (ONNX operators MaxPool, AveragePool, LpPool):
//   y[n,o,c] = f over k of x[n, o*stride - pad_begin + k*dilation, c]
// where f is the maximum, the mean, or (sum |x|^p)^(1/p), over the positions inside the image.
#ifndef PLEAT_KERNELS_POOL_H_
#define PLEAT_KERNELS_POOL_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

enum class PoolKind : uint8_t { kMax, kAverage, kLp };

// A window with no position inside the image gives -inf (the lowest number of an integer type) for
// kMax and 0 for the others. NaN wins every maximum.
struct PoolProblem {
  ElementType type = ElementType::kFloat32;  // kMax: any number; else float32 or float64
  PoolKind kind = PoolKind::kMax;
  bool channels_last = true;  // x and y are [N, spatial.., C]; else [N, C, spatial..]
  int64_t batch = 1;
  int64_t channels = 1;
  // Depth, height, width. Missing leading dimensions are 1 (size, kernel, stride) and 0 (pads).
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t pad_begin[3] = {0, 0, 0};
  int64_t pad_end[3] = {0, 0, 0};
  // Elements between neighbouring pixels of x and y when channels_last; 0 means densely packed.
  int64_t in_pixel_stride = 0;
  int64_t out_pixel_stride = 0;

  // kAverage: positions in the pads (but not behind them, in ceil mode) count as zeros.
  bool count_include_pad = false;
  int64_t p = 2;  // kLp, positive

  // Which outputs there are: y, and for kMax the int64 position of the first maximum in x laid out
  // as [N, C, spatial..] (-1 for an empty window), the spatial part counted with the first
  // dimension fastest when column_major.
  bool values = true;
  bool indices = false;
  bool column_major = false;

  SelectOptions select;
};

// Operands of a run: x. Outputs: those of y and the indices that are wanted, in this order.
std::span<const Candidate<PoolProblem>> PoolCandidates();

// The kernel positions [begin, end) that fall on [0, size) along dimension d for output o.
struct Taps {
  int64_t begin, end;
  int64_t count() const { return end - begin; }
};
Taps TapsInside(const PoolProblem& problem, int d, int64_t o);

// What kAverage divides the sum of output o's window along dimension d by (a factor of the whole).
int64_t AverageCount(const PoolProblem& problem, int d, int64_t o);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_POOL_H_
