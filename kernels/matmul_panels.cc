// Matrix product on panels of 16 columns: a constant right side is read in place or packed once
// (float16 is widened), any other is packed at the start of each run. alpha is multiplied into the
// panels, beta into c.
#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/half.h"
#include "kernels/matmul.h"
#include "kernels/split.h"

namespace pleat::kernels {
namespace {

constexpr size_t kBlockBytes = 192 * 1024;  // of a, that a block of rows reads
// With fewer rows, reading b anew for each block costs more than a does.
constexpr size_t kMinBlockRows = 256;
constexpr size_t kMaxBlockRows = 1024;

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Hands out a run's scratch memory piece by piece.
struct Scratch {
  std::byte* next;
  template <class T>
  T* Take(size_t count) {
    T* taken = reinterpret_cast<T*>(next);
    next += RoundUp(count * sizeof(T));
    return taken;
  }
};

class PanelMatMul final : public Kernel {
 public:
  explicit PanelMatMul(const MatMulProblem& p)
      : p_(p),
        m_(static_cast<size_t>(p.m)),
        n_(static_cast<size_t>(p.n)),
        k_(static_cast<size_t>(p.k)),
        products_(p.a_offsets.size()),
        gemm_(BestGemm()),
        epilogue_(p.activation) {
    const bool one_b = std::ranges::all_of(p.b_offsets, [](int64_t o) { return o == 0; });
    in_place_ = p.weight_layout == WeightLayout::kPanels16 && p.alpha == 1 && one_b;
    if (p.weights != nullptr && one_b && !in_place_) {
      packed_ = hwy::AllocateAligned<float>(PanelCount() + 1);
      for (size_t panel = 0; panel < Panels(); ++panel) {
        if (p.weight_layout == WeightLayout::kPanels16Half) {
          WidenPanel(static_cast<const Float16*>(p.weights), panel, packed_.get());
        } else {
          PackPanel(static_cast<const float*>(p.weights), panel, packed_.get());
        }
      }
    }
    row_bias_ = p.has_bias && p.bias_stride_m == 0;
    if (row_bias_ && p.bias != nullptr) {
      bias_.resize(Panels() * kPanelWidth);
      FillBias(static_cast<const float*>(p.bias), bias_.data());
    }
    block_rows_ =
        std::clamp(kBlockBytes / (4 * std::max<size_t>(1, k_)), kMinBlockRows, kMaxBlockRows);
  }

  size_t scratch_bytes(int threads) const override {
    size_t bytes = 0;
    if (row_bias_ && bias_.empty()) bytes += RoundUp(Panels() * kPanelWidth * sizeof(float));
    if (FullBias()) bytes += RoundUp(products_ * m_ * n_ * sizeof(float));
    const size_t slots = products_ == 1 ? 1 : static_cast<size_t>(threads);
    bytes += slots * ProductBytes();
    return bytes + static_cast<size_t>(threads) * RoundUp(block_rows_ * sizeof(const float*));
  }
  size_t packed_bytes() const override {
    return (packed_ ? PanelCount() * sizeof(float) : 0) + bias_.size() * sizeof(float);
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    if (m_ == 0 || n_ == 0 || products_ == 0) return;
    ThreadPool& threads = *operands.threads;
    Scratch scratch{static_cast<std::byte*>(operands.scratch)};
    Job job{.taken = taken, .bias = bias_.empty() ? nullptr : bias_.data()};
    if (row_bias_ && bias_.empty()) {
      float* bias = scratch.Take<float>(Panels() * kPanelWidth);
      FillBias(taken.bias, bias);
      job.bias = bias;
    }
    job.addend = taken.residual;
    if (FullBias()) {
      float* addend = scratch.Take<float>(products_ * m_ * n_);
      FillAddend(taken, threads, addend);
      job.addend = addend;
    }
    std::byte* const products = scratch.next;
    std::byte* const rows =
        products + (products_ == 1 ? 1 : static_cast<size_t>(threads.threads())) * ProductBytes();
    const size_t row_bytes = RoundUp(block_rows_ * sizeof(const float*));
    if (products_ > 1) {
      threads.ParallelFor(products_, [&](size_t product, size_t slot) {
        Product(job, product, 1, {products + slot * ProductBytes()},
                [&](size_t count, const auto& body) {
                  for (size_t i = 0; i < count; ++i) body(i, rows + slot * row_bytes);
                });
      });
      return;
    }
    Product(job, 0, threads.threads(), {products}, [&](size_t count, const auto& body) {
      threads.ParallelFor(count, [&](size_t i, size_t slot) { body(i, rows + slot * row_bytes); });
    });
  }

 private:
  struct Job {
    ProductOperands<float> taken;
    const float* bias;    // whole panels, beta multiplied in
    const float* addend;  // [products][m][n]
  };

  size_t Panels() const { return (n_ + kPanelWidth - 1) / kPanelWidth; }
  size_t PanelCount() const { return Panels() * k_ * kPanelWidth; }
  bool PacksWeights() const { return !in_place_ && packed_ == nullptr; }
  // c varies from row to row and has to be added as a residual is.
  bool FullBias() const { return p_.has_bias && !row_bias_; }
  // Scratch that one product needs.
  size_t ProductBytes() const {
    size_t bytes = 0;
    if (PacksWeights()) bytes += RoundUp(PanelCount() * sizeof(float));
    if (p_.transpose_a) bytes += RoundUp(m_ * k_ * sizeof(float));
    return bytes;
  }

  void PackPanel(const float* from, size_t panel, float* packed) const {
    const auto column = static_cast<int64_t>(panel * kPanelWidth);
    const auto width = static_cast<size_t>(std::min<int64_t>(kPanelWidth, p_.n - column));
    const auto alpha = static_cast<float>(p_.alpha);
    float* to = packed + panel * k_ * kPanelWidth;
    if (p_.weight_layout == WeightLayout::kPanels16) {
      const float* source = from + panel * k_ * kPanelWidth;
      for (size_t i = 0; i < k_ * kPanelWidth; ++i) to[i] = source[i] * alpha;
      return;
    }
    const size_t row_step = p_.transpose_b ? 1 : n_, column_step = p_.transpose_b ? k_ : 1;
    from += static_cast<size_t>(column) * column_step;
    for (size_t row = 0; row < k_; ++row, to += kPanelWidth, from += row_step) {
      for (size_t i = 0; i < width; ++i) to[i] = from[i * column_step] * alpha;
      std::fill(to + width, to + kPanelWidth, 0.0f);
    }
  }

  void WidenPanel(const Float16* from, size_t panel, float* packed) const {
    const size_t numbers = k_ * kPanelWidth, place = panel * numbers;
    const auto alpha = static_cast<float>(p_.alpha);
    for (size_t i = place; i < place + numbers; ++i) packed[i] = ToFloat(from[i]) * alpha;
  }

  void FillBias(const float* bias, float* padded) const {
    std::fill_n(padded, Panels() * kPanelWidth, 0.0f);
    const auto beta = static_cast<float>(p_.beta);
    for (int64_t n = 0; n < p_.n; ++n) padded[n] = bias[n * p_.bias_stride_n] * beta;
  }

  void FillAddend(const ProductOperands<float>& taken, ThreadPool& threads, float* addend) const {
    const auto beta = static_cast<float>(p_.beta);
    const auto rows = static_cast<int64_t>(products_ * m_);
    ForRanges(threads, rows, 4096 / p_.n + 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t row = begin; row < end; ++row) {
        const float* bias = taken.bias + row % p_.m * p_.bias_stride_m;
        for (int64_t n = 0; n < p_.n; ++n) {
          const float value = bias[n * p_.bias_stride_n] * beta;
          const int64_t place = row * p_.n + n;
          addend[place] = taken.residual == nullptr ? value : value + taken.residual[place];
        }
      }
    });
  }

  // `loop(count, body)` calls body(i, room for row pointers) for every i below count.
  template <class Loop>
  void Product(const Job& job, size_t product, int threads, Scratch scratch,
               const Loop& loop) const {
    const float* a = job.taken.x + p_.a_offsets[product];
    const float* panels = job.taken.w + p_.b_offsets[product];
    if (packed_ != nullptr) panels = packed_.get();
    if (PacksWeights()) {
      float* packed = scratch.Take<float>(PanelCount());
      const float* from = panels;
      loop(Panels(), [&](size_t panel, std::byte*) { PackPanel(from, panel, packed); });
      panels = packed;
    }
    if (p_.transpose_a) {
      float* rows = scratch.Take<float>(m_ * k_);
      const float* from = a;
      const size_t parts = std::min<size_t>(m_, static_cast<size_t>(threads) * 4);
      loop(parts, [&](size_t part, std::byte*) {
        const Range range = PartOf(m_, parts, part);
        for (size_t k = 0; k < k_; ++k) {
          for (size_t m = range.begin; m < range.end; ++m) rows[m * k_ + k] = from[k * m_ + m];
        }
      });
      a = rows;
    }
    const SplitRequest request{.m = m_, .block_rows = block_rows_, .units = Panels(),
                               .columns = kPanelWidth, .steps = k_,
                               .row_bytes = k_ * sizeof(float),
                               .unit_bytes = kPanelWidth * k_ * sizeof(float)};
    const Split split = SplitProduct(gemm_, request, threads);
    loop(split.m_parts * split.n_parts, [&](size_t index, std::byte* room) {
      const Range rows = PartOf(m_, split.m_parts, index / split.n_parts);
      const Range unit = PartOf(Panels(), split.n_parts, index % split.n_parts);
      const size_t column = unit.begin * kPanelWidth;
      const size_t columns = std::min<size_t>(n_, unit.end * kPanelWidth) - column;
      const size_t count = rows.end - rows.begin;
      auto** pointers = reinterpret_cast<const float**>(room);
      for (size_t i = 0; i < count; ++i) pointers[i] = a + (rows.begin + i) * k_;
      const size_t place = (product * m_ + rows.begin) * n_ + column;
      BlockJob block{};
      block.rows = pointers;
      block.row_count = count;
      block.taps = 1;
      block.count = k_;
      block.panels = panels + column * k_;
      block.panel_step = k_ * kPanelWidth;
      if (job.bias != nullptr) block.init = job.bias + column;
      block.columns = columns;
      block.y = job.taken.y + place;
      block.y_step = n_;
      if (job.addend != nullptr) block.residual = job.addend + place;
      block.residual_step = n_;
      block.low = epilogue_.low;
      block.high = epilogue_.high;
      gemm_.multiply(block);
      epilogue_.Finish(block.y, count, columns, n_);
    });
  }

  const MatMulProblem p_;
  const size_t m_, n_, k_, products_;
  const Gemm gemm_;
  const Epilogue epilogue_;
  bool in_place_, row_bias_;
  size_t block_rows_;
  std::vector<float> bias_;
  hwy::AlignedFreeUniquePtr<float[]> packed_;
};

Refusal Refuse(const MatMulProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  return {};
}

}  // namespace

extern const Candidate<MatMulProblem> kMatMulPanels;
const Candidate<MatMulProblem> kMatMulPanels = {
    "panels", Refuse, [](const MatMulProblem& p) -> std::unique_ptr<Kernel> {
      return std::make_unique<PanelMatMul>(p);
    }};

}  // namespace pleat::kernels
