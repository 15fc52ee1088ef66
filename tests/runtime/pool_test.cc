#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using tests::Evaluate;
using tests::InferTypes;
using tests::Numbers;
using Doubles = std::vector<double>;

fb::PoolT Pool(fb::PoolKind kind, std::vector<int64_t> kernel, std::vector<int64_t> strides = {},
               std::vector<int64_t> pads = {}) {
  fb::PoolT fields;
  fields.kind = kind;
  fields.window = std::make_unique<fb::WindowT>();
  fields.window->kernel = std::move(kernel);
  fields.window->strides = std::move(strides);
  fields.window->pads = std::move(pads);
  return fields;
}

// 0, 1, 2, ... as [1,1,height,width].
Tensor Ramp(int64_t height, int64_t width) {
  Tensor tensor = Tensor::Make(ElementType::kFloat32, {1, 1, height, width});
  float value = 0;
  for (float& element : tensor.mutable_data<float>()) element = value++;
  return tensor;
}

TEST(Pool, TakesMaximaAndTheirPositions) {
  auto fields = Pool(fb::PoolKind::Max, {2, 2}, {2, 2});
  const auto result = Evaluate(std::move(fields), {Ramp(4, 4)}, 2);
  EXPECT_EQ(Numbers(result), (Doubles{5, 7, 13, 15}));
  EXPECT_EQ(ToInt64s((*result)[1]), (std::vector<int64_t>{5, 7, 13, 15}));
}

TEST(Pool, CountsPositionsColumnMajorWhenAsked) {
  auto fields = Pool(fb::PoolKind::Max, {2, 2}, {2, 2});
  fields.storage_order = 1;
  const auto result = Evaluate(std::move(fields), {Ramp(4, 4)}, 2);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(ToInt64s((*result)[1]), (std::vector<int64_t>{5, 13, 7, 15}));
}

TEST(Pool, PositionsCountChannelsFirstInEitherLayout) {
  auto fields = Pool(fb::PoolKind::Max, {2});
  fields.channels_last = true;
  const auto result = Evaluate(
      std::move(fields), {Tensor::Of<float>({1, 3, 2}, std::vector<float>{1, 9, 2, 8, 3, 7})}, 2);
  EXPECT_EQ(Numbers(result), (Doubles{2, 9, 3, 8}));
  EXPECT_EQ(ToInt64s((*result)[1]), (std::vector<int64_t>{1, 3, 2, 4}));
}

TEST(Pool, AveragesWithAndWithoutThePad) {
  auto without = Pool(fb::PoolKind::Average, {2, 2}, {2, 2}, {1, 1, 1, 1});
  EXPECT_EQ(Numbers(Evaluate(std::move(without), {Ramp(2, 2)})), (Doubles{0, 1, 2, 3}));
  auto with = Pool(fb::PoolKind::Average, {2, 2}, {2, 2}, {1, 1, 1, 1});
  with.count_include_pad = true;
  EXPECT_EQ(Numbers(Evaluate(std::move(with), {Ramp(2, 2)})), (Doubles{0, .25, .5, .75}));
}

TEST(Pool, CeilModeDividesByThePaddedPartOfTheLastWindow) {
  auto fields = Pool(fb::PoolKind::Average, {3}, {2}, {1, 0});
  fields.ceil_mode = true;
  fields.count_include_pad = true;
  const Tensor x = Tensor::Of<float>({1, 1, 4}, std::vector<float>{3, 6, 9, 12});
  EXPECT_EQ(Numbers(Evaluate(std::move(fields), {x})), (Doubles{3, 9}));
  auto longer = Pool(fb::PoolKind::Average, {3}, {2});
  longer.ceil_mode = true;
  longer.count_include_pad = true;
  EXPECT_EQ(Numbers(Evaluate(std::move(longer), {x})), (Doubles{6, 10.5}));
}

TEST(Pool, CeilModeDropsAWindowThatWouldStartInTheEndPad) {
  auto fields = Pool(fb::PoolKind::Max, {1}, {2}, {0, 0});
  fields.ceil_mode = true;
  const auto types = InferTypes(std::move(fields), {Type{ElementType::kFloat32, true, {1, 1, 2}}});
  ASSERT_TRUE(types.ok());
  EXPECT_EQ((*types)[0].shape, (Shape{1, 1, 1}));
}

TEST(Pool, TakesNormsOfOrderP) {
  auto fields = Pool(fb::PoolKind::Lp, {2});
  const Tensor x = Tensor::Of<float>({1, 1, 3}, std::vector<float>{3, -4, 3});
  EXPECT_EQ(Numbers(Evaluate(std::move(fields), {x})), (Doubles{5, 5}));
  auto absolute = Pool(fb::PoolKind::Lp, {2});
  absolute.p = 1;
  EXPECT_EQ(Numbers(Evaluate(std::move(absolute), {x})), (Doubles{7, 7}));
}

TEST(Pool, SmallIntegersAreOrderedExactly) {
  auto fields = Pool(fb::PoolKind::Max, {2});
  const Tensor x = Tensor::Of<int64_t>({1, 1, 2}, std::vector<int64_t>{(1ll << 60) + 1, 1ll << 60});
  const auto result = Evaluate(std::move(fields), {x});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)[0].data<int64_t>()[0], (1ll << 60) + 1);
}

TEST(Pool, NaNWinsEveryMaximum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& values :
       {std::vector<float>{1, nan, 2}, {nan, 1, 2}, {1, 2, nan}}) {
    auto fields = Pool(fb::PoolKind::Max, {3});
    const auto result = Evaluate(std::move(fields), {Tensor::Of<float>({1, 1, 3}, values)});
    EXPECT_TRUE(std::isnan(Numbers(result).at(0)));
  }
}

TEST(Pool, AWindowOutsideTheImageIsDefined) {
  auto max = Pool(fb::PoolKind::Max, {2}, {}, {1, 1});
  max.window->dilations = {2};
  const Tensor one = Tensor::Of<float>({1, 1, 1}, std::vector<float>{7});
  const auto result = Evaluate(std::move(max), {one}, 2);
  EXPECT_EQ(Numbers(result), (Doubles{-std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(ToInt64s((*result)[1]), (std::vector<int64_t>{-1}));
  auto average = Pool(fb::PoolKind::Average, {2}, {}, {1, 1});
  average.window->dilations = {2};
  EXPECT_EQ(Numbers(Evaluate(std::move(average), {one})), (Doubles{0}));
}

TEST(Pool, InfersWithUnknownSizes) {
  auto fields = Pool(fb::PoolKind::Max, {3, 3}, {2, 2}, {1, 1, 1, 1});
  fields.channels_last = true;
  auto types =
      InferTypes(fb::PoolT(fields),
                 {Type{ElementType::kFloat32, true, {kUnknownDim, 7, kUnknownDim, 5}}}, {}, 2);
  ASSERT_TRUE(types.ok()) << types.status().message();
  EXPECT_EQ((*types)[0].shape, (Shape{kUnknownDim, 4, kUnknownDim, 5}));
  EXPECT_EQ((*types)[1].element, ElementType::kInt64);
  types = InferTypes(std::move(fields), {Type{ElementType::kFloat32, false, {}}});
  ASSERT_TRUE(types.ok());
  EXPECT_FALSE((*types)[0].ranked);
}

TEST(Pool, RefusesFieldsThatMakeNoSense) {
  const int64_t huge = std::numeric_limits<int64_t>::max();
  const std::optional<Type> x = Type{ElementType::kFloat32, true, {1, 2, 8, kUnknownDim}};
  const auto code = [&](fb::PoolT fields) {
    return InferTypes(std::move(fields), {x}).status().code();
  };
  using enum StatusCode;
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, 3})), kOk);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {0, 3})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, -1})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {huge, huge})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, 3, 3})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, 3}, {0, 1})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, 3}, {1, 1}, {3, 0, 0, 0})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {3, 3}, {1, 1}, {0, 0, 0, 3})), kInvalidModel);
  EXPECT_EQ(code(Pool(fb::PoolKind::Max, {9, 3})), kInvalidModel);
  EXPECT_EQ(code(Pool(static_cast<fb::PoolKind>(9), {3, 3})), kInvalidModel);
  auto dilated = Pool(fb::PoolKind::Max, {3, 1 << 30});
  dilated.window->dilations = {1, 1ll << 40};
  EXPECT_EQ(code(std::move(dilated)), kLimitExceeded);
  auto p = Pool(fb::PoolKind::Lp, {3, 3});
  p.p = 0;
  EXPECT_EQ(code(std::move(p)), kInvalidModel);
  auto order = Pool(fb::PoolKind::Max, {3, 3});
  order.storage_order = 2;
  EXPECT_EQ(code(std::move(order)), kInvalidModel);
}

TEST(Pool, RefusesTypesAndRanksItCannotPool) {
  const auto code = [](Type x, fb::PoolKind kind, size_t outputs = 1) {
    return InferTypes(Pool(kind, {1}), {x}, {}, outputs).status().code();
  };
  using enum StatusCode;
  EXPECT_EQ(code({ElementType::kInt32, true, {1, 1, 1}}, fb::PoolKind::Average), kUnsupported);
  EXPECT_EQ(code({ElementType::kBool, true, {1, 1, 1}}, fb::PoolKind::Max), kUnsupported);
  EXPECT_EQ(code({ElementType::kFloat32, true, {1, 1}}, fb::PoolKind::Max), kInvalidModel);
  EXPECT_EQ(code({ElementType::kFloat32, true, {1, 1, 1}}, fb::PoolKind::Average, 2),
            kInvalidModel);
}

}  // namespace
}  // namespace pleat::runtime
