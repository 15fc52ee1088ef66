#include "kernels/local_response_norm.h"

#include <cmath>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                         \
  Refusal Refuse##method(const LocalResponseNormProblem&); \
  std::unique_ptr<Kernel> Make##method(const LocalResponseNormProblem&);
#include "kernels/local_response_norm_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<LocalResponseNormProblem>> LocalResponseNormCandidates() {
  static constexpr Candidate<LocalResponseNormProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/local_response_norm_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// In double, one element at a time.
class LocalResponseNormReference : public Kernel {
 public:
  explicit LocalResponseNormReference(const LocalResponseNormProblem& problem)
      : problem_(problem) {}

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
    const LocalResponseNormProblem& p = problem_;
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    const double alpha = p.alpha / static_cast<double>(p.size);
    for (int64_t i = 0; i < p.outer * p.channels * p.inner; ++i) {
      const int64_t c = i / p.inner % p.channels;
      const int64_t first = std::max<int64_t>(c - p.before(), 0);
      const int64_t last = std::min(c + p.after(), p.channels - 1);
      double squares = 0;
      for (int64_t k = first; k <= last; ++k) {
        const double value = x[i + (k - c) * p.inner];
        squares += value * value;
      }
      y[i] = static_cast<T>(x[i] / std::pow(p.bias + alpha * squares, p.beta));
    }
  }

  LocalResponseNormProblem problem_;
};

}  // namespace

Refusal RefuseLocalResponseNormReference(const LocalResponseNormProblem&) { return {}; }

std::unique_ptr<Kernel> MakeLocalResponseNormReference(const LocalResponseNormProblem& problem) {
  return std::make_unique<LocalResponseNormReference>(problem);
}

}  // namespace pleat::kernels
