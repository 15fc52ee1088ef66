#include "kernels/arg_reduce.h"

namespace pleat::kernels {

#define PLEAT_ARG_REDUCE(name) extern const Candidate<ArgReduceProblem> kArgReduce##name;
#include "kernels/arg_reduce_kernels.inc"
#undef PLEAT_ARG_REDUCE

std::span<const Candidate<ArgReduceProblem>> ArgReduceCandidates() {
#define PLEAT_ARG_REDUCE(name) kArgReduce##name,
  static const Candidate<ArgReduceProblem> kAll[] = {
#include "kernels/arg_reduce_kernels.inc"
  };
#undef PLEAT_ARG_REDUCE
  return kAll;
}

}  // namespace pleat::kernels
