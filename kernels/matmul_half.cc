// Matrix product of a few rows and weights that are kept as float16, read in place.
#include <algorithm>
#include <vector>

#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/half_rows.h"
#include "kernels/matmul.h"

namespace pleat::kernels {
namespace {

// Widening each weight anew for every row costs more than reading float32 does from here on.
constexpr int64_t kMaxRows = 4;
// Panels whose weights stay in the cache while the rows go by.
constexpr size_t kCachedPanels = 8;

class HalfMatMul final : public Kernel {
 public:
  explicit HalfMatMul(const MatMulProblem& p)
      : p_(p),
        panels_(static_cast<size_t>(CeilDiv(p.n, kPanelWidth))),
        row_(BestHalfRow()),
        gemm_(BestGemm()),
        epilogue_(p.activation) {
    if (!p.has_bias) return;
    bias_.resize(panels_ * kPanelWidth);
    const auto beta = static_cast<float>(p.beta);
    const auto* bias = static_cast<const float*>(p.bias);
    for (int64_t n = 0; n < p.n; ++n) {
      bias_[static_cast<size_t>(n)] = bias[n * p.bias_stride_n] * beta;
    }
  }

  size_t packed_bytes() const override { return bias_.size() * sizeof(float); }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    if (p_.m == 0 || p_.n == 0) return;
    const auto k = static_cast<size_t>(p_.k);
    ThreadPool& threads = *operands.threads;
    const SplitRequest request{.m = 1, .block_rows = 1, .units = panels_, .columns = kPanelWidth,
                               .steps = k, .row_bytes = k * sizeof(float),
                               .unit_bytes = kPanelWidth * k * sizeof(Float16)};
    const size_t parts = SplitProduct(gemm_, request, threads.threads()).n_parts;
    threads.ParallelFor(parts, [&](size_t part, size_t) {
      const Range range = PartOf(panels_, parts, part);
      for (size_t panel = range.begin; panel < range.end; panel += kCachedPanels) {
        const size_t end = std::min(range.end, panel + kCachedPanels);
        for (size_t m = 0; m < static_cast<size_t>(p_.m); ++m) Row(taken, m, panel, end);
      }
    });
  }

 private:
  void Row(const ProductOperands<float>& taken, size_t m, size_t panel, size_t panel_end) const {
    const auto n = static_cast<size_t>(p_.n), k = static_cast<size_t>(p_.k);
    const size_t column = panel * kPanelWidth;
    HalfRowJob job{};
    job.row = taken.x + m * k;
    job.count = k;
    job.panels = static_cast<const Float16*>(p_.weights) + column * k;
    if (!bias_.empty()) job.init = bias_.data() + column;
    job.columns = std::min<size_t>(n, panel_end * kPanelWidth) - column;
    job.y = taken.y + m * n + column;
    if (taken.residual != nullptr) job.residual = taken.residual + m * n + column;
    job.low = epilogue_.low;
    job.high = epilogue_.high;
    row_(job);
    epilogue_.Finish(job.y, 1, job.columns, n);
  }

  const MatMulProblem p_;
  const size_t panels_;
  const HalfRowFunction row_;
  const Gemm gemm_;
  const Epilogue epilogue_;
  std::vector<float> bias_;  // whole panels, beta multiplied in
};

Refusal Refuse(const MatMulProblem& p) {
  if (p.weight_layout != WeightLayout::kPanels16Half) return "weights are not float16";
  if (p.a_offsets.size() != 1 || p.alpha != 1) return "several products, or alpha";
  if (p.transpose_a && p.m != 1) return "a is transposed";
  if (p.has_bias && (p.bias == nullptr || p.bias_stride_m != 0)) {
    return "c is computed or varies by row";
  }
  if (p.m > kMaxRows && p.select.only == nullptr) {
    return "many rows: weights are widened once";
  }
  return {};
}

}  // namespace

extern const Candidate<MatMulProblem> kMatMulHalfRows;
const Candidate<MatMulProblem> kMatMulHalfRows = {
    "half_rows", Refuse, [](const MatMulProblem& p) -> std::unique_ptr<Kernel> {
      return std::make_unique<HalfMatMul>(p);
    }};

}  // namespace pleat::kernels
