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
// `rows` runs of `count` outputs, one after the other.
struct BinaryRuns {
  const float* a;
  const float* b;
  int64_t a_stride, b_stride;  // along a run: 0 or 1
  int64_t a_row, b_row;        // from run to run
  float* y;
  int64_t count, rows;
};
}  // namespace pleat::kernels
#endif  // PLEAT_KERNELS_BINARY_RUN_

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// y may be a or b where that one advances.
template <class F>
HWY_INLINE void CombineRun(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                           float* y, int64_t count, const F& f) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto rest = static_cast<size_t>(count % lanes);
  const int64_t whole = count - count % lanes;
  if (a_stride != 0 && b_stride != 0) {
    for (int64_t i = 0; i < whole; i += lanes) {
      hn::StoreU(f(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
    }
    if (rest == 0) return;
    const V last = LoadFirst(d, b + whole, rest);
    StoreFirst(f(d, LoadFirst(d, a + whole, rest), last), d, y + whole, rest);
  } else if (a_stride != 0) {
    const V one = hn::Set(d, *b);
    for (int64_t i = 0; i < whole; i += lanes) {
      hn::StoreU(f(d, hn::LoadU(d, a + i), one), d, y + i);
    }
    if (rest == 0) return;
    StoreFirst(f(d, LoadFirst(d, a + whole, rest), one), d, y + whole, rest);
  } else if (b_stride != 0) {
    const V one = hn::Set(d, *a);
    for (int64_t i = 0; i < whole; i += lanes) {
      hn::StoreU(f(d, one, hn::LoadU(d, b + i)), d, y + i);
    }
    if (rest == 0) return;
    StoreFirst(f(d, one, LoadFirst(d, b + whole, rest)), d, y + whole, rest);
  } else {
    const V value = f(d, hn::Set(d, *a), hn::Set(d, *b));
    for (int64_t i = 0; i < whole; i += lanes) hn::StoreU(value, d, y + i);
    if (rest > 0) StoreFirst(value, d, y + whole, rest);
  }
}

template <class F>
void CombineRuns(const BinaryRuns& runs, const F& f) {
  for (int64_t row = 0; row < runs.rows; ++row) {
    CombineRun(runs.a + row * runs.a_row, runs.a_stride, runs.b + row * runs.b_row, runs.b_stride,
               runs.y + row * runs.count, runs.count, f);
  }
}

// f, then a clip when there is one.
template <class F>
void CombineClipped(const BinaryRuns& runs, const Activation& activation, const F& f) {
  if (activation.kind == UnaryKind::kClip) {
    const ClipOf clip{activation.a, activation.b};
    CombineRuns(runs, [=](auto d, auto a, auto b) HWY_ATTR { return clip(d, f(d, a, b)); });
  } else {
    CombineRuns(runs, f);
  }
}

void Raise(const BinaryRuns& runs, const Activation& activation) {
  const bool one_exponent = runs.b_stride == 0 && (runs.b_row == 0 || runs.rows == 1);
  if (one_exponent && *runs.b == 2.0f) {
    return CombineClipped(runs, activation,
                          [](auto, auto a, auto) HWY_ATTR { return hn::Mul(a, a); });
  }
  if (one_exponent && *runs.b == 1.0f) {
    return CombineClipped(runs, activation, [](auto, auto a, auto) HWY_ATTR { return a; });
  }
  for (int64_t row = 0; row < runs.rows; ++row) {
    const float* a = runs.a + row * runs.a_row;
    const float* b = runs.b + row * runs.b_row;
    float* y = runs.y + row * runs.count;
    for (int64_t i = 0; i < runs.count; ++i) {
      y[i] = static_cast<float>(
          ApplyBinary(BinaryKind::kPow, a[i * runs.a_stride], b[i * runs.b_stride]));
    }
  }
  if (activation.kind == UnaryKind::kClip) {
    ApplyActivation(activation, runs.y, static_cast<size_t>(runs.count * runs.rows));
  }
}

// The activation is identity or a clip.
void Combine(BinaryKind kind, const Activation& activation, const BinaryRuns& runs) {
  switch (kind) {
    case BinaryKind::kAdd:
      return CombineClipped(runs, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Add(a, b); });
    case BinaryKind::kSub:
      return CombineClipped(runs, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Sub(a, b); });
    case BinaryKind::kMul:
      return CombineClipped(runs, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Mul(a, b); });
    case BinaryKind::kDiv:
      return CombineClipped(runs, activation,
                            [](auto, auto a, auto b) HWY_ATTR { return hn::Div(a, b); });
    case BinaryKind::kMin:
      return CombineClipped(runs, activation, [](auto, auto a, auto b) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
      });
    case BinaryKind::kMax:
      return CombineClipped(runs, activation, [](auto, auto a, auto b) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
      });
    case BinaryKind::kPRelu:
      return CombineClipped(runs, activation, [](auto, auto a, auto b) HWY_ATTR {
        return NegativeOr(a, hn::Mul(a, b), a);
      });
    default:
      return Raise(runs, activation);
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
    const Activation& activation = problem_.activation;
    const bool fused =
        activation.kind == UnaryKind::kIdentity || activation.kind == UnaryKind::kClip;
    const auto combine = [&](const auto& at, int64_t out, int64_t count, int64_t rows) {
      combine_(problem_.kind, fused ? activation : Activation{},
               {a + at[0], b + at[1], loop_.run_stride(0), loop_.run_stride(1), loop_.row_stride(0),
                loop_.row_stride(1), y + out, count, rows});
    };
    ForRanges(*operands.threads, loop_.count(), kGrain, [&](int64_t begin, int64_t end, size_t) {
      if (fused) return loop_.WalkRows(begin, end, combine);
      for (; begin < end; begin += kCached) {
        const int64_t count = std::min(end - begin, kCached);
        loop_.WalkRows(begin, begin + count, combine);
        ApplyActivation(activation, y + begin, static_cast<size_t>(count));
      }
    });
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
