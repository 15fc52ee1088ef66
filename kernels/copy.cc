#include "kernels/copy.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)            \
  Refusal Refuse##method(const CopyProblem&); \
  std::unique_ptr<Kernel> Make##method(const CopyProblem&);
#include "kernels/copy_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<CopyProblem>> CopyCandidates() {
  static constexpr Candidate<CopyProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/copy_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

std::vector<CopyDim> MergeDims(std::span<const CopyDim> dims) {
  std::vector<CopyDim> merged;
  for (const CopyDim& dim : dims) {
    if (dim.size == 1) continue;
    if (!merged.empty()) {
      CopyDim& outer = merged.back();
      if (outer.in_stride == dim.in_stride * dim.size &&
          outer.out_stride == dim.out_stride * dim.size) {
        outer = {outer.size * dim.size, dim.in_stride, dim.out_stride};
        continue;
      }
    }
    merged.push_back(dim);
  }
  return merged;
}

}  // namespace pleat::kernels
