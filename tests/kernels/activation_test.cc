#include "kernels/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

namespace pleat::kernels {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(ApplyUnary, NaNStaysNaNExceptInTheQuestions) {
  for (int k = 0; k < kUnaryKindCount; ++k) {
    const auto kind = static_cast<UnaryKind>(k);
    if (kind == UnaryKind::kIsNaN) {
      EXPECT_EQ(ApplyUnary(kind, 0, 6, kNaN), 1);
    } else if (kind == UnaryKind::kIsInf) {
      EXPECT_EQ(ApplyUnary(kind, 1, 1, kNaN), 0);
    } else {
      EXPECT_TRUE(std::isnan(ApplyUnary(kind, 0.5, 6, kNaN))) << k;
    }
  }
}

TEST(ApplyUnary, KnownValues) {
  using K = UnaryKind;
  const std::vector<std::tuple<K, double, double, double, double>> cases = {
      {K::kIdentity, 0, 0, -2, -2},
      {K::kClip, 0, 6, 7, 6},
      {K::kClip, 0, 6, -1, 0},
      {K::kClip, 2, 1, 0, 1},
      {K::kLeakyRelu, 0.25, 0, -4, -1},
      {K::kElu, 2, 0, -1, 2 * (std::exp(-1.0) - 1)},
      {K::kSelu, 1.5, 2, -1, 3 * (std::exp(-1.0) - 1)},
      {K::kSelu, 1.5, 2, 3, 6},
      {K::kCelu, 2, 0, -2, 2 * (std::exp(-1.0) - 1)},
      {K::kSigmoid, 0, 0, 0, 0.5},
      {K::kHardSigmoid, 0.2, 0.5, 1, 0.7},
      {K::kHardSigmoid, 0.2, 0.5, -9, 0},
      {K::kSwish, 1, 0, 2, 2 / (1 + std::exp(-2.0))},
      {K::kSwish, 1, 0, -kInf, 0},
      {K::kHardSwish, 0, 0, 1, 4.0 / 6},
      {K::kHardSwish, 0, 0, -kInf, 0},
      {K::kSoftplus, 0, 0, 0, std::log(2.0)},
      {K::kSoftplus, 0, 0, 1000, 1000},
      {K::kSoftsign, 0, 0, -3, -0.75},
      {K::kSoftsign, 0, 0, kInf, 1},
      {K::kMish, 0, 0, 1, std::tanh(std::log1p(std::exp(1.0)))},
      {K::kGelu, 0, 0, 1, 0.5 * (1 + std::erf(std::sqrt(0.5)))},
      {K::kGelu, 0, 0, -kInf, 0},
      {K::kGeluTanh, 0, 0, 1, 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * 1.044715))},
      {K::kGeluTanh, 0, 0, -kInf, 0},
      {K::kThresholdedRelu, 1, 0, 1, 0},
      {K::kShrink, 1, 0.5, -3, -2.5},
      {K::kShrink, 1, 0.5, 0.5, 0},
      {K::kRound, 0, 0, 2.5, 2},
      {K::kRound, 0, 0, -1.5, -2},
      {K::kRound, 3, -9, 0.30, 0.3125},
      {K::kRound, 3, -9, -17, -16},
      {K::kRound, 3, -9, 19, 20},
      {K::kRound, 3, -9, 0x1.8p-9, 0x1p-8},
      {K::kRound, 3, -9, 1e6, 0x1.ep19},
      {K::kSign, 0, 0, -7, -1},
      {K::kNot, 0, 0, 0, 1},
      {K::kIsInf, 1, 0, -kInf, 1},
      {K::kIsInf, 1, 0, kInf, 0},
      {K::kIsInf, 0, 1, kInf, 1},
      {K::kBitwiseNot, 0, 0, 5, -6},
      {K::kAffine, 2, 0.5, -3, -5.5},
      {K::kScaledTanh, 2, 3, 0.25, 2 * std::tanh(0.75)},
  };
  for (const auto& [kind, a, b, x, y] : cases) {
    EXPECT_NEAR(ApplyUnary(kind, a, b, x), y, 1e-15 * std::max(1.0, std::abs(y)))
        << static_cast<int>(kind) << " of " << x;
  }
}

}  // namespace
}  // namespace pleat::kernels
