#include "kernels/top_k.h"

namespace pleat::kernels {

#define PLEAT_TOP_K(name) extern const Candidate<TopKProblem> kTopK##name;
#include "kernels/top_k_kernels.inc"
#undef PLEAT_TOP_K

std::span<const Candidate<TopKProblem>> TopKCandidates() {
#define PLEAT_TOP_K(name) kTopK##name,
  static const Candidate<TopKProblem> kAll[] = {
#include "kernels/top_k_kernels.inc"
  };
#undef PLEAT_TOP_K
  return kAll;
}

}  // namespace pleat::kernels
