// Reductions over any axes (ONNX operators ReduceSum, ReduceMean, ReduceMax, ..., GlobalMaxPool,
// GlobalAveragePool): y[kept axes] = f over the reduced axes of x.
#ifndef PLEAT_KERNELS_REDUCE_H_
#define PLEAT_KERNELS_REDUCE_H_

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/kernel.h"
#include "kernels/prologue.h"

namespace pleat::kernels {

enum class ReduceKind : uint8_t {
  kSum,
  kMean,
  kMax,
  kMin,
  kProd,
  kL1,         // sum |x|
  kL2,         // sqrt(sum x^2)
  kSumSquare,  // sum x^2
  kLogSum,     // log(sum x)
  kLogSumExp,  // log(sum exp(x)), computed without overflow
};

// Sizes of x, row-major, with neighbouring axes of one sort merged: axes alternate between kept and
// reduced, none has size 1. Over nothing a sum is 0, a product 1, a mean NaN (0 of an integer
// type), a maximum the type's lowest value or -inf, a minimum its highest or +inf. NaN wins every
// maximum and minimum. Integer sums and products wrap around; an integer type's other results are
// computed in double, truncated and saturated.
struct ReduceProblem {
  static constexpr int kMaxRank = 8;

  ElementType type = ElementType::kFloat32;  // of x and y, any number
  ReduceKind kind = ReduceKind::kSum;
  int rank = 0;
  int64_t sizes[kMaxRank] = {};
  bool first_reduced = false;  // axis 0 is reduced, axis 1 is kept, ...; else the other way round
  // Of x, float32 or float64, by channels: x's last axis, which is kept. For sums and means.
  Prologue prologue;
  int64_t channels = 1;

  SelectOptions select;

  bool Reduced(int axis) const { return (axis % 2 == 0) == first_reduced; }
  // Products of the sizes of the kept, and of the reduced axes.
  int64_t Outputs() const;
  int64_t Terms() const;

  // Appends an axis (size 1 is dropped, an axis of the last one's sort merges into it).
  // REQUIRES: no more than kMaxRank appended.
  void Append(int64_t size, bool reduced);
};

// Operands of a run: x. One output: y, the kept axes row-major.
std::span<const Candidate<ReduceProblem>> ReduceCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_REDUCE_H_
