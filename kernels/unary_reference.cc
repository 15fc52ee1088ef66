// Every function on every type it takes, one element at a time: floats in double, integers exactly,
// wrapping where two's complement does.
#include <cmath>
#include <type_traits>

#include "kernels/saturate.h"
#include "kernels/unary.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
T ApplyToInteger(const Activation& f, T x) {
  using U = std::make_unsigned_t<T>;
  const T minus_x = static_cast<T>(static_cast<U>(0) - static_cast<U>(x));
  switch (f.kind) {
    case UnaryKind::kClip: {
      const T low = static_cast<double>(x) < f.a ? Saturate<T>(f.a) : x;
      return static_cast<double>(low) > f.b ? Saturate<T>(f.b) : low;
    }
    case UnaryKind::kAbs:
      return x < 0 ? minus_x : x;
    case UnaryKind::kNeg:
      return minus_x;
    case UnaryKind::kSign:
      return static_cast<T>((x > 0) - (x < 0));
    case UnaryKind::kBitwiseNot:
      return static_cast<T>(~x);
    default:
      return x;
  }
}

// x and y may be the same memory.
template <class T>
void ApplyAll(const UnaryProblem& p, const void* from, void* to) {
  const T* x = static_cast<const T*>(from);
  const Activation& f = p.activation;
  const bool asks = f.kind == UnaryKind::kIsNaN || f.kind == UnaryKind::kIsInf;
  for (int64_t i = 0; i < p.count; ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      const double y = ApplyUnary(f.kind, f.a, f.b, x[i]);
      if (asks) {
        static_cast<bool*>(to)[i] = y != 0;
      } else {
        static_cast<T*>(to)[i] = static_cast<T>(y);
      }
    } else {
      static_cast<T*>(to)[i] = ApplyToInteger(f, x[i]);
    }
  }
}

class UnaryReference : public Kernel {
 public:
  explicit UnaryReference(const UnaryProblem& problem) : problem_(problem) {}

  void Run(const Operands& operands) const override {
    const void* x = operands.inputs[0];
    void* y = operands.outputs[0];
    if (problem_.type == ElementType::kBool) {
      for (int64_t i = 0; i < problem_.count; ++i) {
        const bool value = static_cast<const uint8_t*>(x)[i] != 0;
        static_cast<bool*>(y)[i] = problem_.activation.kind == UnaryKind::kNot ? !value : value;
      }
      return;
    }
    VisitNumber(problem_.type, [&]<class T>() { ApplyAll<T>(problem_, x, y); });
  }

 private:
  UnaryProblem problem_;
};

}  // namespace

Refusal RefuseUnaryReference(const UnaryProblem&) { return {}; }

std::unique_ptr<Kernel> MakeUnaryReference(const UnaryProblem& problem) {
  return std::make_unique<UnaryReference>(problem);
}

}  // namespace pleat::kernels
