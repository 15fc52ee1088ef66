// One running sum for each line along the axis: floats in double, integers modulo 2^64.
#include <type_traits>

#include "kernels/cum_sum.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
class CumSumReference final : public Kernel {
 public:
  explicit CumSumReference(const CumSumProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    ForRanges(*operands.threads, p_.outer * p_.inner, 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i / p_.inner * p_.size * p_.inner + i % p_.inner;
        SumLine(x + first, y + first);
      }
    });
  }

 private:
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

  void SumLine(const T* x, T* y) const {
    Sum sum = p_.product ? 1 : 0;
    for (int64_t k = 0; k < p_.size; ++k) {
      const int64_t at = (p_.reverse ? p_.size - 1 - k : k) * p_.inner;
      const auto next = static_cast<Sum>(x[at]);
      const Sum after = p_.product ? sum * next : sum + next;
      y[at] = static_cast<T>(p_.exclusive ? sum : after);
      sum = after;
    }
  }

  const CumSumProblem p_;
};

Refusal Refuse(const CumSumProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const CumSumProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<CumSumReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<CumSumProblem> kCumSumReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
