// float32 in full vectors, row by row.
#include "kernels/layer_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/moments-inl.h"
#include "kernels/split.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// y may be x; bias may be null.
void NormaliseRow(const float* x, const float* scale, const float* bias, double epsilon, float* y,
                  int64_t length) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const Normaliser by = NormaliserOf(x, length, epsilon);
  const V mean = hn::Set(d, by.mean), factor = hn::Set(d, by.factor);
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes) {
    const V unit = hn::Mul(hn::Sub(hn::LoadU(d, x + i), mean), factor);
    const V shift = bias != nullptr ? hn::LoadU(d, bias + i) : hn::Zero(d);
    hn::StoreU(hn::MulAdd(unit, hn::LoadU(d, scale + i), shift), d, y + i);
  }
  if (i == length) return;
  const auto rest = static_cast<size_t>(length - i);
  const V unit = hn::Mul(hn::Sub(LoadFirst(d, x + i, rest), mean), factor);
  const V shift = bias != nullptr ? LoadFirst(d, bias + i, rest) : hn::Zero(d);
  StoreFirst(hn::MulAdd(unit, LoadFirst(d, scale + i, rest), shift), d, y + i, rest);
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(NormaliseRow);

namespace {

class LayerNormVector : public Kernel {
 public:
  explicit LayerNormVector(const LayerNormProblem& problem)
      : problem_(problem), normalise_(HWY_DYNAMIC_DISPATCH(NormaliseRow)) {}

  void Run(const Operands& operands) const override {
    const int64_t length = problem_.length;
    if (length == 0) return;
    const float* x = static_cast<const float*>(operands.inputs[0]);
    const float* scale = static_cast<const float*>(operands.inputs[1]);
    const float* bias = problem_.has_bias ? static_cast<const float*>(operands.inputs[2]) : nullptr;
    float* y = static_cast<float*>(operands.outputs[0]);
    const int64_t grain = std::max<int64_t>(kGrain / length, 1);
    ForRanges(*operands.threads, problem_.rows, grain, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t row = begin; row < end; ++row) {
        normalise_(x + row * length, scale, bias, problem_.epsilon, y + row * length, length);
      }
    });
  }

 private:
  static constexpr int64_t kGrain = 8192;
  LayerNormProblem problem_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(NormaliseRow))> normalise_;
};

}  // namespace

Refusal RefuseLayerNormVector(const LayerNormProblem& problem) {
  return problem.type == ElementType::kFloat32 ? "" : "float32 only";
}

std::unique_ptr<Kernel> MakeLayerNormVector(const LayerNormProblem& problem) {
  return std::make_unique<LayerNormVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
