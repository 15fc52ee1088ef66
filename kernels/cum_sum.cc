#include "kernels/cum_sum.h"

namespace pleat::kernels {

#define PLEAT_CUM_SUM(name) extern const Candidate<CumSumProblem> kCumSum##name;
#include "kernels/cum_sum_kernels.inc"
#undef PLEAT_CUM_SUM

std::span<const Candidate<CumSumProblem>> CumSumCandidates() {
#define PLEAT_CUM_SUM(name) kCumSum##name,
  static const Candidate<CumSumProblem> kAll[] = {
#include "kernels/cum_sum_kernels.inc"
  };
#undef PLEAT_CUM_SUM
  return kAll;
}

}  // namespace pleat::kernels
