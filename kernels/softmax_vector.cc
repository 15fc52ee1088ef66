// float32 in full vectors: along the row when its elements are neighbours, else across the
// neighbours of a row.
#include "kernels/softmax.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/split.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Terms that are summed in float32 before they go to a wider sum.
constexpr int64_t kBlock = 4096;

// x[0, count), followed by minus infinity. REQUIRES: count <= Lanes(d).
HWY_INLINE V LoadPadded(D d, const float* x, size_t count) {
  return hn::IfThenElse(hn::FirstN(d, count), LoadFirst(d, x, count), hn::Set(d, -kInfinity));
}

float Maximum(const float* x, int64_t length) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V most = hn::Set(d, -kInfinity);
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes) most = hn::Max(most, hn::LoadU(d, x + i));
  if (i < length) most = hn::Max(most, LoadPadded(d, x + i, static_cast<size_t>(length - i)));
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

// The sum of exp(x - most); the terms go to y unless that is null. y may be x.
double SumOfExps(const float* x, float most, float* y, int64_t length) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V high = hn::Set(d, most);
  double total = 0;
  for (int64_t begin = 0; begin < length; begin += kBlock) {
    const int64_t end = std::min(length, begin + kBlock);
    V sum = hn::Zero(d);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      const V e = ExpNonPositive(d, hn::Sub(hn::LoadU(d, x + i), high));
      if (y != nullptr) hn::StoreU(e, d, y + i);
      sum = hn::Add(sum, e);
    }
    if (i < end) {
      const auto rest = static_cast<size_t>(end - i);
      const V e = ExpNonPositive(d, hn::Sub(LoadPadded(d, x + i, rest), high));
      if (y != nullptr) StoreFirst(e, d, y + i, rest);
      sum = hn::Add(sum, e);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  return total;
}

// y[i] = (x[i] - low) * factor.
void Finish(const float* x, float low, float factor, float* y, int64_t length) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V minus = hn::Set(d, low), times = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes) {
    hn::StoreU(hn::Mul(hn::Sub(hn::LoadU(d, x + i), minus), times), d, y + i);
  }
  if (i == length) return;
  const auto rest = static_cast<size_t>(length - i);
  StoreFirst(hn::Mul(hn::Sub(LoadFirst(d, x + i, rest), minus), times), d, y + i, rest);
}

void SoftmaxRow(const float* x, float* y, int64_t length, bool log) {
  const float most = Maximum(x, length);
  if (log) {
    const double sum = SumOfExps(x, most, nullptr, length);
    // Two subtractions, as the definition has them: the first is exact where it matters.
    Finish(x, most, 1, y, length);
    Finish(y, static_cast<float>(std::log(sum)), 1, y, length);
  } else {
    const double sum = SumOfExps(x, most, y, length);
    Finish(y, 0, static_cast<float>(1 / sum), y, length);
  }
}

// Neighbouring columns that are worked on together, so that memory is read in longer pieces.
constexpr int64_t kColumns = 256;

// The same for `count` <= kColumns neighbouring columns whose elements are `step` apart.
void SoftmaxColumns(const float* x, float* y, int64_t length, int64_t step, int64_t count,
                    bool log) {
  const D d;
  constexpr int64_t kColumnBlock = 128;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  // Padded by a vector, of which the last columns' lanes beyond `count` are never stored to y.
  alignas(HWY_MAX_BYTES) float most[kColumns + hn::MaxLanes(d)];
  alignas(HWY_MAX_BYTES) float sums[kColumns + hn::MaxLanes(d)];
  alignas(HWY_MAX_BYTES) float totals[kColumns + hn::MaxLanes(d)];
  const auto for_vectors = [=](const auto& f) HWY_ATTR {
    for (int64_t c = 0; c < count; c += lanes) {
      f(c, static_cast<size_t>(std::min(lanes, count - c)));
    }
  };
  for_vectors([&](int64_t c, size_t) HWY_ATTR {
    hn::Store(hn::Set(d, -kInfinity), d, most + c);
    hn::Store(hn::Zero(d), d, sums + c);
    hn::Store(hn::Zero(d), d, totals + c);
  });
  for (int64_t l = 0; l < length; ++l) {
    for_vectors([&](int64_t c, size_t n) HWY_ATTR {
      const V high = hn::Max(hn::Load(d, most + c), LoadUpTo(d, x + l * step + c, n));
      hn::Store(high, d, most + c);
    });
  }
  for (int64_t l = 0; l < length; ++l) {
    for_vectors([&](int64_t c, size_t n) HWY_ATTR {
      const V low = hn::Sub(LoadUpTo(d, x + l * step + c, n), hn::Load(d, most + c));
      const V e = ExpNonPositive(d, low);
      if (!log) StoreUpTo(e, d, y + l * step + c, n);
      hn::Store(hn::Add(hn::Load(d, sums + c), e), d, sums + c);
    });
    if ((l + 1) % kColumnBlock != 0 && l + 1 != length) continue;
    for_vectors([&](int64_t c, size_t) HWY_ATTR {
      hn::Store(hn::Add(hn::Load(d, totals + c), hn::Load(d, sums + c)), d, totals + c);
      hn::Store(hn::Zero(d), d, sums + c);
    });
  }
  for_vectors([&](int64_t c, size_t) HWY_ATTR {
    const V total = hn::Load(d, totals + c);
    hn::Store(log ? Log(d, total) : hn::Div(hn::Set(d, 1.0f), total), d, totals + c);
  });
  for (int64_t l = 0; l < length; ++l) {
    for_vectors([&](int64_t c, size_t n) HWY_ATTR {
      const V total = hn::Load(d, totals + c);
      const V x_or_e = LoadUpTo(d, (log ? x : y) + l * step + c, n);
      const V z =
          log ? hn::Sub(hn::Sub(x_or_e, hn::Load(d, most + c)), total) : hn::Mul(x_or_e, total);
      StoreUpTo(z, d, y + l * step + c, n);
    });
  }
}

// The softmax of [rows_begin, rows_end) of the problem's outer * inner rows.
void SoftmaxRows(const SoftmaxProblem& problem, const float* x, float* y, int64_t rows_begin,
                 int64_t rows_end) {
  const int64_t step = problem.inner, length = problem.length;
  if (step == 1) {
    for (int64_t row = rows_begin; row < rows_end; ++row) {
      SoftmaxRow(x + row * length, y + row * length, length, problem.log);
    }
    return;
  }
  for (int64_t row = rows_begin; row < rows_end;) {
    const int64_t column = row % step;
    const int64_t count = std::min({kColumns, step - column, rows_end - row});
    const int64_t offset = row / step * length * step + column;
    SoftmaxColumns(x + offset, y + offset, length, step, count, problem.log);
    row += count;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(SoftmaxRows);

namespace {

class SoftmaxVector : public Kernel {
 public:
  explicit SoftmaxVector(const SoftmaxProblem& problem)
      : problem_(problem), rows_(HWY_DYNAMIC_DISPATCH(SoftmaxRows)) {}

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    if (problem_.length == 0) return;
    const int64_t grain = std::max<int64_t>(kGrain / problem_.length, 1);
    ForRanges(*operands.threads, problem_.outer * problem_.inner, grain,
              [&](int64_t begin, int64_t end, size_t) { rows_(problem_, x, y, begin, end); });
  }

 private:
  static constexpr int64_t kGrain = 8192;
  SoftmaxProblem problem_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(SoftmaxRows))> rows_;
};

}  // namespace

Refusal RefuseSoftmaxVector(const SoftmaxProblem& problem) {
  return problem.type == ElementType::kFloat32 ? "" : "float32 only";
}

std::unique_ptr<Kernel> MakeSoftmaxVector(const SoftmaxProblem& problem) {
  return std::make_unique<SoftmaxVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
