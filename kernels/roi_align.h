// Regions of a picture cut into bins and sampled (ONNX operator RoiAlign; He et al., "Mask R-CNN",
// 2017).
#ifndef PLEAT_KERNELS_ROI_ALIGN_H_
#define PLEAT_KERNELS_ROI_ALIGN_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// x is [batch, channels, height, width]; rois [regions, 4], each x1, y1, x2, y2; pictures
// [regions], the picture each is cut from; y [regions, channels, bins_high, bins_wide].
struct RoiAlignProblem {
  ElementType type = ElementType::kFloat32;        // or float64
  ElementType index_type = ElementType::kInt64;    // of pictures; or int32
  int64_t batch = 1;                               // > 0 unless y is empty, so are the next three
  int64_t channels = 1;
  int64_t height = 1, width = 1;
  int64_t regions = 1;
  int64_t bins_high = 1, bins_wide = 1;
  int64_t samples = 0;       // along each axis of a bin; 0: about one per element
  double scale = 1;          // of the regions' coordinates to x's
  bool half_pixel = true;    // the centre of an element is half a unit from its edge
  bool max = false;          // the largest of all weighted elements, not the mean of the samples
};

// Operands: x, rois (of x's type), pictures. Output: y. A sample outside the picture is 0.
std::span<const Candidate<RoiAlignProblem>> RoiAlignCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_ROI_ALIGN_H_
