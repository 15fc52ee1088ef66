#include "kernels/cast.h"

#include "kernels/half.h"
#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

template <class To, class From>
std::vector<To> Converted(ElementType from, const std::vector<From>& x, ElementType to) {
  const CastProblem problem{.from = from, .to = to, .count = static_cast<int64_t>(x.size())};
  std::vector<To> y;
  ForEveryKernel(CastCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const Buffers buffers = Buffers().In(x).template Out<To>(x.size());
    const auto results = RunEveryWay(kernel, buffers);
    if (sizeof(To) == sizeof(From)) {
      EXPECT_EQ(RunEveryWay(kernel, buffers, true), results);
    }
    y = As<To>(results[0]);
  });
  return y;
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(Cast, FloatsToIntegersSaturate) {
  const std::vector<float> x = {1.9f, -1.9f, kNaN, 3e9f, -3e9f, kInf, -kInf, 200};
  constexpr int32_t kLow = std::numeric_limits<int32_t>::min();
  constexpr int32_t kHigh = std::numeric_limits<int32_t>::max();
  EXPECT_EQ((Converted<int32_t>(ElementType::kFloat32, x, ElementType::kInt32)),
            (std::vector<int32_t>{1, -1, 0, kHigh, kLow, kHigh, kLow, 200}));
  EXPECT_EQ((Converted<uint8_t>(ElementType::kFloat32, x, ElementType::kUint8)),
            (std::vector<uint8_t>{1, 0, 0, 255, 0, 255, 0, 200}));
  EXPECT_EQ((Converted<int8_t>(ElementType::kFloat32, x, ElementType::kInt8)),
            (std::vector<int8_t>{1, -1, 0, 127, -128, 127, -128, 127}));
  const std::vector<double> big = {0x1p63, -0x1p63, 0x1p64, 9007199254740993.0, -1};
  EXPECT_EQ((Converted<int64_t>(ElementType::kFloat64, big, ElementType::kInt64)),
            (std::vector<int64_t>{INT64_MAX, INT64_MIN, INT64_MAX, 9007199254740992, -1}));
  EXPECT_EQ((Converted<uint64_t>(ElementType::kFloat64, big, ElementType::kUint64)),
            (std::vector<uint64_t>{uint64_t{1} << 63, 0, UINT64_MAX, 9007199254740992, 0}));
}

TEST(Cast, IntegersAreExactOrWrap) {
  const std::vector<int64_t> x = {-1, 300, (int64_t{1} << 53) + 1, 0};
  EXPECT_EQ((Converted<int64_t>(ElementType::kInt64, x, ElementType::kInt64)), x);
  EXPECT_EQ((Converted<uint8_t>(ElementType::kInt64, x, ElementType::kUint8)),
            (std::vector<uint8_t>{255, 44, 1, 0}));
  EXPECT_EQ((Converted<uint64_t>(ElementType::kInt64, x, ElementType::kUint64)),
            (std::vector<uint64_t>{UINT64_MAX, 300, (uint64_t{1} << 53) + 1, 0}));
  EXPECT_EQ((Converted<uint8_t>(ElementType::kInt64, x, ElementType::kBool)),
            (std::vector<uint8_t>{1, 1, 1, 0}));
  EXPECT_EQ(
      (Converted<float>(ElementType::kBool, std::vector<uint8_t>{0, 1, 2}, ElementType::kFloat32)),
      (std::vector<float>{0, 1, 1}));
  EXPECT_EQ((Converted<uint8_t>(ElementType::kFloat32, std::vector<float>{0, -0.0f, 0.5f, kNaN},
                                ElementType::kBool)),
            (std::vector<uint8_t>{0, 0, 1, 1}));
}

TEST(Cast, EveryPairOfTypesKeepsSmallNumbers) {
  for (int from = 0; from < kElementTypeCount; ++from) {
    for (int to = 0; to < kElementTypeCount; ++to) {
      std::vector<std::byte> x(3 * 8), y(3 * 8), back(3 * 8);
      const std::vector<float> numbers = {0, 1, 1};
      CastElements(ElementType::kFloat32, numbers.data(), static_cast<ElementType>(from), x.data(),
                   3);
      CastElements(static_cast<ElementType>(from), x.data(), static_cast<ElementType>(to), y.data(),
                   3);
      CastElements(static_cast<ElementType>(to), y.data(), ElementType::kFloat32, back.data(), 3);
      back.resize(12);
      EXPECT_EQ(As<float>(back), numbers) << from << " to " << to;
    }
  }
}

TEST(Cast, SizesAndThreads) {
  tests::Random random(1);
  for (const int64_t count : {0, 1, 7, 33, 1000, 70001}) {
    const auto x = random.Values<double>(static_cast<size_t>(count), -9, 9);
    const auto y = Converted<float>(ElementType::kFloat64, x, ElementType::kFloat32);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], static_cast<float>(x[i]));
  }
}

// Nearest representable, ties to even, found by looking at the neighbours.
template <class Half, class Round>
void CheckRounding(Round&& round, double x) {
  const Half y = round(x);
  const double value = ToFloat(y);
  if (std::isinf(value)) return;
  for (const int step : {-1, 1}) {
    const Half other{static_cast<uint16_t>(y.bits + step)};
    const double neighbour = ToFloat(other);
    if (!std::isfinite(neighbour) || std::signbit(neighbour) != std::signbit(value)) continue;
    const double off = std::abs(value - x), other_off = std::abs(neighbour - x);
    EXPECT_TRUE(off < other_off || (off == other_off && (y.bits & 1) == 0)) << x;
  }
}

TEST(Cast, HalvesRoundOnceToEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float wide = ToFloat(Float16{half}), brain = ToFloat(BFloat16{half});
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToFloat16(wide))));
    } else {
      EXPECT_EQ(ToFloat16(wide).bits, half);
    }
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToBFloat16(brain))));
    } else {
      EXPECT_EQ(ToBFloat16(brain).bits, half);
    }
  }
  tests::Random random(2);
  for (const double range : {1e-7, 1e-5, 1.0, 1000.0, 60000.0}) {
    for (const double x : random.Values<double>(20000, -range, range)) {
      CheckRounding<Float16>(ToFloat16, x);
      CheckRounding<BFloat16>(ToBFloat16, x);
    }
  }
  // Just above a tie: rounding to float32 first would land on it.
  EXPECT_EQ(ToFloat(ToFloat16(1 + 0x1p-11 + 0x1p-40)), 1 + 0x1p-10f);
  EXPECT_EQ(ToFloat(ToFloat16(1 + 0x1p-11)), 1);
  EXPECT_EQ(ToFloat(ToBFloat16(1 + 0x1p-8 + 0x1p-40)), 1 + 0x1p-7f);
  EXPECT_EQ(ToFloat(ToFloat16(65519.99)), 65504);
  EXPECT_EQ(ToFloat(ToFloat16(65520)), kInf);
  EXPECT_EQ(ToFloat(ToFloat16(0x1p-25)), 0);
  EXPECT_EQ(ToFloat(ToFloat16(0x1.01p-25)), 0x1p-24f);
}

}  // namespace
}  // namespace pleat::kernels
