// What the primitives that move elements row by row share: dense strides, loops over rows split
// among threads, and the candidate of a primitive that has one way only.
#ifndef PLEAT_KERNELS_ROWS_H_
#define PLEAT_KERNELS_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/split.h"

namespace pleat::kernels {

// Row-major strides of a dense tensor, in elements.
inline std::vector<int64_t> DenseStrides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

// Product of all sizes but the last. REQUIRES: not rank 0.
inline int64_t RowCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape.first(shape.size() - 1)) count *= size;
  return count;
}

// Calls f(row) once for each row in [0, rows), on several threads when `row_bytes` make it worth
// it.
template <class F>
void ForRows(ThreadPool& threads, int64_t rows, int64_t row_bytes, const F& f) {
  constexpr int64_t kPartBytes = 32768;
  ForRanges(threads, rows, kPartBytes / std::max<int64_t>(row_bytes, 1),
            [&](int64_t begin, int64_t end, size_t) {
              for (int64_t row = begin; row < end; ++row) f(row);
            });
}

// The candidate "reference" that makes a K for any problem of type P.
template <class P, class K>
constexpr Candidate<P> OnlyWay() {
  return {"reference", [](const P&) { return Refusal(); },
          [](const P& problem) -> std::unique_ptr<Kernel> { return std::make_unique<K>(problem); }};
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_ROWS_H_
