// Positions of float32 extremes: of several outputs at a time, or, along an axis with nothing
// behind it, of several positions at a time.
#include <algorithm>
#include <limits>

#include "kernels/arg_reduce.h"
#include "kernels/split.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/arg_reduce_vector.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace {

using Tag = hn::ScalableTag<float>;
using V = hn::Vec<Tag>;
using M = hn::Mask<Tag>;
using TagI = hn::RebindToSigned<Tag>;
using VI = hn::Vec<TagI>;
constexpr size_t kMaxLanes = HWY_MAX_BYTES / sizeof(float);

// Whether x, met after `held`, takes its place.
template <bool kMax, bool kLast>
HWY_INLINE M Takes(V x, V held) {
  if constexpr (kLast) {
    return hn::Or(kMax ? hn::Ge(x, held) : hn::Le(x, held), hn::IsNaN(x));
  } else {
    const M better = kMax ? hn::Gt(x, held) : hn::Lt(x, held);
    return hn::Or(better, hn::AndNot(hn::IsNaN(held), hn::IsNaN(x)));
  }
}

// Writes the positions of `count` <= Lanes outputs; load(k) gives number k of each.
template <bool kMax, bool kLast, class Load>
HWY_INLINE void Scan(int64_t size, size_t count, const Load& load, int64_t* y) {
  const TagI di;
  V held = load(0);
  VI at = hn::Zero(di);
  for (int64_t k = 1; k < size; ++k) {
    const V x = load(k);
    const M takes = Takes<kMax, kLast>(x, held);
    held = hn::IfThenElse(takes, x, held);
    at = hn::IfThenElse(hn::RebindMask(di, takes), hn::Set(di, static_cast<int32_t>(k)), at);
  }
  HWY_ALIGN int32_t positions[kMaxLanes];
  hn::Store(at, di, positions);
  for (size_t i = 0; i < count; ++i) y[i] = positions[i];
}

// `count` neighbouring outputs from numbers that are `inner` apart.
template <bool kMax, bool kLast>
void Across(const float* x, int64_t size, int64_t inner, int64_t count, int64_t* y) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    const size_t width = static_cast<size_t>(std::min(lanes, count - i));
    if (width == hn::Lanes(d)) {
      Scan<kMax, kLast>(
          size, width, [&](int64_t k) HWY_ATTR { return hn::LoadU(d, x + k * inner + i); }, y + i);
    } else {
      Scan<kMax, kLast>(
          size, width, [&](int64_t k) HWY_ATTR { return LoadFirst(d, x + k * inner + i, width); },
          y + i);
    }
  }
}

// The position of one output among numbers of which some may be NaN.
template <bool kMax, bool kLast>
int64_t FindWithCare(const float* x, int64_t size) {
  int64_t best = 0;
  for (int64_t k = 1; k < size; ++k) {
    const bool nan = x[k] != x[k], held_nan = x[best] != x[best];
    const bool better = (kMax ? x[k] > x[best] : x[k] < x[best]) || (nan && !held_nan);
    if (better || (kLast && (x[k] == x[best] || (nan && held_nan)))) best = k;
  }
  return best;
}

// The position of one output: first the extreme, then where it is. A NaN, which the extreme may
// have lost, shows in the sum of all numbers.
template <bool kMax, bool kLast>
int64_t Find(const float* x, int64_t size) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V start = hn::Set(d, (kMax ? -1 : 1) * std::numeric_limits<float>::infinity());
  V extreme = start, sum = hn::Zero(d);
  for (int64_t k = 0; k < size; k += lanes) {
    V next;
    if (k + lanes <= size) {
      next = hn::LoadU(d, x + k);
      sum = hn::Add(sum, next);
    } else {
      const size_t rest = static_cast<size_t>(size - k);
      next = LoadFirst(d, x + k, rest);
      sum = hn::Add(sum, next);
      next = hn::IfThenElse(hn::FirstN(d, rest), next, start);
    }
    extreme = kMax ? hn::Max(extreme, next) : hn::Min(extreme, next);
  }
  if (!hn::AllFalse(d, hn::IsNaN(sum))) return FindWithCare<kMax, kLast>(x, size);
  const float wanted = hn::GetLane(kMax ? hn::MaxOfLanes(d, extreme) : hn::MinOfLanes(d, extreme));
  int64_t k = kLast ? size - 1 : 0;
  while (x[k] != wanted) k += kLast ? -1 : 1;
  return k;
}

template <bool kMax, bool kLast>
void Positions(const float* x, int64_t size, int64_t inner, int64_t count, int64_t* y) {
  if (inner != 1) {
    Across<kMax, kLast>(x, size, inner, count, y);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] = Find<kMax, kLast>(x + i * size, size);
  }
}

}  // namespace

// `count` outputs: of neighbouring rows when inner is 1, else of neighbouring columns.
void FindPositions(const ArgReduceProblem& p, const float* x, int64_t count, int64_t* y) {
  if (p.max) {
    p.last_index ? Positions<true, true>(x, p.size, p.inner, count, y)
                 : Positions<true, false>(x, p.size, p.inner, count, y);
  } else {
    p.last_index ? Positions<false, true>(x, p.size, p.inner, count, y)
                 : Positions<false, false>(x, p.size, p.inner, count, y);
  }
}

auto ChooseFinder() { return &FindPositions; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseFinder);

namespace {

class ArgReduceVector final : public Kernel {
 public:
  explicit ArgReduceVector(const ArgReduceProblem& problem)
      : p_(problem), find_(HWY_DYNAMIC_DISPATCH(ChooseFinder)()) {}

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    int64_t* y = static_cast<int64_t*>(operands.outputs[0]);
    if (p_.inner == 1) {
      ForRanges(*operands.threads, p_.outer, kGrain / p_.size,
                [&](int64_t begin, int64_t end, size_t) {
                  find_(p_, x + begin * p_.size, end - begin, y + begin);
                });
      return;
    }
    const int64_t blocks = (p_.inner + kColumns - 1) / kColumns;
    ForRanges(*operands.threads, p_.outer * blocks, kGrain / (p_.size * kColumns),
              [&](int64_t begin, int64_t end, size_t) {
                for (int64_t i = begin; i < end; ++i) {
                  const int64_t column = i % blocks * kColumns;
                  const int64_t outer = i / blocks;
                  find_(p_, x + outer * p_.size * p_.inner + column,
                        std::min(kColumns, p_.inner - column), y + outer * p_.inner + column);
                }
              });
  }

 private:
  static constexpr int64_t kGrain = 16384;
  static constexpr int64_t kColumns = 256;  // outputs that one thread finds side by side
  const ArgReduceProblem p_;
  void (*const find_)(const ArgReduceProblem&, const float*, int64_t, int64_t*);
};

Refusal Refuse(const ArgReduceProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  if (problem.size < 1) return "the axis is empty";
  if (problem.size > std::numeric_limits<int32_t>::max()) return "the axis is longer than 2^31";
  return {};
}

std::unique_ptr<Kernel> Make(const ArgReduceProblem& problem) {
  return std::make_unique<ArgReduceVector>(problem);
}

}  // namespace

extern const Candidate<ArgReduceProblem> kArgReduceVector = {"vector", Refuse, Make};

}  // namespace pleat::kernels
#endif  // HWY_ONCE
