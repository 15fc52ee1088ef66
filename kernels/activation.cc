#include "kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pleat::kernels {
namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// x * gate, where a closed gate wins over an infinite x.
double Gated(double x, double gate) { return gate == 0 ? 0 : x * gate; }

// To whole numbers, or with bits > 0 to floats with so many bits behind the first one and none below
// 2^lowest.
double Rounded(double x, double bits, double lowest) {
  if (!(bits > 0) || x == 0 || std::isinf(x)) return std::nearbyint(x);
  const double step = std::max(std::exp2(std::ilogb(x) - bits), std::exp2(lowest));
  return std::nearbyint(x / step) * step;
}

}  // namespace

double ApplyUnary(UnaryKind kind, double a, double b, double x) {
  if (std::isnan(x)) {
    return kind == UnaryKind::kIsNaN ? 1 : kind == UnaryKind::kIsInf ? 0 : x;
  }
  switch (kind) {
    case UnaryKind::kIdentity:
      return x;
    case UnaryKind::kClip: {
      const double low = x < a ? a : x;
      return low > b ? b : low;
    }
    case UnaryKind::kLeakyRelu:
      return x < 0 ? a * x : x;
    case UnaryKind::kElu:
      return x < 0 ? a * std::expm1(x) : x;
    case UnaryKind::kSelu:
      return b * (x < 0 ? a * std::expm1(x) : x);
    case UnaryKind::kCelu:
      return std::max(0.0, x) + std::min(0.0, a * std::expm1(x / a));
    case UnaryKind::kSigmoid:
      return Sigmoid(x);
    case UnaryKind::kHardSigmoid:
      return std::clamp(a * x + b, 0.0, 1.0);
    case UnaryKind::kSwish:
      return Gated(x, Sigmoid(a * x));
    case UnaryKind::kHardSwish:
      return Gated(x, std::clamp(x / 6 + 0.5, 0.0, 1.0));
    case UnaryKind::kTanh:
      return std::tanh(x);
    case UnaryKind::kSoftplus:
      return std::max(0.0, x) + std::log1p(std::exp(-std::abs(x)));
    case UnaryKind::kSoftsign:
      return std::isinf(x) ? std::copysign(1.0, x) : x / (1 + std::abs(x));
    case UnaryKind::kMish:
      return Gated(x, std::tanh(std::max(0.0, x) + std::log1p(std::exp(-std::abs(x)))));
    case UnaryKind::kGelu:
      return Gated(x, std::erfc(-x / std::numbers::sqrt2) / 2);
    case UnaryKind::kGeluTanh: {
      const double sqrt_8_over_pi = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
      return Gated(x, Sigmoid(sqrt_8_over_pi * (x + 0.044715 * x * x * x)));
    }
    case UnaryKind::kErf:
      return std::erf(x);
    case UnaryKind::kThresholdedRelu:
      return x > a ? x : 0;
    case UnaryKind::kShrink:
      return x < -a ? x + b : x > a ? x - b : 0;
    case UnaryKind::kAbs:
      return std::abs(x);
    case UnaryKind::kNeg:
      return -x;
    case UnaryKind::kExp:
      return std::exp(x);
    case UnaryKind::kLog:
      return std::log(x);
    case UnaryKind::kSqrt:
      return std::sqrt(x);
    case UnaryKind::kReciprocal:
      return 1 / x;
    case UnaryKind::kFloor:
      return std::floor(x);
    case UnaryKind::kCeil:
      return std::ceil(x);
    case UnaryKind::kRound:
      return Rounded(x, a, b);
    case UnaryKind::kSign:
      return x > 0 ? 1 : x < 0 ? -1 : 0;
    case UnaryKind::kSin:
      return std::sin(x);
    case UnaryKind::kCos:
      return std::cos(x);
    case UnaryKind::kTan:
      return std::tan(x);
    case UnaryKind::kAsin:
      return std::asin(x);
    case UnaryKind::kAcos:
      return std::acos(x);
    case UnaryKind::kAtan:
      return std::atan(x);
    case UnaryKind::kSinh:
      return std::sinh(x);
    case UnaryKind::kCosh:
      return std::cosh(x);
    case UnaryKind::kAsinh:
      return std::asinh(x);
    case UnaryKind::kAcosh:
      return std::acosh(x);
    case UnaryKind::kAtanh:
      return std::atanh(x);
    case UnaryKind::kNot:
      return x == 0 ? 1 : 0;
    case UnaryKind::kIsNaN:
      return 0;
    case UnaryKind::kIsInf:
      return std::isinf(x) && (x < 0 ? a : b) != 0 ? 1 : 0;
    case UnaryKind::kBitwiseNot:
      return -1 - x;
    case UnaryKind::kAffine:
      return a * x + b;
    case UnaryKind::kScaledTanh:
      return a * std::tanh(b * x);
  }
  return x;
}

}  // namespace pleat::kernels
