#include "kernels/batch_norm_training.h"

#include <cmath>

#include "kernels/split.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                         \
  Refusal Refuse##method(const BatchNormTrainingProblem&); \
  std::unique_ptr<Kernel> Make##method(const BatchNormTrainingProblem&);
#include "kernels/batch_norm_training_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<BatchNormTrainingProblem>> BatchNormTrainingCandidates() {
  static constexpr Candidate<BatchNormTrainingProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/batch_norm_training_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// In double, channel by channel.
class BatchNormTrainingReference : public Kernel {
 public:
  explicit BatchNormTrainingReference(const BatchNormTrainingProblem& problem)
      : problem_(problem) {}

  void Run(const Operands& operands) const override {
    void* const* next = operands.outputs;
    void* outputs[3];
    for (int i = 0; i < 3; ++i) outputs[i] = problem_.wants[i] ? *next++ : nullptr;
    ForRanges(*operands.threads, problem_.channels, 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t c = begin; c < end; ++c) {
        if (problem_.type == ElementType::kFloat64) {
          Normalise<double>(operands.inputs, outputs, c);
        } else {
          Normalise<float>(operands.inputs, outputs, c);
        }
      }
    });
  }

 private:
  double Parameter(const void* values, int64_t c) const {
    return problem_.parameter_type == ElementType::kFloat64 ? static_cast<const double*>(values)[c]
                                                            : static_cast<const float*>(values)[c];
  }

  void Move(const void* before, double batch, void* after, int64_t c) const {
    if (after == nullptr) return;
    const double value = Parameter(before, c) * problem_.momentum + batch * (1 - problem_.momentum);
    if (problem_.parameter_type == ElementType::kFloat64) {
      static_cast<double*>(after)[c] = value;
    } else {
      static_cast<float*>(after)[c] = static_cast<float>(value);
    }
  }

  // Calls f(offset of an element) for all elements of a channel.
  template <class F>
  void ForChannel(int64_t c, const F& f) const {
    for (int64_t o = 0; o < problem_.outer; ++o) {
      const int64_t begin = (o * problem_.channels + c) * problem_.inner;
      for (int64_t i = begin; i < begin + problem_.inner; ++i) f(i);
    }
  }

  template <class T>
  void Normalise(const void* const* inputs, void* const* outputs, int64_t c) const {
    const T* x = static_cast<const T*>(inputs[0]);
    T* y = static_cast<T*>(outputs[0]);
    const auto count = static_cast<double>(problem_.outer * problem_.inner);
    double sum = 0, squares = 0;
    ForChannel(c, [&](int64_t i) { sum += x[i]; });
    const double mean = sum / count;
    ForChannel(c, [&](int64_t i) { squares += (x[i] - mean) * (x[i] - mean); });
    const double variance = squares / count;
    Move(inputs[3], mean, outputs[1], c);
    Move(inputs[4], variance, outputs[2], c);
    if (y == nullptr) return;
    const double deviation = std::sqrt(variance + problem_.epsilon);
    const double gamma = Parameter(inputs[1], c), beta = Parameter(inputs[2], c);
    ForChannel(c,
               [&](int64_t i) { y[i] = static_cast<T>((x[i] - mean) / deviation * gamma + beta); });
  }

  BatchNormTrainingProblem problem_;
};

}  // namespace

Refusal RefuseBatchNormTrainingReference(const BatchNormTrainingProblem&) { return {}; }

std::unique_ptr<Kernel> MakeBatchNormTrainingReference(const BatchNormTrainingProblem& problem) {
  return std::make_unique<BatchNormTrainingReference>(problem);
}

}  // namespace pleat::kernels
