// Maximum and average pooling of float32 channels-last images, vectors running along the channels.
// A row of outputs either combines its windows directly, or, where that is less work, first the
// input rows into one row and then that row's columns.
//
// Maxima are taken two at a time by instructions that may lose a NaN; a sum of all that was read
// tells whether there was one, and only then is the row done again with care.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/pool.h"
#include "kernels/pool_row.h"
#include "kernels/split.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool_channels.cc"
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

struct QuickMax {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  static constexpr bool kAverage = false;
  static HWY_INLINE V Combine(V a, V x, V& taint) {
    taint = hn::Add(taint, x);
    return hn::Max(a, x);
  }
};

struct CarefulMax {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  static constexpr bool kAverage = false;
  static HWY_INLINE V Combine(V a, V x, V&) {
    return hn::IfThenElse(hn::Or(hn::Gt(x, a), hn::IsNaN(x)), x, a);
  }
};

struct Mean {
  static constexpr float kStart = 0;
  static constexpr bool kAverage = true;
  static HWY_INLINE V Combine(V a, V x, V&) { return hn::Add(a, x); }
};

// Combines positions p * plane_step + r * row_step + t * tap_step of four vectors (or one) at x.
template <class Op, class Load, class Store>
HWY_INLINE void Window(const PoolRow& job, const float* x, int64_t taps, V& taint, const Load& load,
                       const Store& store) {
  V a = hn::Set(Tag(), Op::kStart);
  for (int64_t p = 0; p < job.planes; ++p) {
    for (int64_t r = 0; r < job.rows; ++r) {
      const float* from = x + p * job.plane_step + r * job.row_step;
      for (int64_t t = 0; t < taps; ++t, from += job.tap_step) {
        a = Op::Combine(a, load(from), taint);
      }
    }
  }
  store(a);
}

// Windows of `taps` columns over `count` neighbouring numbers.
template <class Op>
HWY_INLINE void Combine(const PoolRow& job, const float* x, int64_t taps, float scale,
                        int64_t count, V& taint, float* y) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V scales = hn::Set(d, scale);
  const auto finish = [&](V a) HWY_ATTR { return Op::kAverage ? hn::Mul(a, scales) : a; };
  int64_t c = 0;
  for (; c + 4 * lanes <= count; c += 4 * lanes) {
    V a0 = hn::Set(d, Op::kStart), a1 = a0, a2 = a0, a3 = a0;
    for (int64_t p = 0; p < job.planes; ++p) {
      for (int64_t r = 0; r < job.rows; ++r) {
        const float* from = x + p * job.plane_step + r * job.row_step + c;
        for (int64_t t = 0; t < taps; ++t, from += job.tap_step) {
          a0 = Op::Combine(a0, hn::LoadU(d, from), taint);
          a1 = Op::Combine(a1, hn::LoadU(d, from + lanes), taint);
          a2 = Op::Combine(a2, hn::LoadU(d, from + 2 * lanes), taint);
          a3 = Op::Combine(a3, hn::LoadU(d, from + 3 * lanes), taint);
        }
      }
    }
    hn::StoreU(finish(a0), d, y + c);
    hn::StoreU(finish(a1), d, y + c + lanes);
    hn::StoreU(finish(a2), d, y + c + 2 * lanes);
    hn::StoreU(finish(a3), d, y + c + 3 * lanes);
  }
  for (; c + lanes <= count; c += lanes) {
    Window<Op>(
        job, x + c, taps, taint, [&](const float* p) HWY_ATTR { return hn::LoadU(d, p); },
        [&](V a) HWY_ATTR { hn::StoreU(finish(a), d, y + c); });
  }
  if (c < count) {
    const size_t rest = static_cast<size_t>(count - c);
    Window<Op>(
        job, x + c, taps, taint, [&](const float* p) HWY_ATTR { return LoadFirst(d, p, rest); },
        [&](V a) HWY_ATTR { StoreFirst(finish(a), d, y + c, rest); });
  }
}

template <class Op>
void Windows(const PoolRow& job, V& taint) {
  for (int64_t o = 0; o < job.outputs; ++o) {
    const PoolColumn& column = job.columns[o];
    const double count = job.count * column.count;
    Combine<Op>(job, job.x + (column.first - job.first_column) * job.pixel_step, column.taps,
                count > 0 ? static_cast<float>(1 / count) : 0, job.channels, taint,
                job.y + o * job.y_step);
  }
}

// The input rows become one, whose columns are densely packed.
template <class Op>
void CombineRows(const PoolRow& job, V& taint) {
  if (job.channels == job.pixel_step) {
    Combine<Op>(job, job.x, 1, 1, job.row_columns * job.channels, taint, job.scratch);
    return;
  }
  for (int64_t i = 0; i < job.row_columns; ++i) {
    Combine<Op>(job, job.x + i * job.pixel_step, 1, 1, job.channels, taint,
                job.scratch + i * job.channels);
  }
}

// False when a NaN may have been lost.
template <class Op>
bool Row(const PoolRow& job) {
  V taint = hn::Zero(Tag());
  if (job.combine_rows) {
    CombineRows<Op>(job, taint);
    PoolRow combined = job;
    combined.x = job.scratch;
    combined.planes = combined.rows = 1;
    combined.tap_step = job.tap_step / job.pixel_step * job.channels;
    combined.pixel_step = job.channels;
    Windows<Op>(combined, taint);
  } else {
    Windows<Op>(job, taint);
  }
  return hn::AllFalse(Tag(), hn::IsNaN(taint));
}

}  // namespace

void RunPoolRow(PoolKind kind, const PoolRow& job) {
  if (kind == PoolKind::kAverage) {
    Row<Mean>(job);
  } else if (!Row<QuickMax>(job)) {
    Row<CarefulMax>(job);
  }
}

auto ChoosePoolRow() { return &RunPoolRow; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChoosePoolRow);

namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

class PoolChannels final : public Kernel {
 public:
  explicit PoolChannels(const PoolProblem& problem)
      : p_(problem),
        in_step_(p_.in_pixel_stride == 0 ? p_.channels : p_.in_pixel_stride),
        out_step_(p_.out_pixel_stride == 0 ? p_.channels : p_.out_pixel_stride),
        row_(HWY_DYNAMIC_DISPATCH(ChoosePoolRow)()) {
    first_column_ = p_.in[2];
    int64_t taps = 0;
    for (int64_t o = 0; o < p_.out[2]; ++o) {
      const Taps inside = TapsInside(p_, 2, o);
      const int64_t start = o * p_.stride[2] - p_.pad_begin[2];
      const int64_t first = start + inside.begin * p_.dilation[2];
      const double count = static_cast<double>(AverageCount(p_, 2, o));
      columns_.push_back({first, inside.count(), count});
      if (inside.count() == 0) continue;
      taps += inside.count();
      first_column_ = std::min(first_column_, first);
      end_column_ = std::max(end_column_, first + (inside.count() - 1) * p_.dilation[2] + 1);
    }
    first_column_ = std::min(first_column_, end_column_);
    for (PoolColumn& column : columns_) {
      if (column.taps == 0) column.first = first_column_;
    }
    const int64_t columns = end_column_ - first_column_;
    const int64_t rows = std::min(p_.kernel[0], p_.in[0]) * std::min(p_.kernel[1], p_.in[1]);
    combine_rows_ = (rows + 1) * columns + taps < rows * taps;
    const int64_t output_rows = p_.batch * p_.out[0] * p_.out[1];
    int64_t blocks = CeilDivide(kUsefulUnits, std::max<int64_t>(output_rows, 1));
    if (combine_rows_) blocks = std::max(blocks, columns * p_.channels / kScratchFloats);
    blocks = std::max<int64_t>(1, std::min(blocks, p_.channels / kBlockMultiple));
    block_ = CeilDivide(CeilDivide(p_.channels, blocks), kBlockMultiple) * kBlockMultiple;
    block_ = std::min(block_, p_.channels);
  }

  size_t scratch_bytes(int threads) const override {
    return static_cast<size_t>(threads) * static_cast<size_t>(ScratchFloats()) * sizeof(float);
  }

  size_t packed_bytes() const override { return columns_.size() * sizeof(PoolColumn); }

  void Run(const Operands& operands) const override {
    if (p_.channels == 0) return;
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    float* scratch = static_cast<float*>(operands.scratch);
    const int64_t blocks = CeilDivide(p_.channels, block_);
    const int64_t units = p_.batch * p_.out[0] * p_.out[1] * blocks;
    const int64_t cost = p_.out[2] * block_ * p_.kernel[1] * p_.kernel[2];
    ForRanges(*operands.threads, units, kGrain / std::max<int64_t>(cost, 1),
              [&](int64_t begin, int64_t end, size_t slot) {
                for (int64_t i = begin; i < end; ++i) {
                  RunRow(x, y, i / blocks, i % blocks * block_,
                         scratch + static_cast<int64_t>(slot) * ScratchFloats());
                }
              });
  }

 private:
  static constexpr int64_t kUsefulUnits = 32;       // rows times blocks of channels, to share
  static constexpr int64_t kBlockMultiple = 64;     // channels
  static constexpr int64_t kScratchFloats = 12288;  // of a combined row: within the first cache
  static constexpr int64_t kGrain = 16384;

  int64_t ScratchFloats() const {
    return combine_rows_ ? CeilDivide((end_column_ - first_column_) * block_, 16) * 16 : 0;
  }

  void RunRow(const float* x, float* y, int64_t row, int64_t channel, float* scratch) const {
    const int64_t o[2] = {row / p_.out[1] % p_.out[0], row % p_.out[1]};
    const int64_t image = row / p_.out[1] / p_.out[0];
    const Taps planes = TapsInside(p_, 0, o[0]);
    const Taps rows = TapsInside(p_, 1, o[1]);
    const int64_t row_step = p_.in[2] * in_step_;
    const int64_t plane_step = p_.in[1] * row_step;
    const bool empty = planes.count() == 0 || rows.count() == 0;
    const int64_t plane = o[0] * p_.stride[0] - p_.pad_begin[0] + planes.begin * p_.dilation[0];
    const int64_t first = o[1] * p_.stride[1] - p_.pad_begin[1] + rows.begin * p_.dilation[1];
    const int64_t offset =
        image * p_.in[0] * plane_step + (empty ? 0 : plane * plane_step + first * row_step);
    const PoolRow job{.x = x + offset + first_column_ * in_step_ + channel,
                      .first_column = first_column_,
                      .planes = empty ? 0 : planes.count(),
                      .plane_step = p_.dilation[0] * plane_step,
                      .rows = rows.count(),
                      .row_step = p_.dilation[1] * row_step,
                      .pixel_step = in_step_,
                      .tap_step = p_.dilation[2] * in_step_,
                      .columns = columns_.data(),
                      .outputs = p_.out[2],
                      .y = y + row * p_.out[2] * out_step_ + channel,
                      .y_step = out_step_,
                      .channels = std::min(block_, p_.channels - channel),
                      .count = static_cast<double>(AverageCount(p_, 0, o[0])) *
                               static_cast<double>(AverageCount(p_, 1, o[1])),
                      .combine_rows = combine_rows_,
                      .row_columns = end_column_ - first_column_,
                      .scratch = scratch};
    row_(p_.kind, job);
  }

  const PoolProblem p_;
  const int64_t in_step_, out_step_;  // between pixels
  void (*const row_)(PoolKind, const PoolRow&);
  std::vector<PoolColumn> columns_;
  int64_t first_column_ = 0;
  int64_t end_column_ = 0;
  bool combine_rows_ = false;
  int64_t block_ = 0;
};

constexpr int64_t kMaxRow = 1 << 24;  // of which each has an entry in a table

Refusal Refuse(const PoolProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  if (!problem.channels_last) return "channels-last only";
  if (problem.kind == PoolKind::kLp) return "maxima and averages only";
  if (problem.out[2] > kMaxRow) return "a row of more than 2^24 outputs";
  if (problem.indices || !problem.values) return "no indices";
  return {};
}

std::unique_ptr<Kernel> Make(const PoolProblem& problem) {
  return std::make_unique<PoolChannels>(problem);
}

}  // namespace

extern const Candidate<PoolProblem> kPoolChannels = {"channels", Refuse, Make};

}  // namespace pleat::kernels
#endif  // HWY_ONCE
