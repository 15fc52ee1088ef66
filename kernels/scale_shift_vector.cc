// float32 with constants held in float32: along channels when they are innermost, else along runs
// of one channel.
#include "kernels/scale_shift.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/scale_shift_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <type_traits>
#include <vector>

#include "hwy/highway.h"
#include "kernels/activation-inl.h"
#include "kernels/cast.h"
#include "kernels/prologue.h"
#include "kernels/split.h"
#include "kernels/tail-inl.h"
#include "kernels/unary.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// y[i] = f(x[i] * scale[i] + shift[i]), or with the one scale and shift. y may be x.
template <bool kOneChannel, class F>
void ScaleRun(const F& f, const float* scale, const float* shift, const float* x, float* y,
              size_t count) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  const V one_scale = hn::Set(d, *scale), one_shift = hn::Set(d, *shift);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const V a = kOneChannel ? one_scale : hn::LoadU(d, scale + i);
    const V b = kOneChannel ? one_shift : hn::LoadU(d, shift + i);
    hn::StoreU(f(d, hn::MulAdd(hn::LoadU(d, x + i), a, b)), d, y + i);
  }
  if (i == count) return;
  const size_t rest = count - i;
  const V a = kOneChannel ? one_scale : LoadFirst(d, scale + i, rest);
  const V b = kOneChannel ? one_shift : LoadFirst(d, shift + i, rest);
  StoreFirst(f(d, hn::MulAdd(LoadFirst(d, x + i, rest), a, b)), d, y + i, rest);
}

template <bool kOneChannel>
void ScaleActivated(const Activation& act, const float* scale, const float* shift, const float* x,
                    float* y, size_t count) {
  if (act.kind == UnaryKind::kIdentity) {
    ScaleRun<kOneChannel>(IdentityOf{act.a, act.b}, scale, shift, x, y, count);
  } else if (act.kind == UnaryKind::kClip) {
    ScaleRun<kOneChannel>(ClipOf{act.a, act.b}, scale, shift, x, y, count);
  } else {
    ScaleRun<kOneChannel>(IdentityOf{act.a, act.b}, scale, shift, x, y, count);
    ApplyActivation(act, y, count);
  }
}

void ScaleChannels(const Activation& act, const float* scale, const float* shift, const float* x,
                   float* y, size_t count) {
  ScaleActivated<false>(act, scale, shift, x, y, count);
}

void ScaleChannel(const Activation& act, const float* scale, const float* shift, const float* x,
                  float* y, size_t count) {
  ScaleActivated<true>(act, scale, shift, x, y, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ScaleChannel);
HWY_EXPORT(ScaleChannels);

namespace {

// Few channels that are innermost are repeated until a run along them is worth a call.
int64_t Repeats(const ScaleShiftProblem& problem) {
  constexpr int64_t kShortRun = 256;
  const bool constant = problem.scale != nullptr && problem.shift != nullptr;
  if (problem.inner != 1 || !constant || problem.channels == 0) return 1;
  return std::max<int64_t>(1, std::min(kShortRun / problem.channels, problem.outer));
}

std::vector<float> Rounded(const ScaleShiftProblem& problem, ElementType type, const void* values) {
  if (values == nullptr) return {};
  const auto channels = static_cast<size_t>(problem.channels);
  std::vector<float> rounded(channels * static_cast<size_t>(Repeats(problem)));
  CastElements(type, values, ElementType::kFloat32, rounded.data(), channels);
  for (size_t i = channels; i < rounded.size(); ++i) rounded[i] = rounded[i - channels];
  return rounded;
}

class ScaleShiftVector : public Kernel {
 public:
  explicit ScaleShiftVector(const ScaleShiftProblem& problem)
      : problem_(problem),
        scale_(Rounded(problem, problem.scale_type, problem.scale)),
        shift_(Rounded(problem, problem.shift_type, problem.shift)),
        run_(problem.inner == 1 ? HWY_DYNAMIC_DISPATCH(ScaleChannels)
                                : HWY_DYNAMIC_DISPATCH(ScaleChannel)) {}

  size_t packed_bytes() const override { return (scale_.size() + shift_.size()) * sizeof(float); }

  void Run(const Operands& operands) const override {
    const void* const* next = operands.inputs + 1;
    const float* scale =
        problem_.scale != nullptr ? scale_.data() : static_cast<const float*>(*next++);
    const float* shift =
        problem_.shift != nullptr ? shift_.data() : static_cast<const float*>(*next++);
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    const bool channels_last = problem_.inner == 1;
    const int64_t channels = problem_.channels;
    const int64_t length = channels_last ? channels * Repeats(problem_) : problem_.inner;
    const int64_t count = problem_.outer * channels * problem_.inner;
    ForRanges(*operands.threads, count, kGrain, [&](int64_t begin, int64_t end, size_t) {
      while (begin < end) {
        const int64_t in_run = begin % length;
        const int64_t run_end = std::min({end, begin + length - in_run, begin + kCached});
        const int64_t channel = channels_last ? in_run : begin / length % channels;
        run_(problem_.activation, scale + channel, shift + channel, x + begin, y + begin,
             static_cast<size_t>(run_end - begin));
        begin = run_end;
      }
    });
  }

 private:
  static constexpr int64_t kGrain = 16384;
  static constexpr int64_t kCached = 4096;  // elements between the two passes of an activation
  ScaleShiftProblem problem_;
  std::vector<float> scale_, shift_;
  std::decay_t<decltype(HWY_DYNAMIC_DISPATCH(ScaleChannel))> run_;
};

}  // namespace

PrologueFunction BestPrologue() { return HWY_DYNAMIC_DISPATCH(ScaleChannels); }

Refusal RefuseScaleShiftVector(const ScaleShiftProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  const bool comes_wide =
      (problem.scale == nullptr && problem.scale_type != ElementType::kFloat32) ||
      (problem.shift == nullptr && problem.shift_type != ElementType::kFloat32);
  if (comes_wide) return "scale or shift is computed in another type";
  return {};
}

std::unique_ptr<Kernel> MakeScaleShiftVector(const ScaleShiftProblem& problem) {
  return std::make_unique<ScaleShiftVector>(problem);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
