// One scan along the axis for each output.
#include "kernels/arg_reduce.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
class ArgReduceReference final : public Kernel {
 public:
  explicit ArgReduceReference(const ArgReduceProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    int64_t* y = static_cast<int64_t*>(operands.outputs[0]);
    ForRanges(*operands.threads, p_.outer * p_.inner, 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t i = begin; i < end; ++i) {
        y[i] = Position(x + i / p_.inner * p_.size * p_.inner + i % p_.inner);
      }
    });
  }

 private:
  int64_t Position(const T* x) const {
    int64_t best = 0;
    for (int64_t k = 1; k < p_.size; ++k) {
      const T value = x[k * p_.inner];
      const T held = x[best * p_.inner];
      const bool better = p_.max ? value > held : value < held;
      const bool equal = value == held || (value != value && held != held);
      if (held != held ? equal && p_.last_index
                       : better || value != value || (equal && p_.last_index)) {
        best = k;
      }
    }
    return best;
  }

  const ArgReduceProblem p_;
};

Refusal Refuse(const ArgReduceProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const ArgReduceProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<ArgReduceReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<ArgReduceProblem> kArgReduceReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
