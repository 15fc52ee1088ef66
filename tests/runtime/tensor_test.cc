#include "runtime/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "runtime/memory_account.h"

namespace pleat::runtime {
namespace {

TEST(CheckType, RefusesWhatCannotBeHeld) {
  EXPECT_TRUE(CheckType({ElementType::kFloat32, true, {1, 3, 224, 224}}).ok());
  EXPECT_TRUE(CheckType({ElementType::kFloat32, true, {0, 1 << 20, 1 << 10}}).ok());
  EXPECT_EQ(CheckType({ElementType::kFloat32, true, Shape(9, 1)}).code(),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(CheckType({ElementType::kInt8, true, {int64_t{1} << 32, int64_t{1} << 32}}).code(),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(CheckType({ElementType::kFloat64, true, {int64_t{1} << 40}}).code(),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(CheckType({ElementType::kFloat32, true, {-2}}).code(), StatusCode::kInvalidModel);
}

TEST(NormalizeAxis, CountsNegativeAxesFromTheEnd) {
  EXPECT_EQ(*NormalizeAxis(-1, 4), 3);
  EXPECT_EQ(*NormalizeAxis(0, 4), 0);
  for (int64_t axis : {int64_t{4}, int64_t{-5}, std::numeric_limits<int64_t>::min()}) {
    EXPECT_FALSE(NormalizeAxis(axis, 4).ok()) << axis;
  }
}

TEST(Cast, SaturatesFloatsAndMapsNanToZero) {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::Vector<double>({-1.9, 300, inf, -inf, std::nan("")});
  const Tensor y = Cast(x, ElementType::kUint8);
  EXPECT_EQ(ToInt64s(y), (std::vector<int64_t>{0, 255, 255, 0, 0}));
  const Tensor z = Cast(x, ElementType::kInt64);
  EXPECT_EQ(z.data<int64_t>()[2], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(z.data<int64_t>()[0], -1);
}

TEST(Cast, RoundsHalfFloatsToNearestEven) {
  const Tensor x = Tensor::Vector<float>({1.0f, 1.00048828125f, 65504, 65520, 0x1p-24f, 0x1p-25f,
                                          0x1.8p-24f, -2.5f, 0x1.ff8p-15f, 0x1.ffep-15f});
  const Tensor half = Cast(x, ElementType::kFloat16);
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ToDoubles(half), (std::vector<double>{1, 1, 65504, inf, 0x1p-24, 0, 0x1p-23, -2.5,
                                                  0x1.ff8p-15, 0x1p-14}));
}

TEST(Cast, HalfFloatsSurviveARoundTrip) {
  Tensor all = Tensor::Make(ElementType::kFloat16, {65536});
  auto* bits = static_cast<uint16_t*>(all.mutable_raw());
  for (uint32_t i = 0; i < 65536; ++i) bits[i] = static_cast<uint16_t>(i);
  const Tensor back = Cast(Cast(all, ElementType::kFloat32), ElementType::kFloat16);
  const auto* result = static_cast<const uint16_t*>(back.raw());
  for (uint32_t i = 0; i < 65536; ++i) {
    const bool nan = (i & 0x7c00u) == 0x7c00u && (i & 0x3ffu) != 0;
    if (!nan) {
      ASSERT_EQ(result[i], i);
    }
  }
}

TEST(Cast, RoundsBFloat16ToNearestEven) {
  const Tensor x = Tensor::Vector<float>({1.0f, 1.00390625f, 1.01171875f, -3.0f});
  EXPECT_EQ(ToDoubles(Cast(x, ElementType::kBFloat16)), (std::vector<double>{1, 1, 1.015625, -3}));
}

TEST(Cast, KeepsLargeIntegers) {
  const int64_t large = (int64_t{1} << 53) + 1;
  EXPECT_EQ(ToInt64s(Cast(Tensor::Vector<int64_t>({large}), ElementType::kUint64))[0], large);
}

TEST(MemoryAccount, CountsWhatThereIsAtOneTime) {
  const MemoryAccount account(4096);
  Tensor first = Tensor::Make(ElementType::kInt8, {4096});
  const Tensor same = first;
  EXPECT_THROW(Tensor::Make(ElementType::kInt8, {1}), OverMemoryLimit);
  first = Tensor();
  EXPECT_THROW(Tensor::Make(ElementType::kInt8, {1}), OverMemoryLimit) << "a copy holds it";
}

TEST(MemoryAccount, TakesBackWhatAnyThreadFrees) {
  const MemoryAccount account(4096);
  for (int i = 0; i < 3; ++i) {
    auto tensor = std::make_unique<Tensor>(Tensor::Make(ElementType::kInt8, {4096}));
    std::thread([&] { tensor.reset(); }).join();
  }
}

TEST(MemoryAccount, SaysHowMuchItWouldHaveBeen) {
  const MemoryAccount account(1000);
  const Tensor held = Tensor::Make(ElementType::kInt8, {640});
  try {
    Tensor::Make(ElementType::kFloat32, {1 << 20});
    FAIL() << "more than the limit";
  } catch (const OverMemoryLimit& over) {
    EXPECT_EQ(over.bytes(), 640 + (4 << 20));
    EXPECT_EQ(over.limit(), 1000);
  }
}

TEST(MemoryAccount, GrowsWithWhatIsRead) {
  const MemoryAccount account(64, 8);
  EXPECT_THROW(Tensor::Make(ElementType::kInt8, {864}), OverMemoryLimit);
  MemoryAccount::CountRead(100);
  Tensor::Make(ElementType::kInt8, {832});
  EXPECT_THROW(Tensor::Make(ElementType::kInt8, {896}), OverMemoryLimit);
}

TEST(MemoryAccount, ReachesNoOtherThreadAndNothingBehindItsEnd) {
  {
    const MemoryAccount outer(64);
    {
      const MemoryAccount inner(4096);
      Tensor::Make(ElementType::kInt8, {4096});
    }
    EXPECT_THROW(Tensor::Make(ElementType::kInt8, {65}), OverMemoryLimit);
    std::thread([] { Tensor::Make(ElementType::kInt8, {4096}); }).join();
  }
  EXPECT_EQ(MemoryAccount::Current(), nullptr);
  Tensor::Make(ElementType::kInt8, {4096});
}

}  // namespace
}  // namespace pleat::runtime
