// Mean and population variance of float32 numbers, and the affine that normalises by them. Sums run
// in blocks of float32 vectors into double.
#if defined(PLEAT_KERNELS_MOMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLEAT_KERNELS_MOMENTS_INL_H_
#undef PLEAT_KERNELS_MOMENTS_INL_H_
#else
#define PLEAT_KERNELS_MOMENTS_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of f(x[i]) over [0, length), f being a function of a vector.
template <class F>
HWY_INLINE double SumOf(const float* x, int64_t length, const F& f) {
  const hn::ScalableTag<float> d;
  constexpr int64_t kBlock = 4096;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0;
  for (int64_t begin = 0; begin < length; begin += kBlock) {
    const int64_t end = std::min(length, begin + kBlock);
    auto sum = hn::Zero(d);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) sum = hn::Add(sum, f(hn::LoadU(d, x + i)));
    if (i < end) {
      const auto rest = static_cast<size_t>(end - i);
      const auto last = f(LoadFirst(d, x + i, rest));
      sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, rest), last));
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  return total;
}

struct Normaliser {
  float mean;
  float factor;  // 1 / sqrt(variance + epsilon)
};

// REQUIRES: length > 0.
HWY_INLINE Normaliser NormaliserOf(const float* x, int64_t length, double epsilon) {
  const hn::ScalableTag<float> d;
  const auto count = static_cast<double>(length);
  const double mean = SumOf(x, length, [](auto v) HWY_ATTR { return v; }) / count;
  const auto low = hn::Set(d, static_cast<float>(mean));
  const double squares = SumOf(x, length, [=](auto v) HWY_ATTR {
    const auto off = hn::Sub(v, low);
    return hn::Mul(off, off);
  });
  const double missed = mean - static_cast<double>(static_cast<float>(mean));
  const double variance = squares / count - missed * missed;
  return {static_cast<float>(mean), static_cast<float>(1 / std::sqrt(variance + epsilon))};
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
