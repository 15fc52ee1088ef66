#include "kernels/unary.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)             \
  Refusal Refuse##method(const UnaryProblem&); \
  std::unique_ptr<Kernel> Make##method(const UnaryProblem&);
#include "kernels/unary_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<UnaryProblem>> UnaryCandidates() {
  static constexpr Candidate<UnaryProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/unary_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

}  // namespace pleat::kernels
