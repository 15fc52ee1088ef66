// float32 in full vectors along runs; powers other than x^2 one element at a time.
#include "kernels/binary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/binary_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/activation-inl.h"
#include "kernels/broadcast.h"
#include "kernels/split.h"
#include "kernels/tail-inl.h"
#include "kernels/unary.h"

#ifndef PLEAT_KERNELS_BINARY_RUN_
#define PLEAT_KERNELS_BINARY_RUN_
namespace pleat::kernels {
struct BinaryRun {
  const float* a;
  const float* b;
  int64_t a_stride, b_stride;  // 0 or 1
  float* y;
  size_t count;
};
}  // namespace pleat::kernels
#endif  // PLEAT_KERNELS_BINARY_RUN_

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// y may be a or b where that one advances.
template <class F>
void CombineRun(const BinaryRun& run, const F& f) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  const size_t n = run.count;
  size_t i = 0;
  if (run.a_stride != 0 && run.b_stride != 0) {
    for (; i + lanes <= n; i += lanes) {
      hn::StoreU(f(d, hn::LoadU(d, run.a + i), hn::LoadU(d, run.b + i)), d, run.y + i);
    }
    if (i == n) return;
    const V a = LoadFirst(d, run.a + i, n - i);
    StoreFirst(f(d, a, LoadFirst(d, run.b + i, n - i)), d, run.y + i, n - i);
  } else if (run.a_stride != 0) {
    const V b = hn::Set(d, *run.b);
    for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, run.a + i), b), d, run.y + i);
    if (i < n) StoreFirst(f(d, LoadFirst(d, run.a + i, n - i), b), d, run.y + i, n - i);
  } else {
    const V a = hn::Set(d, *run.a);
    const int64_t step = run.b_stride;
    for (; step != 0 && i + lanes <= n; i += lanes) {
      hn::StoreU(f(d, a, hn::LoadU(d, run.b + i)), d, run.y + i);
    }
    if (step == 0) {
      const V y = f(d, a, hn::Set(d, *run.b));
      for (; i + lanes <= n; i += lanes) hn::StoreU(y, d, run.y + i);
      if (i < n) StoreFirst(y, d, run.y + i, n - i);
    } else if (i < n) {
      StoreFirst(f(d, a, LoadFirst(d, run.b + i, n - i)), d, run.y + i, n - i);
    }
  }
}

// f, then a clip when there is one.
template <class F>
void CombineClipped(const BinaryRun& run, const Activation& activation, const F& f) {
  if (activation.kind == UnaryKind::kClip) {
    const ClipOf clip{activation.a, activation.b};
    CombineRun(run, [=](auto d, auto a, auto b) HWY_ATTR { return clip(d, f(d, a, b)); });
  } else {
    CombineRun(run, f);
  }
}

void RaiseRun(const BinaryRun& run, const Activation& activation) {
  if (run.b_stride == 0 && *run.b == 2.0f) {
    return CombineClipped(run, activation,
                          [](auto, auto a, auto) HWY_ATTR { return hn::Mul(a, a); });
  }
  if (run.b_stride == 0 && *run.b == 1.0f) {
    return CombineClipped(run, activation, [](auto, auto a, auto) HWY_ATTR { return a; });
  }
  for (size_t i = 0; i < run.count; ++i) {
    const int64_t at = static_cast<int64_t>(i);
    run.y[i] = static_cast<float>(
        ApplyBinary(BinaryKind::kPow, run.a[at * run.a_stride], run.b[at * run.b_stride]));
  }
  if (activation.kind == UnaryKind::kClip) ApplyActivation(activation, run.y, run.count);
}

// The activation is identity or a clip.
void Combine(BinaryKind kind, const Activation& activation, const BinaryRun& run) {
  switch (kind) {
    case BinaryKind::kAdd:
      return CombineClipped(run, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Add(a, b); });
    case BinaryKind::kSub:
      return CombineClipped(run, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Sub(a, b); });
    case BinaryKind::kMul:
      return CombineClipped(run, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Mul(a, b); });
    case BinaryKind::kDiv:
      return CombineClipped(run, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Div(a, b); });
    case BinaryKind::kMin:
      return CombineClipped(run, activation, [](auto, auto a, auto b) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
      });
    case BinaryKind::kMax:
      return CombineClipped(run, activation, [](auto, auto a, auto b) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
      });
    case BinaryKind::kPRelu:
      return CombineClipped(run, activation, [](auto, auto a, auto b) HWY_ATTR {
        return NegativeOr(a, hn::Mul(a, b), a);
      });
    default:
      return RaiseRun(run, activation);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(Combine);

namespace {

class BinaryVector : public Kernel {
 public:
  explicit BinaryVector(const BinaryProblem& problem)
      : problem_(problem),
        loop_({problem.a_shape, problem.b_shape}),
        combine_(HWY_DYNAMIC_DISPATCH(Combine)) {}

  void Run(const Operands& operands) const override {
    const float* a = static_cast<const float*>(operands.inputs[0]);
    const float* b = static_cast<const float*>(operands.inputs[1]);
    float* y = static_cast<float*>(operands.outputs[0]);
    const int64_t a_stride = loop_.run_stride(0), b_stride = loop_.run_stride(1);
    const Activation& activation = problem_.activation;
    const bool fused =
        activation.kind == UnaryKind::kIdentity || activation.kind == UnaryKind::kClip;
    const auto run = [&](const auto& at, int64_t out, int64_t length) {
      for (int64_t i = 0; i < length;) {
        const int64_t count = fused ? length : std::min(length - i, kCached);
        const auto n = static_cast<size_t>(count);
        combine_(problem_.kind, fused ? activation : Activation{},
                 {a + at[0] + i * a_stride, b + at[1] + i * b_stride, a_stride, b_stride,
                  y + out + i, n});
        if (!fused) ApplyActivation(activation, y + out + i, n);
        i += count;
      }
    };
    ForRanges(*operands.threads, loop_.count(), kGrain,
              [&](int64_t begin, int64_t end, size_t) { loop_.Walk(begin, end, run); });
  }

 private:
  static constexpr int64_t kGrain = 16384;
  static constexpr int64_t kCached = 2048;  // elements between the two passes of an activation
  BinaryProblem problem_;
  Broadcast<2> loop_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(Combine))> combine_;
};

}  // namespace

Refusal RefuseBinaryVector(const BinaryProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  if (problem.kind > BinaryKind::kPRelu) return "arithmetic only";
  return {};
}

std::unique_ptr<Kernel> MakeBinaryVector(const BinaryProblem& problem) {
  return std::make_unique<BinaryVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
