// float32 in full vectors, any function; the few without a vector form go through ApplyUnary.
#include "kernels/unary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/unary_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <cmath>
#include <type_traits>
#include "hwy/highway.h"
#include "kernels/activation-inl.h"
#include "kernels/split.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// y may be x.
template <class F>
void Transform(const F& f, const float* x, float* y, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < count) StoreFirst(f(d, LoadFirst(d, x + i, count - i)), d, y + i, count - i);
}

// kRound with a > 0. The steps are powers of two, so that nothing but the rounding rounds.
struct RoundToFloatOf {
  float scale, lowest;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToUnsigned<D> bits;
    const V infinity = hn::BitCast(d, hn::Set(bits, 0x7f800000u));
    const V step = hn::Max(hn::Mul(hn::And(x, infinity), hn::Set(d, scale)), hn::Set(d, lowest));
    const V rounded = hn::Mul(hn::Round(hn::Div(x, step)), step);
    return hn::IfThenElse(hn::Eq(hn::Abs(x), infinity), x, rounded);
  }
};

void Apply(const Activation& activation, const float* x, float* y, size_t count) {
  if (activation.kind == UnaryKind::kRound && activation.a > 0) {
    return Transform(RoundToFloatOf{std::exp2(-activation.a), std::exp2(activation.b)}, x, y, count);
  }
  const bool vectors =
      VisitActivation(activation, [=](const auto& f) HWY_ATTR { Transform(f, x, y, count); });
  if (vectors) return;
  for (size_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(ApplyUnary(activation.kind, activation.a, activation.b, x[i]));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(Apply);

namespace {

class UnaryVector : public Kernel {
 public:
  explicit UnaryVector(const UnaryProblem& problem)
      : problem_(problem), apply_(HWY_DYNAMIC_DISPATCH(Apply)) {}

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    ForRanges(*operands.threads, problem_.count, kGrain, [&](int64_t begin, int64_t end, size_t) {
      apply_(problem_.activation, x + begin, y + begin, static_cast<size_t>(end - begin));
    });
  }

 private:
  static constexpr int64_t kGrain = 8192;
  UnaryProblem problem_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(Apply))> apply_;
};

}  // namespace

void ApplyActivation(const Activation& activation, float* values, size_t count) {
  HWY_DYNAMIC_DISPATCH(Apply)(activation, values, values, count);
}

Refusal RefuseUnaryVector(const UnaryProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  const UnaryKind kind = problem.activation.kind;
  if (kind == UnaryKind::kIsNaN || kind == UnaryKind::kIsInf) return "the result is bool";
  return {};
}

std::unique_ptr<Kernel> MakeUnaryVector(const UnaryProblem& problem) {
  return std::make_unique<UnaryVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
