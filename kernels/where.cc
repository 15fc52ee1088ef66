#include "kernels/where.h"

#include "kernels/broadcast.h"
#include "kernels/split.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)             \
  Refusal Refuse##method(const WhereProblem&); \
  std::unique_ptr<Kernel> Make##method(const WhereProblem&);
#include "kernels/where_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<WhereProblem>> WhereCandidates() {
  static constexpr Candidate<WhereProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/where_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// Elements are moved as bits, by size.
class WhereReference : public Kernel {
 public:
  explicit WhereReference(const WhereProblem& problem)
      : size_(ElementSize(problem.type)),
        loop_({problem.condition_shape, problem.a_shape, problem.b_shape}) {}

  void Run(const Operands& operands) const override {
    switch (size_) {
      case 1:
        return Choose<uint8_t>(operands);
      case 2:
        return Choose<uint16_t>(operands);
      case 4:
        return Choose<uint32_t>(operands);
      default:
        return Choose<uint64_t>(operands);
    }
  }

 private:
  static constexpr int64_t kGrain = 16384;

  template <class Bits>
  void Choose(const Operands& operands) const {
    const auto* condition = static_cast<const uint8_t*>(operands.inputs[0]);
    const auto* a = static_cast<const Bits*>(operands.inputs[1]);
    const auto* b = static_cast<const Bits*>(operands.inputs[2]);
    auto* y = static_cast<Bits*>(operands.outputs[0]);
    const int64_t condition_step = loop_.run_stride(0);
    const int64_t a_step = loop_.run_stride(1), b_step = loop_.run_stride(2);
    ForRanges(*operands.threads, loop_.count(), kGrain, [&](int64_t begin, int64_t end, size_t) {
      loop_.Walk(begin, end, [&](const auto& at, int64_t out, int64_t length) {
        for (int64_t i = 0; i < length; ++i) {
          const Bits chosen_a = a[at[1] + i * a_step], chosen_b = b[at[2] + i * b_step];
          y[out + i] = condition[at[0] + i * condition_step] != 0 ? chosen_a : chosen_b;
        }
      });
    });
  }

  size_t size_;
  Broadcast<3> loop_;
};

}  // namespace

Refusal RefuseWhereReference(const WhereProblem&) { return {}; }

std::unique_ptr<Kernel> MakeWhereReference(const WhereProblem& problem) {
  return std::make_unique<WhereReference>(problem);
}

}  // namespace pleat::kernels
