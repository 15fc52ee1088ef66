#include "kernels/layer_norm.h"

#include <cmath>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                 \
  Refusal Refuse##method(const LayerNormProblem&); \
  std::unique_ptr<Kernel> Make##method(const LayerNormProblem&);
#include "kernels/layer_norm_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<LayerNormProblem>> LayerNormCandidates() {
  static constexpr Candidate<LayerNormProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/layer_norm_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// In double, one element at a time.
class LayerNormReference : public Kernel {
 public:
  explicit LayerNormReference(const LayerNormProblem& problem) : problem_(problem) {}

  void Run(const Operands& operands) const override {
    if (problem_.type == ElementType::kFloat64) {
      Apply<double>(operands);
    } else {
      Apply<float>(operands);
    }
  }

 private:
  template <class T>
  void Apply(const Operands& operands) const {
    const T* scale = static_cast<const T*>(operands.inputs[1]);
    const T* bias = problem_.has_bias ? static_cast<const T*>(operands.inputs[2]) : nullptr;
    const int64_t length = problem_.length;
    const auto count = static_cast<double>(length);
    for (int64_t row = 0; row < problem_.rows; ++row) {
      const T* x = static_cast<const T*>(operands.inputs[0]) + row * length;
      T* y = static_cast<T*>(operands.outputs[0]) + row * length;
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < length; ++i) sum += x[i];
      const double mean = sum / count;
      for (int64_t i = 0; i < length; ++i) squares += (x[i] - mean) * (x[i] - mean);
      const double deviation = std::sqrt(squares / count + problem_.epsilon);
      for (int64_t i = 0; i < length; ++i) {
        const double scaled = (x[i] - mean) / deviation * scale[i];
        y[i] = static_cast<T>(bias != nullptr ? scaled + bias[i] : scaled);
      }
    }
  }

  LayerNormProblem problem_;
};

}  // namespace

Refusal RefuseLayerNormReference(const LayerNormProblem&) { return {}; }

std::unique_ptr<Kernel> MakeLayerNormReference(const LayerNormProblem& problem) {
  return std::make_unique<LayerNormReference>(problem);
}

}  // namespace pleat::kernels
