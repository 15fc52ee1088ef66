// Resampling along any axes (ONNX operator Resize). The axes are separable: each output is a sum
// over the product of one small set of weighted positions per axis.
#ifndef PLEAT_KERNELS_RESIZE_H_
#define PLEAT_KERNELS_RESIZE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

enum class ResizeMode : uint8_t { kNearest, kLinear, kCubic };

// Where output o of an axis lies in the input (ONNX Resize, coordinate_transformation_mode), with
// in, out the sizes and length = in * scale:
enum class CoordinateMode : uint8_t {
  kHalfPixel,           // (o + 0.5) / scale - 0.5
  kPytorchHalfPixel,    // the same; 0 when out is 1
  kAlignCorners,        // o * (in - 1) / (length - 1); 0 when length is 1
  kAsymmetric,          // o / scale
  kTfCropAndResize,     // begin * (in - 1) + o * (end - begin) * (in - 1) / (length - 1);
                        // (begin + end) / 2 * (in - 1) when length is 1
  kHalfPixelSymmetric,  // in/2 * (1 - out / length) + (o + 0.5) / scale - 0.5
  kTfHalfPixelForNn,    // (o + 0.5) / scale
};

enum class NearestMode : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

// One axis of x and y. Identical sizes at scale 1 leave the axis alone, unless a region is cropped.
struct ResizeAxis {
  int64_t in = 1;
  int64_t out = 1;
  double scale = 1;  // finite, positive; out / in, or the scale that out was rounded from
  double roi_begin = 0;
  double roi_end = 1;
};

// x and y are row-major. Positions outside the image read its edge, or count nothing and the other
// weights grow, when exclude_outside; of kTfCropAndResize they make the output
// extrapolation_value.
struct ResizeProblem {
  static constexpr int kMaxRank = 8;

  // kNearest: any number; else float32, float64, or int32, int8, uint8 rounded to nearest.
  ElementType type = ElementType::kFloat32;
  ResizeMode mode = ResizeMode::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  double cubic_a = -0.75;  // Keys' parameter
  bool exclude_outside = false;
  double extrapolation_value = 0;
  bool antialias = false;  // a shrinking axis widens the window by 1 / scale (not kNearest)
  int rank = 0;
  ResizeAxis axes[kMaxRank];

  SelectOptions select;

  // True when the axis is left alone: its table would be 0, 1, 2, ... with weights of 1.
  bool Leaves(const ResizeAxis& axis) const;
  // Appends an axis. Those left alone merge with each other.
  // REQUIRES: the fields above are set; no more than kMaxRank appended.
  void Append(const ResizeAxis& axis);
};

// Operands of a run: x. One output: y.
std::span<const Candidate<ResizeProblem>> ResizeCandidates();

// What every output of one axis reads: `taps` positions in [0, in) with weights that sum to 1.
struct ResizeTable {
  int64_t taps = 1;
  std::vector<int64_t> positions;  // [out][taps]
  std::vector<double> weights;     // [out][taps]
  std::vector<bool> outside;       // [out]: the output is extrapolation_value; empty if none is
};
ResizeTable MakeResizeTable(const ResizeProblem& problem, int axis);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_RESIZE_H_
