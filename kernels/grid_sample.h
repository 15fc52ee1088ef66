// Samples of a picture at places that come with a run (ONNX operator GridSample; PyTorch's
// grid_sample): y[n, c, o] = x[n, c, at grid[n, o]], interpolated.
#ifndef PLEAT_KERNELS_GRID_SAMPLE_H_
#define PLEAT_KERNELS_GRID_SAMPLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// Nearest rounds halves to even; cubic is Keys' with a = -0.75.
enum class GridInterpolation : uint8_t { kNearest, kLinear, kCubic };
// What lies outside: zeros, the nearest element, or the picture mirrored at its border.
enum class GridPadding : uint8_t { kZeros, kBorder, kReflection };

// x is [batch, channels, sizes..], grid [batch, places.., rank] with a place's coordinates from the
// last axis of x to the first, -1 to 1 across it, y [batch, channels, places..].
struct GridSampleProblem {
  ElementType type = ElementType::kFloat32;  // or float64
  int64_t batch = 1;
  int64_t channels = 1;
  std::vector<int64_t> sizes;  // of x in space, 1 to 3; all > 0 unless y is empty
  int64_t places = 1;          // per picture
  GridInterpolation interpolation = GridInterpolation::kLinear;
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;  // -1 and 1 are the centres of the outermost elements, not their edges
};

// Operands: x, grid (of x's type). Output: y. A coordinate that is no number lies outside.
std::span<const Candidate<GridSampleProblem>> GridSampleCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_GRID_SAMPLE_H_
