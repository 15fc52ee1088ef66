// Every output as the sum over the product of its axes' positions, in double.
#include <cmath>
#include <type_traits>

#include "kernels/resize.h"
#include "kernels/saturate.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
T FromDouble(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return Saturate<T>(std::nearbyint(value));
  }
}

template <class T>
class ResizeReference final : public Kernel {
 public:
  explicit ResizeReference(const ResizeProblem& problem) : p_(problem) {
    for (int axis = 0; axis < p_.rank; ++axis) {
      if (!p_.Leaves(p_.axes[axis])) tables_[axis] = MakeResizeTable(p_, axis);
    }
    int64_t stride = 1;
    for (int axis = p_.rank - 1; axis >= 0; --axis) {
      strides_[axis] = stride;
      stride *= p_.axes[axis].in;
    }
  }

  size_t packed_bytes() const override {
    size_t bytes = 0;
    for (const ResizeTable& table : tables_) bytes += table.positions.size() * 16;
    return bytes;
  }

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    T* y = static_cast<T*>(operands.outputs[0]);
    int64_t count = 1;
    for (int axis = 0; axis < p_.rank; ++axis) count *= p_.axes[axis].out;
    ForRanges(*operands.threads, count, 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t i = begin; i < end; ++i) y[i] = Resize(x, i);
    });
  }

 private:
  T Resize(const T* x, int64_t index) const {
    int64_t o[ResizeProblem::kMaxRank];
    for (int axis = p_.rank - 1; axis >= 0; --axis) {
      o[axis] = index % p_.axes[axis].out;
      index /= p_.axes[axis].out;
      const std::vector<bool>& outside = tables_[axis].outside;
      if (!outside.empty() && outside[static_cast<size_t>(o[axis])]) {
        return FromDouble<T>(p_.extrapolation_value);
      }
    }
    if (p_.mode == ResizeMode::kNearest) {
      for (int axis = 0; axis < p_.rank; ++axis) {
        const ResizeTable& table = tables_[axis];
        const int64_t at = table.positions.empty() ? o[axis] : table.positions[o[axis]];
        x += at * strides_[axis];
      }
      return *x;
    }
    return FromDouble<T>(Sample(x, 0, o));
  }

  double Sample(const T* x, int axis, const int64_t* o) const {
    if (axis == p_.rank) return static_cast<double>(*x);
    const ResizeTable& table = tables_[axis];
    if (table.positions.empty()) return Sample(x + o[axis] * strides_[axis], axis + 1, o);
    const int64_t* positions = table.positions.data() + o[axis] * table.taps;
    const double* weights = table.weights.data() + o[axis] * table.taps;
    double sum = 0;
    for (int64_t t = 0; t < table.taps; ++t) {
      if (weights[t] != 0) {
        sum += weights[t] * Sample(x + positions[t] * strides_[axis], axis + 1, o);
      }
    }
    return sum;
  }

  const ResizeProblem p_;
  ResizeTable tables_[ResizeProblem::kMaxRank];  // empty where the axis is left alone
  int64_t strides_[ResizeProblem::kMaxRank] = {};
};

Refusal Refuse(const ResizeProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const ResizeProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<ResizeReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<ResizeProblem> kResizeReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
