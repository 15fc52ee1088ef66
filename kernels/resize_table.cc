// Coordinates and weights of one axis, in double.
#include <algorithm>
#include <cmath>

#include "kernels/resize.h"

namespace pleat::kernels {
namespace {

// in * scale, exact where the scale is just the ratio of the sizes.
double Length(const ResizeAxis& axis) {
  const double in = static_cast<double>(axis.in);
  const double out = static_cast<double>(axis.out);
  return axis.scale == out / in ? out : in * axis.scale;
}

// o / scale, rounded once where the scale is just the ratio of the sizes.
double Unscale(const ResizeAxis& axis, double o) {
  const double in = static_cast<double>(axis.in);
  const double out = static_cast<double>(axis.out);
  return axis.scale == out / in ? o * in / out : o / axis.scale;
}

double Coordinate(const ResizeProblem& problem, const ResizeAxis& axis, int64_t output) {
  const double o = static_cast<double>(output);
  const double in = static_cast<double>(axis.in);
  const double length = Length(axis);
  switch (problem.coordinates) {
    case CoordinateMode::kHalfPixel:
      return Unscale(axis, o + 0.5) - 0.5;
    case CoordinateMode::kPytorchHalfPixel:
      return axis.out == 1 ? 0 : Unscale(axis, o + 0.5) - 0.5;
    case CoordinateMode::kAlignCorners:
      return length == 1 ? 0 : o * (in - 1) / (length - 1);
    case CoordinateMode::kAsymmetric:
      return Unscale(axis, o);
    case CoordinateMode::kTfCropAndResize:
      if (length == 1) return (axis.roi_begin + axis.roi_end) / 2 * (in - 1);
      return axis.roi_begin * (in - 1) +
             o * (axis.roi_end - axis.roi_begin) * (in - 1) / (length - 1);
    case CoordinateMode::kHalfPixelSymmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / length) + Unscale(axis, o + 0.5) - 0.5;
    case CoordinateMode::kTfHalfPixelForNn:
      return Unscale(axis, o + 0.5);
  }
  return 0;
}

double Nearest(NearestMode mode, double x) {
  switch (mode) {
    case NearestMode::kRoundPreferFloor:
      return std::ceil(x - 0.5);
    case NearestMode::kRoundPreferCeil:
      return std::floor(x + 0.5);
    case NearestMode::kFloor:
      return std::floor(x);
    case NearestMode::kCeil:
      return std::ceil(x);
  }
  return x;
}

// The weight of a position at `distance`, stretched by the window: a triangle, or Keys' cubic
// convolution ("Cubic Convolution Interpolation for Digital Image Processing", 1981, equation 4).
double Weight(const ResizeProblem& problem, double distance) {
  const double x = std::abs(distance);
  if (problem.mode == ResizeMode::kLinear) return std::max(0.0, 1 - x);
  const double a = problem.cubic_a;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

}  // namespace

ResizeTable MakeResizeTable(const ResizeProblem& problem, int axis_index) {
  const ResizeAxis& axis = problem.axes[axis_index];
  if (axis.out == 0) return {};
  const bool left_alone = problem.Leaves(axis);
  const bool single = problem.mode == ResizeMode::kNearest || left_alone;
  const double stretch = problem.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double reach = (problem.mode == ResizeMode::kCubic ? 2 : 1) / stretch;
  const int64_t half = single ? 0 : static_cast<int64_t>(std::ceil(reach));
  ResizeTable table;
  table.taps = single ? 1 : 2 * half;
  table.positions.resize(static_cast<size_t>(axis.out * table.taps));
  table.weights.assign(table.positions.size(), 1);
  for (int64_t o = 0; o < axis.out; ++o) {
    int64_t* positions = table.positions.data() + o * table.taps;
    double* weights = table.weights.data() + o * table.taps;
    if (left_alone) {
      positions[0] = o;
      continue;
    }
    const double x = Coordinate(problem, axis, o);
    if (problem.coordinates == CoordinateMode::kTfCropAndResize &&
        !(x >= 0 && x <= static_cast<double>(axis.in - 1))) {
      table.outside.resize(static_cast<size_t>(axis.out));
      table.outside[static_cast<size_t>(o)] = true;
      continue;
    }
    const int64_t last = axis.in - 1;
    if (single) {
      positions[0] =
          std::clamp<int64_t>(static_cast<int64_t>(Nearest(problem.nearest, x)), 0, last);
      continue;
    }
    const int64_t first = static_cast<int64_t>(std::floor(x)) - half + 1;
    double sum = 0;
    for (int64_t t = 0; t < table.taps; ++t) {
      const bool outside = first + t < 0 || first + t > last;
      positions[t] = std::clamp<int64_t>(first + t, 0, last);
      weights[t] = problem.exclude_outside && outside
                       ? 0
                       : Weight(problem, (static_cast<double>(first + t) - x) * stretch);
      sum += weights[t];
    }
    for (int64_t t = 0; t < table.taps && sum != 0; ++t) weights[t] /= sum;
  }
  return table;
}

}  // namespace pleat::kernels
