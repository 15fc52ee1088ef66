// Positions sorted by value, the first k of them.
#include <algorithm>
#include <numeric>

#include "kernels/split.h"
#include "kernels/top_k.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

// Above every number, NaN included: a strict order.
template <class T>
bool Larger(T a, T b) {
  return a != a ? b == b : a > b;
}

template <class T>
class TopKReference final : public Kernel {
 public:
  explicit TopKReference(const TopKProblem& problem) : p_(problem) {}

  size_t scratch_bytes(int threads) const override {
    return static_cast<size_t>(threads) * static_cast<size_t>(p_.size) * sizeof(int64_t);
  }

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    void* const* next = operands.outputs;
    T* values = p_.values ? static_cast<T*>(*next++) : nullptr;
    int64_t* indices = p_.indices ? static_cast<int64_t*>(*next) : nullptr;
    int64_t* scratch = static_cast<int64_t*>(operands.scratch);
    ForRanges(*operands.threads, p_.outer * p_.inner, 1,
              [&](int64_t begin, int64_t end, size_t slot) {
                int64_t* order = scratch + static_cast<int64_t>(slot) * p_.size;
                for (int64_t i = begin; i < end; ++i) {
                  const int64_t in = i / p_.inner * p_.size * p_.inner + i % p_.inner;
                  const int64_t out = i / p_.inner * p_.k * p_.inner + i % p_.inner;
                  Sort(x + in, order);
                  for (int64_t j = 0; j < p_.k; ++j) {
                    if (values != nullptr) values[out + j * p_.inner] = x[in + order[j] * p_.inner];
                    if (indices != nullptr) indices[out + j * p_.inner] = order[j];
                  }
                }
              });
  }

 private:
  void Sort(const T* x, int64_t* order) const {
    std::iota(order, order + p_.size, int64_t{0});
    std::partial_sort(order, order + p_.k, order + p_.size, [&](int64_t i, int64_t j) {
      const T a = x[i * p_.inner];
      const T b = x[j * p_.inner];
      const bool before = p_.largest ? Larger(a, b) : Larger(b, a);
      const bool after = p_.largest ? Larger(b, a) : Larger(a, b);
      return before || (!after && i < j);
    });
  }

  const TopKProblem p_;
};

Refusal Refuse(const TopKProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const TopKProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<TopKReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<TopKProblem> kTopKReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
