#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)               \
  Refusal Refuse##method(const SoftmaxProblem&); \
  std::unique_ptr<Kernel> Make##method(const SoftmaxProblem&);
#include "kernels/softmax_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<SoftmaxProblem>> SoftmaxCandidates() {
  static constexpr Candidate<SoftmaxProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/softmax_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// In double, one element at a time.
class SoftmaxReference : public Kernel {
 public:
  explicit SoftmaxReference(const SoftmaxProblem& problem) : problem_(problem) {}

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
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    const int64_t step = problem_.inner;
    for (int64_t row = 0; row < problem_.outer * step; ++row) {
      const int64_t begin = row / step * problem_.length * step + row % step;
      const int64_t end = begin + problem_.length * step;
      double most = -std::numeric_limits<double>::infinity();
      for (int64_t i = begin; i < end; i += step) most = std::max(most, static_cast<double>(x[i]));
      double sum = 0;
      for (int64_t i = begin; i < end; i += step) sum += std::exp(x[i] - most);
      for (int64_t i = begin; i < end; i += step) {
        y[i] = static_cast<T>(problem_.log ? x[i] - most - std::log(sum)
                                           : std::exp(x[i] - most) / sum);
      }
    }
  }

  SoftmaxProblem problem_;
};

}  // namespace

Refusal RefuseSoftmaxReference(const SoftmaxProblem&) { return {}; }

std::unique_ptr<Kernel> MakeSoftmaxReference(const SoftmaxProblem& problem) {
  return std::make_unique<SoftmaxReference>(problem);
}

}  // namespace pleat::kernels
