// The shape of resizing that images have: two neighbouring axes change, or one, with everything
// before them alike and everything behind them moved together.
#ifndef PLEAT_KERNELS_RESIZE_PLANE_H_
#define PLEAT_KERNELS_RESIZE_PLANE_H_

#include <optional>

#include "kernels/resize.h"

namespace pleat::kernels {

// x is [images, height.in, width.in, channels]. Where only one axis changes, it is the width when
// nothing stands behind it, else the height; the other one has size 1 and is left alone.
struct ResizePlane {
  int64_t images = 1;
  int64_t channels = 1;
  ResizeAxis height, width;
};

// The problem as a plane, unless other axes change.
inline std::optional<ResizePlane> PlaneOf(const ResizeProblem& problem) {
  ResizePlane plane;
  int axis = 0;
  if (axis < problem.rank && problem.Leaves(problem.axes[axis])) {
    plane.images = problem.axes[axis++].in;
  }
  const int first = axis;
  while (axis < problem.rank && !problem.Leaves(problem.axes[axis])) ++axis;
  const int changing = axis - first;
  if (axis < problem.rank) plane.channels = problem.axes[axis++].in;
  if (axis < problem.rank || changing < 1 || changing > 2) return std::nullopt;
  if (changing == 2 || plane.channels > 1) plane.height = problem.axes[first];
  if (changing == 2 || plane.channels == 1) plane.width = problem.axes[first + changing - 1];
  return plane;
}

// The table of one axis of a plane.
inline ResizeTable MakeResizeTable(const ResizeProblem& problem, const ResizeAxis& axis) {
  ResizeProblem alone = problem;
  alone.rank = 1;
  alone.axes[0] = axis;
  return MakeResizeTable(alone, 0);
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_RESIZE_PLANE_H_
