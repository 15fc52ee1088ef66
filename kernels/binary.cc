#include "kernels/binary.h"

#include <cmath>
#include <limits>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)              \
  Refusal Refuse##method(const BinaryProblem&); \
  std::unique_ptr<Kernel> Make##method(const BinaryProblem&);
#include "kernels/binary_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<BinaryProblem>> BinaryCandidates() {
  static constexpr Candidate<BinaryProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/binary_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

double ApplyBinary(BinaryKind kind, double a, double b) {
  switch (kind) {
    case BinaryKind::kAdd:
      return a + b;
    case BinaryKind::kSub:
      return a - b;
    case BinaryKind::kMul:
      return a * b;
    case BinaryKind::kDiv:
      return a / b;
    case BinaryKind::kPow:
      return std::pow(a, b);
    case BinaryKind::kMin:
      return b < a || std::isnan(b) ? b : a;
    case BinaryKind::kMax:
      return b > a || std::isnan(b) ? b : a;
    case BinaryKind::kPRelu:
      return a < 0 ? a * b : a;
    case BinaryKind::kMod: {
      const double rest = std::fmod(a, b);
      if (rest == 0) return std::copysign(rest, b);
      return (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case BinaryKind::kFMod:
      return std::fmod(a, b);
    case BinaryKind::kEqual:
      return a == b;
    case BinaryKind::kLess:
      return a < b;
    case BinaryKind::kLessOrEqual:
      return a <= b;
    case BinaryKind::kGreater:
      return a > b;
    case BinaryKind::kGreaterOrEqual:
      return a >= b;
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

}  // namespace pleat::kernels
