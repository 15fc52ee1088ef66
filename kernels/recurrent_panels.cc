// float32: for some steps at a time the inputs' product is one matrix product, then each step adds
// its state's product and finishes the cell in vectors. Every gate's weights lie in whole panels of
// 16 units, so that gates are rows of their own. Sequences and directions are shared out among
// threads; where there is only one, the columns of large products are.
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/conv_geometry.h"
#include "kernels/gemm.h"
#include "kernels/matmul.h"
#include "kernels/recurrent.h"
#include "kernels/recurrent_rows.h"
#include "kernels/unary.h"

namespace pleat::kernels {
namespace {

constexpr size_t kBlockRows = 128;       // steps times sequences whose inputs are multiplied at once
constexpr double kWorkToShare = 200000;  // multiply-adds of a product

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

class RecurrentPanels final : public Kernel {
 public:
  explicit RecurrentPanels(const RecurrentProblem& problem)
      : p_(problem),
        gates_(static_cast<size_t>(GateCount(p_.kind))),
        inputs_(static_cast<size_t>(p_.inputs)),
        hidden_(static_cast<size_t>(p_.hidden)),
        padded_((hidden_ + 15) / 16 * 16),
        row_(gates_ * padded_),
        gemm_(BestGemm()),
        rows_(BestRecurrentRows()) {
    const auto pack = [&](const void* from, size_t columns) {
      if (from == nullptr) return hwy::AlignedFreeUniquePtr<float[]>();
      auto packed = hwy::AllocateAligned<float>(directions() * row_ * columns + 1);
      Pack(static_cast<const float*>(from), columns, packed.get());
      return packed;
    };
    packed_w_ = pack(p_.w, inputs_);
    packed_r_ = pack(p_.r, hidden_);
  }

  size_t packed_bytes() const override {
    size_t bytes = 0;
    if (packed_w_ != nullptr) bytes += directions() * row_ * inputs_ * sizeof(float);
    if (packed_r_ != nullptr) bytes += directions() * row_ * hidden_ * sizeof(float);
    return bytes;
  }

  size_t scratch_bytes(int threads) const override {
    return SharedBytes() + static_cast<size_t>(threads) * SlotBytes();
  }

  void Run(const Operands& operands) const override {
    const RecurrentOperands<float> taken(p_, operands);
    auto* scratch = static_cast<std::byte*>(operands.scratch);
    const float* w = packed_w_.get();
    const float* r = packed_r_.get();
    const auto pack_now = [&](const float* from, size_t columns) {
      auto* packed = reinterpret_cast<float*>(scratch);
      Pack(from, columns, packed);
      scratch += PackedBytes(columns);
      return packed;
    };
    if (w == nullptr) w = pack_now(taken.w, inputs_);
    if (r == nullptr) r = pack_now(taken.r, hidden_);
    const auto batch = static_cast<size_t>(p_.batch);
    const auto threads = static_cast<size_t>(operands.threads->threads());
    const size_t parts = std::clamp<size_t>(threads / directions(), 1, std::max<size_t>(batch, 1));
    const size_t jobs = directions() * parts;
    const auto job = [&](size_t index, std::byte* memory, ThreadPool* pool) {
      const size_t d = index / parts;
      const Range range = PartOf(batch, parts, index % parts);
      if (range.begin == range.end) return;
      Sequences(taken, Weights{w + d * row_ * inputs_, r + d * row_ * hidden_}, d, range, memory,
                pool);
    };
    if (jobs == 1) {
      job(0, scratch, operands.threads);
    } else {
      operands.threads->ParallelFor(jobs, [&](size_t index, size_t slot) {
        job(index, scratch + slot * SlotBytes(), nullptr);
      });
    }
  }

 private:
  struct Weights {
    const float *w, *r;  // panels of one direction
  };
  // Rows of `padded_` or `row_` floats for the sequences of one job.
  struct Memory {
    float *h, *c, *gated, *fed, *gates, *state;
    float *bias, *state_bias, *peepholes;
  };

  size_t directions() const { return static_cast<size_t>(p_.directions); }
  size_t PackedBytes(size_t columns) const {
    return RoundUp(directions() * row_ * columns * sizeof(float));
  }
  size_t SharedBytes() const {
    return (packed_w_ == nullptr ? PackedBytes(inputs_) : 0) +
           (packed_r_ == nullptr ? PackedBytes(hidden_) : 0);
  }
  size_t BlockSteps(size_t batch) const {
    const size_t steps = std::max<size_t>(kBlockRows / std::max<size_t>(batch, 1), 1);
    return std::min(steps, static_cast<size_t>(p_.steps));
  }
  size_t SlotBytes() const {
    const auto batch = static_cast<size_t>(p_.batch);
    // A part of the batch may have longer blocks than the whole.
    const size_t fed = std::max(kBlockRows, batch) * row_;
    return (fed + batch * (2 * row_ + 3 * padded_) + 2 * row_ + 3 * padded_) * sizeof(float);
  }
  Memory Carve(std::byte* from, size_t batch) const {
    auto* next = reinterpret_cast<float*>(from);
    const auto take = [&](size_t count) { return std::exchange(next, next + count); };
    Memory memory;
    memory.h = take(batch * padded_);
    memory.c = take(batch * padded_);
    memory.gated = take(batch * padded_);
    memory.gates = take(batch * row_);
    memory.state = take(batch * row_);
    memory.bias = take(row_);
    memory.state_bias = take(row_);
    memory.peepholes = take(3 * padded_);
    memory.fed = take(std::max(kBlockRows, batch) * row_);
    return memory;
  }

  // [directions][gates * hidden][columns] to panels [directions][gates][padded / 16][columns][16].
  void Pack(const float* from, size_t columns, float* to) const {
    for (size_t gate = 0; gate < directions() * gates_; ++gate) {
      PackPanels(static_cast<int64_t>(columns), p_.hidden, true, from + gate * hidden_ * columns,
                 to + gate * padded_ * columns);
    }
  }

  // `count` groups of `hidden_` numbers to rows of `padded_`, zero beyond; zeros where from is null.
  void Spread(const float* from, size_t count, float* to) const {
    for (size_t i = 0; i < count; ++i, to += padded_) {
      std::fill_n(to, padded_, 0.0f);
      if (from != nullptr) std::copy_n(from + i * hidden_, hidden_, to);
    }
  }

  void Sequences(const RecurrentOperands<float>& taken, const Weights& weights, size_t d,
                 Range range, std::byte* scratch, ThreadPool* pool) const {
    const size_t batch = range.end - range.begin;
    const Memory memory = Carve(scratch, batch);
    const auto direction = static_cast<int64_t>(d);
    PrepareDirection(taken, d, memory);
    for (size_t i = 0; i < batch; ++i) {
      const int64_t state = p_.StateOffset(direction, static_cast<int64_t>(range.begin + i));
      const auto at = [&](const float* states) { return states ? states + state : nullptr; };
      Spread(at(taken.h), 1, memory.h + i * padded_);
      Spread(at(taken.c), 1, memory.c + i * padded_);
    }
    const size_t steps = static_cast<size_t>(p_.steps), block = BlockSteps(batch);
    for (size_t first = 0; first < steps; first += block) {
      const size_t count = std::min(block, steps - first);
      Feed(taken, weights, d, range, first, count, memory, pool);
      for (size_t s = 0; s < count; ++s) {
        float* fed = memory.fed + s * batch * row_;
        Advance(taken, weights, d, range, static_cast<int64_t>(first + s), fed, memory, pool);
      }
    }
    for (size_t i = 0; i < batch; ++i) {
      const int64_t state = p_.StateOffset(direction, static_cast<int64_t>(range.begin + i));
      if (taken.last_h) std::copy_n(memory.h + i * padded_, hidden_, taken.last_h + state);
      if (taken.last_c) std::copy_n(memory.c + i * padded_, hidden_, taken.last_c + state);
    }
  }

  // Both biases in one, except where Gru resets the state's product with its own.
  void PrepareDirection(const RecurrentOperands<float>& taken, size_t d,
                        const Memory& memory) const {
    const float* bias = taken.bias ? taken.bias + d * 2 * gates_ * hidden_ : nullptr;
    Spread(bias, gates_, memory.bias);
    Spread(bias ? bias + gates_ * hidden_ : nullptr, gates_, memory.state_bias);
    const size_t merged = (SplitsGates() && p_.linear_before_reset ? 2 : gates_) * padded_;
    for (size_t i = 0; i < merged; ++i) memory.bias[i] += memory.state_bias[i];
    if (taken.peepholes) Spread(taken.peepholes + d * 3 * hidden_, 3, memory.peepholes);
  }
  // Whether the last gate's state product is apart from the others'.
  bool SplitsGates() const { return p_.kind == RecurrentKind::kGru; }

  // The position in its sequence of what is processed at step s.
  int64_t Position(const RecurrentOperands<float>& taken, size_t d, int64_t b, int64_t s) const {
    if (!p_.Backwards(static_cast<int64_t>(d))) return s;
    const int64_t length = taken.Length(p_, b);
    return s < length ? length - 1 - s : s;
  }

  // fed[s][b] = W x + bias for `count` steps from `first`.
  void Feed(const RecurrentOperands<float>& taken, const Weights& weights, size_t d, Range range,
            size_t first, size_t count, const Memory& memory, ThreadPool* pool) const {
    const size_t batch = range.end - range.begin, total = count * batch;
    constexpr size_t kRows = 64;
    const auto multiply = [&](size_t begin, size_t end, size_t column, size_t columns) {
      for (; begin < end; begin += kRows) {
        const float* pointers[kRows];
        const size_t rows = std::min(kRows, end - begin);
        for (size_t i = 0; i < rows; ++i) {
          const auto b = static_cast<int64_t>(range.begin + (begin + i) % batch);
          const auto s = static_cast<int64_t>(first + (begin + i) / batch);
          pointers[i] = taken.x + Position(taken, d, b, s) * p_.x_step() + b * p_.x_batch();
        }
        BlockJob job = Job(pointers, rows, inputs_, weights.w, column, columns);
        job.init = memory.bias + column;
        job.y = memory.fed + begin * row_ + column;
        gemm_.multiply(job);
      }
    };
    const double work = static_cast<double>(total * row_) * static_cast<double>(inputs_);
    if (pool == nullptr || pool->threads() == 1 || work < kWorkToShare) {
      return multiply(0, total, 0, row_);
    }
    const SplitRequest request{.m = total, .block_rows = kRows,
                               .units = (row_ + gemm_.columns - 1) / gemm_.columns,
                               .columns = gemm_.columns, .steps = inputs_,
                               .row_bytes = inputs_ * sizeof(float),
                               .unit_bytes = gemm_.columns * inputs_ * sizeof(float)};
    const Split split = SplitProduct(gemm_, request, pool->threads());
    pool->ParallelFor(split.m_parts * split.n_parts, [&](size_t index, size_t) {
      const Range rows = PartOf(total, split.m_parts, index / split.n_parts);
      const Range columns = Columns(row_, split.n_parts, index % split.n_parts);
      multiply(rows.begin, rows.end, columns.begin, columns.end - columns.begin);
    });
  }

  Range Columns(size_t count, size_t parts, size_t index) const {
    const Range units = PartOf((count + gemm_.columns - 1) / gemm_.columns, parts, index);
    return {std::min(units.begin * gemm_.columns, count), std::min(units.end * gemm_.columns, count)};
  }

  BlockJob Job(const float* const* rows, size_t row_count, size_t sum, const float* panels,
               size_t column, size_t columns) const {
    BlockJob job{};
    job.rows = rows;
    job.row_count = row_count;
    job.taps = 1;
    job.count = sum;
    job.panels = panels + column * sum;
    job.panel_step = sum * kPanelWidth;
    job.columns = columns;
    job.y_step = row_;
    job.residual_step = row_;
    job.low = -std::numeric_limits<float>::infinity();
    job.high = std::numeric_limits<float>::infinity();
    return job;
  }

  // y[b] = R state[b] (+ bias) (+ residual[b]) for the gates in [column, column + columns).
  void MultiplyState(const Weights& weights, const float* state, size_t batch, size_t column,
                     size_t columns, const float* bias, const float* residual, float* y,
                     ThreadPool* pool) const {
    constexpr size_t kRows = 64;
    const auto multiply = [&](size_t begin, size_t count) {
      for (size_t first = 0; first < batch; first += kRows) {
        const float* pointers[kRows];
        const size_t rows = std::min(kRows, batch - first);
        for (size_t i = 0; i < rows; ++i) pointers[i] = state + (first + i) * padded_;
        BlockJob job = Job(pointers, rows, hidden_, weights.r, begin, count);
        if (bias) job.init = bias + begin;
        if (residual) job.residual = residual + first * row_ + begin;
        job.y = y + first * row_ + begin;
        gemm_.multiply(job);
      }
    };
    const double work = static_cast<double>(batch * columns) * static_cast<double>(hidden_);
    if (pool == nullptr || pool->threads() == 1 || work < kWorkToShare) {
      return multiply(column, columns);
    }
    const auto parts = static_cast<size_t>(pool->threads());
    pool->ParallelFor(parts, [&](size_t index, size_t) {
      const Range range = Columns(columns, parts, index);
      if (range.end > range.begin) multiply(column + range.begin, range.end - range.begin);
    });
  }

  void Apply(size_t d, size_t index, float* x, size_t count) const {
    if (p_.clip > 0) rows_.clip(static_cast<float>(p_.clip), x, count);
    ApplyActivation(p_.activations[d * ActivationCount(p_.kind) + index], x, count);
  }

  // One step of every sequence.
  void Advance(const RecurrentOperands<float>& taken, const Weights& weights, size_t d, Range range,
               int64_t s, float* fed, const Memory& memory, ThreadPool* pool) const {
    const size_t batch = range.end - range.begin;
    const size_t together = SplitsGates() ? 2 * padded_ : row_;
    MultiplyState(weights, memory.h, batch, 0, together, nullptr, fed, memory.gates, pool);
    if (SplitsGates()) Reset(weights, d, batch, fed, memory, pool);
    for (size_t i = 0; i < batch; ++i) {
      const auto b = static_cast<int64_t>(range.begin + i);
      const bool ended = s >= taken.Length(p_, b);
      float* h = memory.h + i * padded_;
      float* gates = memory.gates + i * row_;
      if (!ended && p_.kind == RecurrentKind::kRnn) {
        Apply(d, 0, gates, padded_);
        std::copy_n(gates, padded_, h);
      } else if (!ended && p_.kind == RecurrentKind::kGru) {
        Apply(d, 1, gates + 2 * padded_, padded_);
        rows_.mix(gates, gates + 2 * padded_, h, padded_);
      } else if (!ended) {
        FinishLstm(d, gates, taken.peepholes ? memory.peepholes : nullptr,
                   memory.c + i * padded_, h);
      }
      if (taken.y == nullptr) continue;
      const int64_t step = Position(taken, d, b, s);
      float* y = taken.y + p_.YOffset(step, static_cast<int64_t>(d), b);
      if (ended) {
        std::fill_n(y, hidden_, 0.0f);
      } else {
        std::copy_n(h, hidden_, y);
      }
    }
  }

  // Gru: z and r become final, the third gate the sum that goes into its activation.
  void Reset(const Weights& weights, size_t d, size_t batch, const float* fed, const Memory& memory,
             ThreadPool* pool) const {
    for (size_t i = 0; i < batch; ++i) {
      float* gates = memory.gates + i * row_;
      Apply(d, 0, gates, 2 * padded_);
      rows_.mul(gates + padded_, memory.h + i * padded_, memory.gated + i * padded_, padded_);
    }
    const size_t third = 2 * padded_;
    if (!p_.linear_before_reset) {
      return MultiplyState(weights, memory.gated, batch, third, padded_, nullptr, fed, memory.gates,
                           pool);
    }
    MultiplyState(weights, memory.h, batch, third, padded_, memory.state_bias, nullptr,
                  memory.state, pool);
    for (size_t i = 0; i < batch; ++i) {
      float* gates = memory.gates + i * row_;
      std::copy_n(fed + i * row_ + third, padded_, gates + third);
      rows_.mul_add(gates + padded_, memory.state + i * row_ + third, gates + third, padded_);
    }
  }

  void FinishLstm(size_t d, float* gates, const float* peepholes, float* c, float* h) const {
    float *i = gates, *o = gates + padded_, *f = gates + 2 * padded_, *g = gates + 3 * padded_;
    if (peepholes) {
      rows_.mul_add(peepholes, c, i, padded_);
      rows_.mul_add(peepholes + 2 * padded_, c, f, padded_);
    }
    Apply(d, 0, i, padded_);
    if (p_.input_forget) {
      rows_.rest(i, f, padded_);
    } else {
      Apply(d, 0, f, padded_);
    }
    Apply(d, 1, g, padded_);
    rows_.cell(f, i, g, c, padded_);
    if (peepholes) rows_.mul_add(peepholes + padded_, c, o, padded_);
    Apply(d, 0, o, padded_);
    std::copy_n(c, padded_, h);
    Apply(d, 2, h, padded_);
    rows_.mul(o, h, h, padded_);
  }

  const RecurrentProblem p_;
  const size_t gates_, inputs_, hidden_, padded_;
  const size_t row_;  // all gates of one step of one sequence
  const Gemm gemm_;
  const RecurrentRows rows_;
  hwy::AlignedFreeUniquePtr<float[]> packed_w_, packed_r_;
};

}  // namespace

Refusal RefuseRecurrentPanels(const RecurrentProblem& problem) {
  return problem.type == ElementType::kFloat32 ? "" : "float32 only";
}

std::unique_ptr<Kernel> MakeRecurrentPanels(const RecurrentProblem& problem) {
  return std::make_unique<RecurrentPanels>(problem);
}

}  // namespace pleat::kernels
