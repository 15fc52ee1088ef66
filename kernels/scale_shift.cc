#include "kernels/scale_shift.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                  \
  Refusal Refuse##method(const ScaleShiftProblem&); \
  std::unique_ptr<Kernel> Make##method(const ScaleShiftProblem&);
#include "kernels/scale_shift_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<ScaleShiftProblem>> ScaleShiftCandidates() {
  static constexpr Candidate<ScaleShiftProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/scale_shift_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

double At(ElementType type, const void* values, int64_t i) {
  return type == ElementType::kFloat64 ? static_cast<const double*>(values)[i]
                                       : static_cast<const float*>(values)[i];
}

// In double, one element at a time.
class ScaleShiftReference : public Kernel {
 public:
  explicit ScaleShiftReference(const ScaleShiftProblem& problem) : problem_(problem) {}

  void Run(const Operands& operands) const override {
    const void* const* next = operands.inputs + 1;
    const void* scale = problem_.scale != nullptr ? problem_.scale : *next++;
    const void* shift = problem_.shift != nullptr ? problem_.shift : *next++;
    if (problem_.type == ElementType::kFloat64) {
      Apply<double>(operands, scale, shift);
    } else {
      Apply<float>(operands, scale, shift);
    }
  }

 private:
  template <class T>
  void Apply(const Operands& operands, const void* scale, const void* shift) const {
    const ScaleShiftProblem& p = problem_;
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    for (int64_t row = 0; row < p.outer * p.channels; ++row) {
      const double factor = At(p.scale_type, scale, row % p.channels);
      const double offset = At(p.shift_type, shift, row % p.channels);
      for (int64_t i = row * p.inner; i < (row + 1) * p.inner; ++i) {
        const double affine = static_cast<double>(x[i]) * factor + offset;
        y[i] =
            static_cast<T>(ApplyUnary(p.activation.kind, p.activation.a, p.activation.b, affine));
      }
    }
  }

  ScaleShiftProblem problem_;
};

}  // namespace

Refusal RefuseScaleShiftReference(const ScaleShiftProblem&) { return {}; }

std::unique_ptr<Kernel> MakeScaleShiftReference(const ScaleShiftProblem& problem) {
  return std::make_unique<ScaleShiftReference>(problem);
}

}  // namespace pleat::kernels
