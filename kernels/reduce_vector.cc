// float32 reductions over one run of neighbouring axes: x is [outer, terms, inner]. With inner 1
// the vectors run along the terms, else along inner.
//
// Sums are made of blocks, so that their error grows with the number of blocks and not of terms;
// the blocks depend on nothing but the problem.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reduce.h"
#include "kernels/split.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_vector.cc"
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

// How a term joins the partial result, and how partial results join: the same thing unless terms
// are transformed.
struct Plain {
  static HWY_INLINE V Term(V x) { return x; }
};
struct Absolute {
  static HWY_INLINE V Term(V x) { return hn::Abs(x); }
};
struct Square {
  static HWY_INLINE V Term(V x) { return hn::Mul(x, x); }
};

template <class Transform>
struct Sums {
  static constexpr float kStart = 0;
  static HWY_INLINE V Add(V a, V x) { return hn::Add(a, Transform::Term(x)); }
  static HWY_INLINE V Join(V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE double Join(double a, double b) { return a + b; }
};

template <bool kMax>
struct Extreme {
  static constexpr float kStart = (kMax ? -1 : 1) * std::numeric_limits<float>::infinity();
  static HWY_INLINE V Add(V a, V x) {
    const auto better = kMax ? hn::Gt(x, a) : hn::Lt(x, a);
    return hn::IfThenElse(hn::Or(better, hn::IsNaN(x)), x, a);
  }
  static HWY_INLINE V Join(V a, V b) { return Add(a, b); }
  static HWY_INLINE double Join(double a, double b) {
    return (kMax ? b > a : b < a) || b != b ? b : a;
  }
};

// Terms in a block, across and along the vectors; and blocks in a level.
constexpr int64_t kTermsPerBlock = 64;
constexpr int64_t kContiguousBlock = 1024;

template <class Op>
double ReduceBlock(const float* x, int64_t count) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V a0 = hn::Set(d, Op::kStart), a1 = a0, a2 = a0, a3 = a0;
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    a0 = Op::Add(a0, hn::LoadU(d, x + i));
    a1 = Op::Add(a1, hn::LoadU(d, x + i + lanes));
    a2 = Op::Add(a2, hn::LoadU(d, x + i + 2 * lanes));
    a3 = Op::Add(a3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= count; i += lanes) a0 = Op::Add(a0, hn::LoadU(d, x + i));
  if (i < count) {
    const size_t rest = static_cast<size_t>(count - i);
    const V last = Op::Add(a1, LoadFirst(d, x + i, rest));
    a1 = hn::IfThenElse(hn::FirstN(d, rest), last, a1);
  }
  const V all = Op::Join(Op::Join(a0, a1), Op::Join(a2, a3));
  HWY_ALIGN float values[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(all, d, values);
  double result = values[0];
  for (int64_t lane = 1; lane < lanes; ++lane) {
    result = Op::Join(result, static_cast<double>(values[lane]));
  }
  return result;
}

// inner is 1: one result from `terms` neighbours.
template <class Op>
double ReduceContiguous(const float* x, int64_t terms) {
  double result = static_cast<double>(Op::kStart);
  for (int64_t i = 0; i < terms; i += kContiguousBlock) {
    result = Op::Join(result, ReduceBlock<Op>(x + i, std::min(kContiguousBlock, terms - i)));
  }
  return result;
}

// Four vectors of partial results.
struct Four {
  V a, b, c, d;
};
template <class Op>
HWY_INLINE void JoinFour(Four& to, const Four& from) {
  to.a = Op::Join(to.a, from.a);
  to.b = Op::Join(to.b, from.b);
  to.c = Op::Join(to.c, from.c);
  to.d = Op::Join(to.d, from.d);
}

// Calls add(partial, first term, end) for blocks of terms and joins their partials, level by level.
template <class Partial, class Add, class Join>
HWY_INLINE Partial ReduceInBlocks(int64_t terms, const Partial& start, const Add& add,
                                  const Join& join) {
  constexpr int64_t kTermsPerLevel = kTermsPerBlock * kTermsPerBlock;
  Partial result = start;
  for (int64_t level = 0; level < terms; level += kTermsPerLevel) {
    Partial of_level = start;
    const int64_t end = std::min(terms, level + kTermsPerLevel);
    for (int64_t block = level; block < end; block += kTermsPerBlock) {
      Partial of_block = start;
      add(of_block, block, std::min(end, block + kTermsPerBlock));
      join(of_level, of_block);
    }
    join(result, of_level);
  }
  return result;
}

// `count` neighbouring results from terms that are `inner` apart; `finish` maps and stores them.
template <class Op, class Finish>
void ReduceStrided(const float* x, int64_t terms, int64_t inner, int64_t count,
                   const Finish& finish) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V start = hn::Set(d, Op::kStart);
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const Four four = ReduceInBlocks(
        terms, Four{start, start, start, start},
        [&](Four& sum, int64_t t, int64_t end) HWY_ATTR {
          for (const float* from = x + t * inner + i; t < end; ++t, from += inner) {
            sum.a = Op::Add(sum.a, hn::LoadU(d, from));
            sum.b = Op::Add(sum.b, hn::LoadU(d, from + lanes));
            sum.c = Op::Add(sum.c, hn::LoadU(d, from + 2 * lanes));
            sum.d = Op::Add(sum.d, hn::LoadU(d, from + 3 * lanes));
          }
        },
        [](Four& to, const Four& from) HWY_ATTR { JoinFour<Op>(to, from); });
    finish(four.a, i, lanes);
    finish(four.b, i + lanes, lanes);
    finish(four.c, i + 2 * lanes, lanes);
    finish(four.d, i + 3 * lanes, lanes);
  }
  for (; i < count; i += lanes) {
    const int64_t width = std::min(lanes, count - i);
    const V one = ReduceInBlocks(
        terms, start,
        [&](V& sum, int64_t t, int64_t end) HWY_ATTR {
          for (const float* from = x + t * inner + i; t < end; ++t, from += inner) {
            sum = Op::Add(sum, width == lanes ? hn::LoadU(d, from)
                                              : LoadFirst(d, from, static_cast<size_t>(width)));
          }
        },
        [](V& to, const V& from) HWY_ATTR { to = Op::Join(to, from); });
    finish(one, i, width);
  }
}

template <class Op>
void Reduce(const float* x, int64_t terms, int64_t inner, int64_t count, double scale, bool root,
            float* y) {
  if (inner == 1) {
    for (int64_t i = 0; i < count; ++i) {
      const double value = ReduceContiguous<Op>(x + i * terms, terms) * scale;
      y[i] = static_cast<float>(root ? std::sqrt(value) : value);
    }
    return;
  }
  const Tag d;
  const V scales = hn::Set(d, static_cast<float>(scale));
  ReduceStrided<Op>(x, terms, inner, count, [&](V a, int64_t at, int64_t width) HWY_ATTR {
    if (scale != 1) a = hn::Mul(a, scales);
    if (root) a = hn::Sqrt(a);
    if (width == static_cast<int64_t>(hn::Lanes(d))) {
      hn::StoreU(a, d, y + at);
    } else {
      StoreFirst(a, d, y + at, static_cast<size_t>(width));
    }
  });
}

}  // namespace

// `count` results: of neighbouring runs of terms when inner is 1, else of neighbouring columns.
void ReduceFloats(ReduceKind kind, const float* x, int64_t terms, int64_t inner, int64_t count,
                  float* y) {
  switch (kind) {
    case ReduceKind::kMean:
      return Reduce<Sums<Plain>>(x, terms, inner, count, 1 / static_cast<double>(terms), false, y);
    case ReduceKind::kMax:
      return Reduce<Extreme<true>>(x, terms, inner, count, 1, false, y);
    case ReduceKind::kMin:
      return Reduce<Extreme<false>>(x, terms, inner, count, 1, false, y);
    case ReduceKind::kL1:
      return Reduce<Sums<Absolute>>(x, terms, inner, count, 1, false, y);
    case ReduceKind::kL2:
      return Reduce<Sums<Square>>(x, terms, inner, count, 1, true, y);
    case ReduceKind::kSumSquare:
      return Reduce<Sums<Square>>(x, terms, inner, count, 1, false, y);
    default:
      return Reduce<Sums<Plain>>(x, terms, inner, count, 1, false, y);
  }
}

auto ChooseReduction() { return &ReduceFloats; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseReduction);

namespace {

class ReduceVector final : public Kernel {
 public:
  explicit ReduceVector(const ReduceProblem& p)
      : kind_(p.kind),
        terms_(p.Terms()),
        prologue_(p.prologue),
        reduce_(HWY_DYNAMIC_DISPATCH(ChooseReduction)()) {
    int axis = 0;
    if (axis < p.rank && !p.Reduced(axis)) outer_ = p.sizes[axis++];
    if (axis < p.rank) ++axis;
    if (axis < p.rank) inner_ = p.sizes[axis];
  }

  size_t scratch_bytes(int threads) const override {
    return prologue_ ? kChunk * kColumns * sizeof(float) * static_cast<size_t>(threads) : 0;
  }

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    if (inner_ == 1) {
      ForRanges(*operands.threads, outer_, kGrain / std::max<int64_t>(terms_, 1),
                [&](int64_t begin, int64_t end, size_t) {
                  reduce_(kind_, x + begin * terms_, terms_, 1, end - begin, y + begin);
                });
      return;
    }
    const int64_t blocks = (inner_ + kColumns - 1) / kColumns;
    ForRanges(*operands.threads, outer_ * blocks,
              kGrain / (std::max<int64_t>(terms_, 1) * kColumns),
              [&](int64_t begin, int64_t end, size_t slot) {
                for (int64_t i = begin; i < end; ++i) {
                  const int64_t outer = i / blocks;
                  const int64_t column = i % blocks * kColumns;
                  if (prologue_) {
                    auto* copies = static_cast<float*>(operands.scratch) +
                                   slot * static_cast<size_t>(kChunk * kColumns);
                    OfPrologue(x + outer * terms_ * inner_ + column, column, copies,
                               y + outer * inner_ + column);
                    continue;
                  }
                  reduce_(kind_, x + outer * terms_ * inner_ + column, terms_, inner_,
                          std::min(kColumns, inner_ - column), y + outer * inner_ + column);
                }
              });
  }

 private:
  // The sum or mean of columns from `column` on, a few terms at a time through the prologue.
  void OfPrologue(const float* x, int64_t column, float* copies, float* y) const {
    const int64_t count = std::min(kColumns, inner_ - column);
    const auto width = static_cast<size_t>(count);
    std::fill_n(y, count, 0.0f);
    float sums[kColumns];
    for (int64_t t = 0; t < terms_; t += kChunk) {
      const int64_t terms = std::min(kChunk, terms_ - t);
      for (int64_t i = 0; i < terms; ++i) {
        run_(prologue_.activation, static_cast<const float*>(prologue_.scale) + column,
             static_cast<const float*>(prologue_.shift) + column, x + (t + i) * inner_,
             copies + i * count, width);
      }
      reduce_(ReduceKind::kSum, copies, terms, count, count, sums);
      for (int64_t i = 0; i < count; ++i) y[i] += sums[i];
    }
    if (kind_ != ReduceKind::kMean) return;
    for (int64_t i = 0; i < count; ++i) y[i] /= static_cast<float>(terms_);
  }

  static constexpr int64_t kGrain = 32768;  // terms
  static constexpr int64_t kChunk = 64;     // terms that go through the prologue at a time
  static constexpr int64_t kColumns = 64;   // results that one thread makes side by side
  const ReduceKind kind_;
  const int64_t terms_;
  const Prologue prologue_;
  const PrologueFunction run_ = BestPrologue();
  int64_t outer_ = 1;
  int64_t inner_ = 1;
  void (*const reduce_)(ReduceKind, const float*, int64_t, int64_t, int64_t, float*);
};

Refusal Refuse(const ReduceProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (p.kind == ReduceKind::kProd || p.kind == ReduceKind::kLogSum ||
      p.kind == ReduceKind::kLogSumExp) {
    return "sums and extremes only";
  }
  if (p.rank > (p.first_reduced ? 2 : 3)) return "the reduced axes are not neighbours";
  if (p.Terms() == 0) return "no terms";
  const bool channels_last =
      p.rank > 1 && !p.Reduced(p.rank - 1) && p.sizes[p.rank - 1] == p.channels;
  if (p.prologue && !channels_last) return "a prologue wants channels innermost";
  return {};
}

std::unique_ptr<Kernel> Make(const ReduceProblem& problem) {
  return std::make_unique<ReduceVector>(problem);
}

}  // namespace

extern const Candidate<ReduceProblem> kReduceVector = {"vector", Refuse, Make};

}  // namespace pleat::kernels
#endif  // HWY_ONCE
