// Reductions as the formulas say: floats in double, integers modulo 2^64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/reduce.h"
#include "kernels/saturate.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
T Highest() {
  return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity()
                                     : std::numeric_limits<T>::max();
}
template <class T>
T Lowest() {
  return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                     : std::numeric_limits<T>::lowest();
}

template <class T>
T FromDouble(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return Saturate<T>(value);
  }
}

template <class T>
class ReduceReference final : public Kernel {
 public:
  explicit ReduceReference(const ReduceProblem& problem) : p_(problem) {
    int64_t stride = 1;
    for (int axis = p_.rank - 1; axis >= 0; --axis) {
      strides_[axis] = stride;
      stride *= p_.sizes[axis];
    }
    if (stride == 0) std::fill_n(strides_, p_.rank, 0);  // of nothing, nothing is at an offset
  }

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    ForRanges(*operands.threads, p_.Outputs(), 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t offset = OffsetOf(i, false);
        y[i] = p_.prologue ? OfPrologue(x + offset, offset % p_.channels)
                           : Reduce(x + offset);
      }
    });
  }

 private:
  // Where in x the index-th kept (or reduced) position stands.
  int64_t OffsetOf(int64_t index, bool reduced) const {
    int64_t offset = 0;
    for (int axis = p_.rank - 1; axis >= 0; --axis) {
      if (p_.Reduced(axis) != reduced) continue;
      offset += index % p_.sizes[axis] * strides_[axis];
      index /= p_.sizes[axis];
    }
    return offset;
  }

  // A sum or mean of what the prologue makes of one channel.
  T OfPrologue(const T* x, int64_t channel) const {
    const double sum = Sum(x, [&](double v) {
      return ApplyPrologue<T>(p_.prologue, v, static_cast<size_t>(channel));
    });
    const auto terms = static_cast<double>(p_.Terms());
    return FromDouble<T>(p_.kind == ReduceKind::kMean ? sum / terms : sum);
  }

  template <class F>
  void ForEach(const T* x, F&& f) const {
    const int64_t terms = p_.Terms();
    for (int64_t i = 0; i < terms; ++i) f(x[OffsetOf(i, true)]);
  }

  template <class F>
  double Sum(const T* x, F&& f) const {
    double sum = 0;
    ForEach(x, [&](T value) { sum += f(static_cast<double>(value)); });
    return sum;
  }

  // The first value that `better` holds above the rest; NaN above all.
  template <class F>
  T Best(const T* x, T start, F&& better) const {
    T best = start;
    ForEach(x, [&](T value) {
      if (better(value, best) || value != value) best = value;
    });
    return best;
  }

  // The operation in modular arithmetic, which overflow does not leave.
  template <class F>
  T Wrapping(const T* x, uint64_t start, F&& step) const {
    uint64_t value = start;
    ForEach(x, [&](T term) { value = step(value, static_cast<uint64_t>(term)); });
    return static_cast<T>(value);
  }

  T Reduce(const T* x) const {
    switch (p_.kind) {
      case ReduceKind::kMax:
        return Best(x, Lowest<T>(), [](T a, T b) { return a > b; });
      case ReduceKind::kMin:
        return Best(x, Highest<T>(), [](T a, T b) { return a < b; });
      case ReduceKind::kLogSumExp:
        return LogSumExp(x);
      default:
        break;
    }
    if constexpr (std::is_integral_v<T>) {
      switch (p_.kind) {
        case ReduceKind::kSum:
          return Wrapping(x, 0, [](uint64_t a, uint64_t b) { return a + b; });
        case ReduceKind::kProd:
          return Wrapping(x, 1, [](uint64_t a, uint64_t b) { return a * b; });
        case ReduceKind::kL1:
          return Wrapping(x, 0, [](uint64_t a, uint64_t b) {
            return a + (static_cast<T>(b) < T{0} ? uint64_t{0} - b : b);
          });
        case ReduceKind::kSumSquare:
          return Wrapping(x, 0, [](uint64_t a, uint64_t b) { return a + b * b; });
        default:
          break;
      }
    }
    return FromDouble<T>(InDouble(x));
  }

  double InDouble(const T* x) const {
    double product = 1;
    switch (p_.kind) {
      case ReduceKind::kMean:
        return Sum(x, [](double v) { return v; }) / static_cast<double>(p_.Terms());
      case ReduceKind::kProd:
        ForEach(x, [&](T value) { product *= static_cast<double>(value); });
        return product;
      case ReduceKind::kL1:
        return Sum(x, [](double v) { return std::abs(v); });
      case ReduceKind::kL2:
        return std::sqrt(Sum(x, [](double v) { return v * v; }));
      case ReduceKind::kSumSquare:
        return Sum(x, [](double v) { return v * v; });
      case ReduceKind::kLogSum:
        return std::log(Sum(x, [](double v) { return v; }));
      default:
        return Sum(x, [](double v) { return v; });
    }
  }

  T LogSumExp(const T* x) const {
    const T best = Best(x, Lowest<T>(), [](T a, T b) { return a > b; });
    const double high = static_cast<double>(best);
    if (p_.Terms() == 0) return FromDouble<T>(-std::numeric_limits<double>::infinity());
    if (std::isinf(high)) return best;
    return FromDouble<T>(high + std::log(Sum(x, [&](double v) { return std::exp(v - high); })));
  }

  const ReduceProblem p_;
  int64_t strides_[ReduceProblem::kMaxRank] = {};
};

Refusal Refuse(const ReduceProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const ReduceProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<ReduceReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<ReduceProblem> kReduceReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
