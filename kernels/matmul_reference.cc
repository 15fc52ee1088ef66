#include <algorithm>

#include "kernels/conv_geometry.h"
#include "kernels/half.h"
#include "kernels/matmul.h"

namespace pleat::kernels {
namespace {

// The definition as plain loops, in double whatever the storage.
template <class T>
class ReferenceMatMul final : public Kernel {
 public:
  explicit ReferenceMatMul(const MatMulProblem& problem) : p_(problem) {
    if (p_.weight_layout != WeightLayout::kPanels16Half) return;
    const auto* halves = static_cast<const Float16*>(p_.weights);
    const auto count = static_cast<size_t>(PanelElements(p_.k, p_.n));
    widened_.resize(count + 1);  // never null, which would mean an operand
    for (size_t i = 0; i < count; ++i) widened_[i] = ToFloat(halves[i]);
    p_.weights = widened_.data();
    p_.weight_layout = WeightLayout::kPanels16;
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<T>(p_, operands);
    const auto rows = static_cast<size_t>(p_.m) * p_.a_offsets.size();
    operands.threads->ParallelFor(
        rows, [&](size_t row, size_t) { Row(static_cast<int64_t>(row), taken); });
  }

 private:
  // Place of w[k][n], 16 columns at a time being `step` apart.
  const T* Weights(const T* w, int64_t k, int64_t n) const {
    if (p_.weight_layout == WeightLayout::kPanels16) return w + (n * p_.k + k * kPanelWidth);
    return p_.transpose_b ? w + (n * p_.k + k) : w + (k * p_.n + n);
  }

  void Row(int64_t row, const ProductOperands<T>& taken) const {
    const int64_t m = row % p_.m;
    const auto product = static_cast<size_t>(row / p_.m);
    const T* a = taken.x + p_.a_offsets[product] + m * (p_.transpose_a ? 1 : p_.k);
    const int64_t a_step = p_.transpose_a ? p_.m : 1;
    const T* w = taken.w + p_.b_offsets[product];
    const bool strided = p_.transpose_b && p_.weight_layout == WeightLayout::kOnnx;
    const int64_t w_step = strided ? p_.k : 1;
    for (int64_t n = 0; n < p_.n; n += kPanelWidth) {
      const int64_t width = std::min(kPanelWidth, p_.n - n);
      double sums[kPanelWidth] = {};
      for (int64_t k = 0; k < p_.k; ++k) {
        const double value = a[k * a_step];
        const T* source = Weights(w, k, n);
        for (int64_t i = 0; i < width; ++i) sums[i] += value * source[i * w_step];
      }
      for (int64_t i = 0; i < width; ++i) {
        double sum = p_.alpha * sums[i];
        if (taken.bias != nullptr) {
          sum += p_.beta * taken.bias[m * p_.bias_stride_m + (n + i) * p_.bias_stride_n];
        }
        if (taken.residual != nullptr) sum += taken.residual[row * p_.n + n + i];
        taken.y[row * p_.n + n + i] =
            static_cast<T>(ApplyUnary(p_.activation.kind, p_.activation.a, p_.activation.b, sum));
      }
    }
  }

  MatMulProblem p_;
  std::vector<T> widened_;
};

std::unique_ptr<Kernel> Make(const MatMulProblem& p) {
  if (p.type == ElementType::kFloat64) return std::make_unique<ReferenceMatMul<double>>(p);
  return std::make_unique<ReferenceMatMul<float>>(p);
}

}  // namespace

extern const Candidate<MatMulProblem> kMatMulReference;
const Candidate<MatMulProblem> kMatMulReference = {
    "reference", [](const MatMulProblem&) { return Refusal(); }, Make};

}  // namespace pleat::kernels
