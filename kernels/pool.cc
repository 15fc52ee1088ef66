#include "kernels/pool.h"

#include <algorithm>

namespace pleat::kernels {

#define PLEAT_POOL(name) extern const Candidate<PoolProblem> kPool##name;
#include "kernels/pool_kernels.inc"
#undef PLEAT_POOL

std::span<const Candidate<PoolProblem>> PoolCandidates() {
#define PLEAT_POOL(name) kPool##name,
  static const Candidate<PoolProblem> kAll[] = {
#include "kernels/pool_kernels.inc"
  };
#undef PLEAT_POOL
  return kAll;
}

namespace {

// The smallest k >= 0 with start + k * dilation >= position.
int64_t FirstTapFrom(int64_t start, int64_t dilation, int64_t position) {
  if (start >= position) return 0;
  return (position - start - 1) / dilation + 1;
}

}  // namespace

Taps TapsInside(const PoolProblem& p, int d, int64_t o) {
  const int64_t start = o * p.stride[d] - p.pad_begin[d];
  const int64_t begin = FirstTapFrom(start, p.dilation[d], 0);
  const int64_t end = std::min(p.kernel[d], FirstTapFrom(start, p.dilation[d], p.in[d]));
  return {begin, std::max(begin, end)};
}

int64_t AverageCount(const PoolProblem& p, int d, int64_t o) {
  if (!p.count_include_pad) return TapsInside(p, d, o).count();
  const int64_t start = o * p.stride[d] - p.pad_begin[d];
  return std::min(p.kernel[d], FirstTapFrom(start, p.dilation[d], p.in[d] + p.pad_end[d]));
}

}  // namespace pleat::kernels
