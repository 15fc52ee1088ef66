// float32 in full vectors: along channels when they are innermost, else across their neighbours.
#include "kernels/local_response_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/local_response_norm_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/split.h"
#include "kernels/tail-inl.h"

#ifndef PLEAT_KERNELS_LOCAL_RESPONSE_SCRATCH_
#define PLEAT_KERNELS_LOCAL_RESPONSE_SCRATCH_
namespace pleat::kernels {
// Floats of scratch memory a thread needs: the squares of a pixel's channels between the zeros that
// its first and last windows reach into, and a vector more.
inline int64_t ScratchFloats(const LocalResponseNormProblem& p) {
  constexpr int64_t kLongestVector = 512;
  return (p.before() + p.channels + p.after() + kLongestVector + 15) / 16 * 16;
}
}  // namespace pleat::kernels
#endif  // PLEAT_KERNELS_LOCAL_RESPONSE_SCRATCH_

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// s^-beta.
HWY_INLINE V InversePower(D d, V s, float beta) {
  if (beta == 0.75f) {
    const V root = hn::Sqrt(s);
    return hn::Div(hn::Set(d, 1.0f), hn::Mul(root, hn::Sqrt(root)));
  }
  return Exp(d, hn::Mul(Log(d, s), hn::Set(d, -beta)));
}

// x / (bias + alpha/size * squares)^beta.
HWY_INLINE V Respond(const LocalResponseNormProblem& p, D d, V x, V squares) {
  const V alpha = hn::Set(d, static_cast<float>(p.alpha / static_cast<double>(p.size)));
  const V base = hn::MulAdd(squares, alpha, hn::Set(d, static_cast<float>(p.bias)));
  return hn::Mul(x, InversePower(d, base, static_cast<float>(p.beta)));
}

void RespondAlong(const LocalResponseNormProblem& p, const float* x, float* y, float* squares) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t before = p.before(), window = before + 1 + p.after();
  std::fill(squares, squares + before, 0.0f);
  std::fill_n(squares + before + p.channels, p.after() + lanes, 0.0f);
  for (int64_t c = 0; c < p.channels; ++c) squares[before + c] = x[c] * x[c];
  for (int64_t c = 0; c < p.channels; c += lanes) {
    V sum = hn::Zero(d);
    for (int64_t k = 0; k < window; ++k) sum = hn::Add(sum, hn::LoadU(d, squares + c + k));
    const auto count = static_cast<size_t>(std::min(lanes, p.channels - c));
    StoreUpTo(Respond(p, d, LoadUpTo(d, x + c, count), sum), d, y + c, count);
  }
}

// All inner neighbours of one channel.
void RespondAcross(const LocalResponseNormProblem& p, const float* x, float* y, int64_t c) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t first = std::max<int64_t>(c - p.before(), 0);
  const int64_t last = std::min(c + p.after(), p.channels - 1);
  for (int64_t i = 0; i < p.inner; i += lanes) {
    const auto count = static_cast<size_t>(std::min(lanes, p.inner - i));
    V sum = hn::Zero(d);
    for (int64_t k = first; k <= last; ++k) {
      const V value = LoadUpTo(d, x + k * p.inner + i, count);
      sum = hn::MulAdd(value, value, sum);
    }
    const V value = LoadUpTo(d, x + c * p.inner + i, count);
    StoreUpTo(Respond(p, d, value, sum), d, y + c * p.inner + i, count);
  }
}

// [begin, end) of the outer pixels when channels are innermost, else of the outer * channels.
void RespondAll(const LocalResponseNormProblem& p, const float* x, float* y, float* scratch,
                int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    if (p.inner == 1) {
      RespondAlong(p, x + i * p.channels, y + i * p.channels, scratch);
    } else {
      const int64_t offset = i / p.channels * p.channels * p.inner;
      RespondAcross(p, x + offset, y + offset, i % p.channels);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(RespondAll);

namespace {

class LocalResponseNormVector : public Kernel {
 public:
  explicit LocalResponseNormVector(const LocalResponseNormProblem& problem)
      : problem_(problem), respond_(HWY_DYNAMIC_DISPATCH(RespondAll)) {}

  size_t scratch_bytes(int threads) const override {
    const auto floats = static_cast<size_t>(ScratchFloats(problem_));
    return problem_.inner == 1 ? static_cast<size_t>(threads) * floats * sizeof(float) : 0;
  }

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    auto* scratch = static_cast<float*>(operands.scratch);
    if (problem_.channels * problem_.inner == 0) return;
    const bool along = problem_.inner == 1;
    const int64_t length = along ? problem_.channels : problem_.inner;
    const int64_t units = along ? problem_.outer : problem_.outer * problem_.channels;
    const int64_t grain = std::max<int64_t>(kGrain / length, 1);
    const int64_t floats = along ? ScratchFloats(problem_) : 0;
    ForRanges(*operands.threads, units, grain, [&](int64_t begin, int64_t end, size_t slot) {
      respond_(problem_, x, y, scratch + static_cast<int64_t>(slot) * floats, begin, end);
    });
  }

 private:
  static constexpr int64_t kGrain = 4096;
  LocalResponseNormProblem problem_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(RespondAll))> respond_;
};

}  // namespace

Refusal RefuseLocalResponseNormVector(const LocalResponseNormProblem& problem) {
  return problem.type == ElementType::kFloat32 ? "" : "float32 only";
}

std::unique_ptr<Kernel> MakeLocalResponseNormVector(const LocalResponseNormProblem& problem) {
  return std::make_unique<LocalResponseNormVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
