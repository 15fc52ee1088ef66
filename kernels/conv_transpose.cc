#include "kernels/conv_transpose.h"

namespace pleat::kernels {

#define PLEAT_CONV_TRANSPOSE(name) \
  extern const Candidate<ConvTransposeProblem> kConvTranspose##name;
#include "kernels/conv_transpose_kernels.inc"
#undef PLEAT_CONV_TRANSPOSE

std::span<const Candidate<ConvTransposeProblem>> ConvTransposeCandidates() {
#define PLEAT_CONV_TRANSPOSE(name) kConvTranspose##name,
  static const Candidate<ConvTransposeProblem> kAll[] = {
#include "kernels/conv_transpose_kernels.inc"
  };
#undef PLEAT_CONV_TRANSPOSE
  return kAll;
}

}  // namespace pleat::kernels
