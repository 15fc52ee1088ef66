#include "kernels/instance_norm.h"

#include <cmath>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                    \
  Refusal Refuse##method(const InstanceNormProblem&); \
  std::unique_ptr<Kernel> Make##method(const InstanceNormProblem&);
#include "kernels/instance_norm_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<InstanceNormProblem>> InstanceNormCandidates() {
  static constexpr Candidate<InstanceNormProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/instance_norm_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// In double, one element at a time.
class InstanceNormReference : public Kernel {
 public:
  explicit InstanceNormReference(const InstanceNormProblem& problem) : problem_(problem) {}

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
    const InstanceNormProblem& p = problem_;
    const T* scale = static_cast<const T*>(operands.inputs[1]);
    const T* bias = static_cast<const T*>(operands.inputs[2]);
    const int64_t step = p.channels_last ? p.channels : 1;
    const auto count = static_cast<double>(p.space);
    for (int64_t image = 0; image < p.batch * p.channels; ++image) {
      const int64_t n = image / p.channels, c = image % p.channels;
      const int64_t first = p.channels_last ? n * p.space * p.channels + c : image * p.space;
      const T* x = static_cast<const T*>(operands.inputs[0]) + first;
      T* y = static_cast<T*>(operands.outputs[0]) + first;
      double sum = 0, squares = 0;
      for (int64_t s = 0; s < p.space; ++s) sum += x[s * step];
      const double mean = sum / count;
      for (int64_t s = 0; s < p.space; ++s) {
        squares += (x[s * step] - mean) * (x[s * step] - mean);
      }
      const double deviation = std::sqrt(squares / count + p.epsilon);
      for (int64_t s = 0; s < p.space; ++s) {
        y[s * step] = static_cast<T>((x[s * step] - mean) / deviation * scale[c] + bias[c]);
      }
    }
  }

  InstanceNormProblem problem_;
};

}  // namespace

Refusal RefuseInstanceNormReference(const InstanceNormProblem&) { return {}; }

std::unique_ptr<Kernel> MakeInstanceNormReference(const InstanceNormProblem& problem) {
  return std::make_unique<InstanceNormReference>(problem);
}

}  // namespace pleat::kernels
