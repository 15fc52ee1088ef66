// Every operation on every type it takes, one element at a time: floats in double, integers
// exactly.
#include <type_traits>

#include "kernels/binary.h"
#include "kernels/broadcast.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

// Two's complement arithmetic on any integer type, by way of 64 unsigned bits.
template <class T>
T Wrapped(uint64_t x) {
  return static_cast<T>(x);
}

template <class T>
T Divide(T a, T b) {
  if (b == 0) return 0;
  if (std::is_signed_v<T> && b == static_cast<T>(-1))
    return Wrapped<T>(0 - static_cast<uint64_t>(a));
  return static_cast<T>(a / b);
}

template <class T>
T Remainder(T a, T b) {
  if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
  return static_cast<T>(a % b);
}

template <class T>
T Power(T base, T exponent) {
  if (std::is_signed_v<T> && exponent < 0) {
    const bool odd = (exponent & 1) != 0;
    if (base == 1) return 1;
    if (base == static_cast<T>(-1)) return static_cast<T>(odd ? -1 : 1);
    return 0;
  }
  uint64_t result = 1;
  uint64_t square = static_cast<uint64_t>(base);
  for (uint64_t bits = static_cast<uint64_t>(exponent); bits != 0; bits >>= 1) {
    if (bits & 1) result *= square;
    square *= square;
  }
  return Wrapped<T>(result);
}

template <class T>
T Combine(BinaryKind kind, T a, T b) {
  constexpr T kWidth = 8 * sizeof(T);
  const uint64_t x = static_cast<uint64_t>(a);
  const uint64_t y = static_cast<uint64_t>(b);
  const bool shifts = b >= 0 && b < kWidth;
  switch (kind) {
    case BinaryKind::kAdd:
      return Wrapped<T>(x + y);
    case BinaryKind::kSub:
      return Wrapped<T>(x - y);
    case BinaryKind::kMul:
      return Wrapped<T>(x * y);
    case BinaryKind::kDiv:
      return Divide(a, b);
    case BinaryKind::kPow:
      return Power(a, b);
    case BinaryKind::kMin:
      return b < a ? b : a;
    case BinaryKind::kMax:
      return b > a ? b : a;
    case BinaryKind::kPRelu:
      return a < 0 ? Wrapped<T>(x * y) : a;
    case BinaryKind::kMod: {
      const T rest = Remainder(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
    case BinaryKind::kFMod:
      return Remainder(a, b);
    case BinaryKind::kBitAnd:
      return static_cast<T>(a & b);
    case BinaryKind::kBitOr:
      return static_cast<T>(a | b);
    case BinaryKind::kBitXor:
      return static_cast<T>(a ^ b);
    case BinaryKind::kShiftLeft:
      return shifts ? Wrapped<T>(x << y) : 0;
    case BinaryKind::kShiftRight:
      // Arithmetic: a negative number fills with ones.
      return static_cast<T>(shifts ? a >> y : a < 0 ? -1 : 0);
    default:
      return 0;
  }
}

template <class T>
bool Compare(BinaryKind kind, T a, T b) {
  switch (kind) {
    case BinaryKind::kEqual:
      return a == b;
    case BinaryKind::kLess:
      return a < b;
    case BinaryKind::kLessOrEqual:
      return a <= b;
    case BinaryKind::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

bool Decide(BinaryKind kind, bool a, bool b) {
  switch (kind) {
    case BinaryKind::kAnd:
      return a && b;
    case BinaryKind::kOr:
      return a || b;
    case BinaryKind::kXor:
      return a != b;
    default:
      return Compare<int>(kind, a, b);
  }
}

class BinaryReference : public Kernel {
 public:
  explicit BinaryReference(const BinaryProblem& problem)
      : problem_(problem), loop_({problem.a_shape, problem.b_shape}) {}

  void Run(const Operands& operands) const override {
    const BinaryKind kind = problem_.kind;
    if (problem_.type == ElementType::kBool) {
      return ForEach<uint8_t, bool>(
          operands, [=](uint8_t a, uint8_t b) { return Decide(kind, a != 0, b != 0); });
    }
    VisitNumber(problem_.type, [&]<class T>() {
      if (Compares(kind)) {
        ForEach<T, bool>(operands, [=](T a, T b) { return Compare(kind, a, b); });
      } else if constexpr (std::is_floating_point_v<T>) {
        const Activation& act = problem_.activation;
        ForEach<T, T>(operands, [=](T a, T b) {
          return static_cast<T>(ApplyUnary(act.kind, act.a, act.b, ApplyBinary(kind, a, b)));
        });
      } else {
        ForEach<T, T>(operands, [=](T a, T b) { return Combine(kind, a, b); });
      }
    });
  }

 private:
  template <class In, class Out, class F>
  void ForEach(const Operands& operands, const F& f) const {
    const In* a = static_cast<const In*>(operands.inputs[0]);
    const In* b = static_cast<const In*>(operands.inputs[1]);
    Out* y = static_cast<Out*>(operands.outputs[0]);
    loop_.Walk(0, loop_.count(), [&](const auto& at, int64_t out, int64_t length) {
      for (int64_t i = 0; i < length; ++i) {
        y[out + i] = f(a[at[0] + i * loop_.run_stride(0)], b[at[1] + i * loop_.run_stride(1)]);
      }
    });
  }

  BinaryProblem problem_;
  Broadcast<2> loop_;
};

}  // namespace

Refusal RefuseBinaryReference(const BinaryProblem&) { return {}; }

std::unique_ptr<Kernel> MakeBinaryReference(const BinaryProblem& problem) {
  return std::make_unique<BinaryReference>(problem);
}

}  // namespace pleat::kernels
