// float32 in full vectors: along space where its elements are neighbours, else across channels.
#include "kernels/instance_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/instance_norm_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/moments-inl.h"
#include "kernels/split.h"

#ifndef PLEAT_KERNELS_INSTANCE_NORM_UNITS_
#define PLEAT_KERNELS_INSTANCE_NORM_UNITS_
namespace pleat::kernels {
// Channels that one thread takes together when they are innermost: a cache line of them.
constexpr int64_t kGroup = 16;
inline int64_t UnitsPerImage(const InstanceNormProblem& p) {
  return p.channels_last ? (p.channels + kGroup - 1) / kGroup : p.channels;
}
}  // namespace pleat::kernels
#endif  // PLEAT_KERNELS_INSTANCE_NORM_UNITS_

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// One channel whose elements are neighbours. y may be x.
void NormaliseImage(const float* x, float scale, float bias, double epsilon, float* y,
                    int64_t space) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const Normaliser by = NormaliserOf(x, space, epsilon);
  const V mean = hn::Set(d, by.mean), shift = hn::Set(d, bias);
  const V factor = hn::Set(d, by.factor * scale);
  int64_t i = 0;
  for (; i + lanes <= space; i += lanes) {
    hn::StoreU(hn::MulAdd(hn::Sub(hn::LoadU(d, x + i), mean), factor, shift), d, y + i);
  }
  if (i == space) return;
  const auto rest = static_cast<size_t>(space - i);
  StoreFirst(hn::MulAdd(hn::Sub(LoadFirst(d, x + i, rest), mean), factor, shift), d, y + i, rest);
}

// Adds f(x[s * step + lane]) for all s to sums[lane], in float32 blocks.
template <class F>
HWY_INLINE void AddColumns(D d, const float* x, int64_t space, int64_t step, size_t count,
                           double* sums, const F& f) {
  constexpr int64_t kBlock = 64;
  alignas(HWY_MAX_BYTES) float lanes[hn::MaxLanes(d)];
  for (int64_t begin = 0; begin < space; begin += kBlock) {
    V sum = hn::Zero(d);
    for (int64_t s = begin; s < std::min(space, begin + kBlock); ++s) {
      sum = hn::Add(sum, f(LoadUpTo(d, x + s * step, count)));
    }
    hn::Store(sum, d, lanes);
    for (size_t k = 0; k < count; ++k) sums[k] += static_cast<double>(lanes[k]);
  }
}

// `count` <= Lanes neighbouring channels whose elements are `step` apart. y may be x.
void NormaliseColumns(const float* x, const float* scale, const float* bias, double epsilon,
                      float* y, int64_t space, int64_t step, size_t count) {
  const D d;
  double sums[hn::MaxLanes(d)] = {}, squares[hn::MaxLanes(d)] = {};
  alignas(HWY_MAX_BYTES) float means[hn::MaxLanes(d)] = {}, factors[hn::MaxLanes(d)] = {};
  const auto pixels = static_cast<double>(space);
  AddColumns(d, x, space, step, count, sums, [](V v) HWY_ATTR { return v; });
  for (size_t k = 0; k < count; ++k) means[k] = static_cast<float>(sums[k] / pixels);
  const V mean = hn::Load(d, means);
  AddColumns(d, x, space, step, count, squares, [=](V v) HWY_ATTR {
    const V off = hn::Sub(v, mean);
    return hn::Mul(off, off);
  });
  for (size_t k = 0; k < count; ++k) {
    const double missed = sums[k] / pixels - static_cast<double>(means[k]);
    const double variance = squares[k] / pixels - missed * missed;
    factors[k] = static_cast<float>(1 / std::sqrt(variance + epsilon));
  }
  const V factor = hn::Mul(hn::Load(d, factors), LoadUpTo(d, scale, count));
  const V shift = LoadUpTo(d, bias, count);
  for (int64_t s = 0; s < space; ++s) {
    const V off = hn::Sub(LoadUpTo(d, x + s * step, count), mean);
    StoreUpTo(hn::MulAdd(off, factor, shift), d, y + s * step, count);
  }
}

// Normalises units [begin, end): groups of channels when channels_last, else single channels.
void NormaliseUnits(const InstanceNormProblem& p, const float* x, const float* scale,
                    const float* bias, float* y, int64_t begin, int64_t end) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  const int64_t per_image = UnitsPerImage(p);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t image = unit / per_image * p.channels * p.space, at = unit % per_image;
    if (!p.channels_last) {
      const int64_t offset = image + at * p.space;
      NormaliseImage(x + offset, scale[at], bias[at], p.epsilon, y + offset, p.space);
      continue;
    }
    const int64_t c_end = std::min((at + 1) * kGroup, p.channels);
    for (int64_t c = at * kGroup; c < c_end; c += lanes) {
      const auto count = static_cast<size_t>(std::min(lanes, c_end - c));
      NormaliseColumns(x + image + c, scale + c, bias + c, p.epsilon, y + image + c, p.space,
                       p.channels, count);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(NormaliseUnits);

namespace {

class InstanceNormVector : public Kernel {
 public:
  explicit InstanceNormVector(const InstanceNormProblem& problem)
      : problem_(problem), normalise_(HWY_DYNAMIC_DISPATCH(NormaliseUnits)) {
    if (problem.channels == 1) problem_.channels_last = false;  // the same, read in whole vectors
  }

  void Run(const Operands& operands) const override {
    if (problem_.space == 0) return;
    const float* x = static_cast<const float*>(operands.inputs[0]);
    const float* scale = static_cast<const float*>(operands.inputs[1]);
    const float* bias = static_cast<const float*>(operands.inputs[2]);
    float* y = static_cast<float*>(operands.outputs[0]);
    const int64_t grain =
        std::max<int64_t>(kGrain / (problem_.space * (problem_.channels_last ? kGroup : 1)), 1);
    ForRanges(*operands.threads, problem_.batch * UnitsPerImage(problem_), grain,
              [&](int64_t begin, int64_t end, size_t) {
                normalise_(problem_, x, scale, bias, y, begin, end);
              });
  }

 private:
  static constexpr int64_t kGrain = 8192;
  InstanceNormProblem problem_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(NormaliseUnits))> normalise_;
};

}  // namespace

Refusal RefuseInstanceNormVector(const InstanceNormProblem& problem) {
  return problem.type == ElementType::kFloat32 ? "" : "float32 only";
}

std::unique_ptr<Kernel> MakeInstanceNormVector(const InstanceNormProblem& problem) {
  return std::make_unique<InstanceNormVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
