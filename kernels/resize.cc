#include "kernels/resize.h"

namespace pleat::kernels {

#define PLEAT_RESIZE(name) extern const Candidate<ResizeProblem> kResize##name;
#include "kernels/resize_kernels.inc"
#undef PLEAT_RESIZE

std::span<const Candidate<ResizeProblem>> ResizeCandidates() {
#define PLEAT_RESIZE(name) kResize##name,
  static const Candidate<ResizeProblem> kAll[] = {
#include "kernels/resize_kernels.inc"
  };
#undef PLEAT_RESIZE
  return kAll;
}

bool ResizeProblem::Leaves(const ResizeAxis& axis) const {
  const bool cropped =
      coordinates == CoordinateMode::kTfCropAndResize && (axis.roi_begin != 0 || axis.roi_end != 1);
  return axis.in == axis.out && axis.scale == 1 && !cropped;
}

void ResizeProblem::Append(const ResizeAxis& axis) {
  if (rank > 0 && Leaves(axis) && Leaves(axes[rank - 1])) {
    axes[rank - 1].in *= axis.in;
    axes[rank - 1].out = axes[rank - 1].in;
  } else {
    axes[rank++] = axis;
  }
}

}  // namespace pleat::kernels
