#include "kernels/reduce.h"

namespace pleat::kernels {

#define PLEAT_REDUCE(name) extern const Candidate<ReduceProblem> kReduce##name;
#include "kernels/reduce_kernels.inc"
#undef PLEAT_REDUCE

std::span<const Candidate<ReduceProblem>> ReduceCandidates() {
#define PLEAT_REDUCE(name) kReduce##name,
  static const Candidate<ReduceProblem> kAll[] = {
#include "kernels/reduce_kernels.inc"
  };
#undef PLEAT_REDUCE
  return kAll;
}

int64_t ReduceProblem::Outputs() const {
  int64_t product = 1;
  for (int axis = 0; axis < rank; ++axis) {
    if (!Reduced(axis)) product *= sizes[axis];
  }
  return product;
}

int64_t ReduceProblem::Terms() const {
  int64_t product = 1;
  for (int axis = 0; axis < rank; ++axis) {
    if (Reduced(axis)) product *= sizes[axis];
  }
  return product;
}

void ReduceProblem::Append(int64_t size, bool reduced) {
  if (size == 1) return;
  if (rank == 0) first_reduced = reduced;
  if (rank > 0 && Reduced(rank - 1) == reduced) {
    sizes[rank - 1] *= size;
  } else {
    sizes[rank++] = size;
  }
}

}  // namespace pleat::kernels
