// Numbers "from ONNX" are those of the standard's own node tests.
#include <gtest/gtest.h>

#include <limits>

#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using tests::Evaluate;
using tests::InferTypes;
using tests::Numbers;
using Doubles = std::vector<double>;
using Mode = fb::ResizeMode;
using Coordinates = fb::CoordinateMode;

// 1, 2, 3, ... as [1,1,height,width].
Tensor Ramp(int64_t height, int64_t width) {
  Tensor tensor = Tensor::Make(ElementType::kFloat32, {1, 1, height, width});
  float value = 1;
  for (float& element : tensor.mutable_data<float>()) element = value++;
  return tensor;
}

Tensor Scales(const std::vector<float>& scales) { return Tensor::Vector<float>(scales); }
Tensor Sizes(const std::vector<int64_t>& sizes) { return Tensor::Vector<int64_t>(sizes); }

fb::ResizeT Resize(Mode mode, Coordinates coordinates = Coordinates::HalfPixel) {
  fb::ResizeT fields;
  fields.mode = mode;
  fields.coordinates = coordinates;
  return fields;
}

void ExpectNear(const Doubles& got, const Doubles& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST(Resize, LinearIsAsOnnxHasIt) {
  ExpectNear(
      Numbers(Evaluate(Resize(Mode::Linear), {Ramp(2, 4), Tensor(), Scales({1, 1, 0.6f, 0.6f})})),
      {2.6666665, 4.333333});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Linear, Coordinates::AlignCorners),
                              {Ramp(2, 4), Tensor(), Scales({1, 1, 0.6f, 0.6f})})),
             {1, 3.1428571});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Linear), {Ramp(2, 2), Tensor(), Scales({1, 1, 2, 2})})),
             {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Linear, Coordinates::PytorchHalfPixel),
                              {Ramp(4, 4), Tensor(), Tensor(), Sizes({1, 1, 3, 1})})),
             {1.6666666, 7, 12.333333});
}

TEST(Resize, CubicIsAsOnnxHasIt) {
  const Tensor scales = Scales({1, 1, 0.8f, 0.8f});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Cubic), {Ramp(4, 4), Tensor(), scales})),
             {1.4711914, 2.78125, 4.0825195, 6.7114258, 8.0214844, 9.3227539, 11.916504, 13.226562,
              14.527832});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Cubic, Coordinates::AlignCorners),
                              {Ramp(4, 4), Tensor(), scales})),
             {1, 2.3951917, 3.7903831, 6.5807662, 7.9759579, 9.3711491, 12.1615324, 13.5567236,
              14.9519157});
  auto exclude = Resize(Mode::Cubic);
  exclude.cubic_a = -0.5;
  exclude.exclude_outside = true;
  ExpectNear(Numbers(Evaluate(std::move(exclude), {Ramp(4, 4), Tensor(), scales})),
             {1.3681267, 2.6695013, 4.0133367, 6.5736251, 7.875, 9.2188349, 11.948966, 13.2503414,
              14.5941763});
}

TEST(Resize, NearestIsAsOnnxHasIt) {
  EXPECT_EQ(Numbers(Evaluate(Resize(Mode::Nearest), {Ramp(2, 2), Tensor(), Scales({1, 1, 2, 3})})),
            (Doubles{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}));
  auto corners = Resize(Mode::Nearest, Coordinates::AlignCorners);
  corners.nearest = fb::NearestMode::Floor;
  corners.axes = {3};
  EXPECT_EQ(Numbers(Evaluate(std::move(corners), {Ramp(1, 4), Tensor(), Tensor(), Sizes({8})})),
            (Doubles{1, 1, 1, 2, 2, 3, 3, 4}));
}

TEST(Resize, NearestModesRoundAsTheyAreNamed) {
  const Tensor x = Ramp(1, 2);
  const auto numbers = [&](fb::NearestMode nearest) {
    auto fields = Resize(Mode::Nearest, Coordinates::Asymmetric);
    fields.nearest = nearest;
    fields.axes = {-1};
    return Numbers(Evaluate(std::move(fields), {x, Tensor(), Scales({2})}));
  };
  EXPECT_EQ(numbers(fb::NearestMode::RoundPreferFloor), (Doubles{1, 1, 2, 2}));
  EXPECT_EQ(numbers(fb::NearestMode::RoundPreferCeil), (Doubles{1, 2, 2, 2}));
  EXPECT_EQ(numbers(fb::NearestMode::Floor), (Doubles{1, 1, 2, 2}));
  EXPECT_EQ(numbers(fb::NearestMode::Ceil), (Doubles{1, 2, 2, 2}));
}

TEST(Resize, NearestReadsTheExactPixelWhenTheRatioIsWhole) {
  for (int64_t size : {3, 7, 11, 49}) {
    for (int64_t factor : {3, 5, 7}) {
      auto fields = Resize(Mode::Nearest, Coordinates::Asymmetric);
      fields.nearest = fb::NearestMode::Floor;
      const Doubles numbers = Numbers(Evaluate(
          std::move(fields), {Ramp(1, size), Tensor(), Tensor(), Sizes({1, 1, 1, size * factor})}));
      for (size_t i = 0; i < numbers.size(); ++i) {
        EXPECT_EQ(numbers[i], static_cast<double>(static_cast<int64_t>(i) / factor + 1));
      }
    }
  }
}

TEST(Resize, CroppedPositionsOutsideAreExtrapolated) {
  auto fields = Resize(Mode::Linear, Coordinates::TfCropAndResize);
  fields.extrapolation_value = 10;
  const Tensor roi = Scales({0, 0, 0.4f, 0.6f, 1, 1, 1.2f, 1.7f});
  ExpectNear(Numbers(Evaluate(std::move(fields), {Ramp(4, 4), roi, Tensor(), Sizes({1, 1, 3, 3})})),
             {7.6, 10, 10, 12.4, 10, 10, 10, 10, 10});
}

TEST(Resize, AntialiasAveragesWhatShrinks) {
  auto linear = Resize(Mode::Linear);
  linear.antialias = true;
  ExpectNear(
      Numbers(Evaluate(std::move(linear), {Ramp(4, 4), Tensor(), Scales({1, 1, 0.6f, 0.6f})})),
      {2.875, 4.5, 9.375, 11});
  auto cubic = Resize(Mode::Cubic);
  cubic.antialias = true;
  ExpectNear(
      Numbers(Evaluate(std::move(cubic), {Ramp(4, 4), Tensor(), Scales({1, 1, 0.6f, 0.6f})})),
      {2.5180721, 4.2858863, 9.589329, 11.357142});
}

TEST(Resize, WorksAlongAnyAxis) {
  const Tensor x = Tensor::Of<float>({2, 2, 1}, std::vector<float>{0, 2, 4, 8});
  ExpectNear(Numbers(Evaluate(Resize(Mode::Linear, Coordinates::AlignCorners),
                              {x, Tensor(), Tensor(), Sizes({3, 2, 2})})),
             {0, 0, 2, 2, 2, 2, 5, 5, 4, 4, 8, 8});
}

TEST(Resize, IntegersRoundAndStayExactWhenCopied) {
  auto axis = Resize(Mode::Linear, Coordinates::AlignCorners);
  const Tensor bytes = Tensor::Of<uint8_t>({2}, std::vector<uint8_t>{0, 255});
  const auto linear = Evaluate(std::move(axis), {bytes, Tensor(), Tensor(), Sizes({4})});
  EXPECT_EQ(Numbers(linear), (Doubles{0, 85, 170, 255}));
  const int64_t big = (int64_t{1} << 60) + 1;
  const auto copied = Evaluate(Resize(Mode::Nearest),
                               {Tensor::Vector<int64_t>({big}), Tensor(), Tensor(), Sizes({2})});
  ASSERT_TRUE(copied.ok()) << copied.status().message();
  EXPECT_EQ((*copied)[0].data<int64_t>()[1], big);
}

TEST(Resize, AspectPoliciesScaleAllAxesAlike) {
  const auto shape = [](fb::AspectPolicy aspect) {
    auto fields = Resize(Mode::Nearest);
    fields.aspect = aspect;
    fields.axes = {2, 3};
    const auto result =
        Evaluate(std::move(fields), {Ramp(2, 4), Tensor(), Tensor(), Sizes({7, 8})});
    return result.ok() ? (*result)[0].shape() : Shape{};
  };
  EXPECT_EQ(shape(fb::AspectPolicy::Stretch), (Shape{1, 1, 7, 8}));
  EXPECT_EQ(shape(fb::AspectPolicy::NotLarger), (Shape{1, 1, 4, 8}));
  EXPECT_EQ(shape(fb::AspectPolicy::NotSmaller), (Shape{1, 1, 7, 14}));
}

TEST(Resize, SameSizesAreAView) {
  EXPECT_EQ(Numbers(Evaluate(Resize(Mode::Cubic), {Ramp(1, 3), Tensor(), Scales({1, 1, 1, 1})})),
            (Doubles{1, 2, 3}));
}

TEST(Resize, InfersWhatItCan) {
  const Type x = {ElementType::kFloat32, true, {kUnknownDim, 3, 10, kUnknownDim}};
  const Type floats = {ElementType::kFloat32, true, {4}};
  const Type int64s = {ElementType::kInt64, true, {4}};
  const auto shape = [&](const std::vector<std::optional<Type>>& types,
                         const std::vector<Tensor>& known, fb::ResizeT fields) {
    const auto result = InferTypes(std::move(fields), types, known);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? (*result)[0].shape : Shape{};
  };
  const int64_t q = kUnknownDim;
  EXPECT_EQ(shape({x, std::nullopt, floats}, {Tensor(), Tensor(), Scales({1, 1, 0.7f, 2})},
                  Resize(Mode::Linear)),
            (Shape{q, 3, 7, q}));
  EXPECT_EQ(shape({x, std::nullopt, std::nullopt, int64s},
                  {Tensor(), Tensor(), Tensor(), Sizes({1, 3, 5, 6})}, Resize(Mode::Linear)),
            (Shape{1, 3, 5, 6}));
  auto two = Resize(Mode::Linear);
  two.axes = {2, 3};
  EXPECT_EQ(shape({x, std::nullopt, floats}, {}, std::move(two)), (Shape{q, 3, q, q}));
  const Type empty = {ElementType::kFloat32, true, {0}};
  EXPECT_EQ(shape({x, empty, empty, int64s}, {}, Resize(Mode::Linear)), (Shape{q, q, q, q}));
}

TEST(Resize, RefusesSizesBeyondItsTables) {
  const Tensor x = Tensor::Of<uint8_t>({1}, std::vector<uint8_t>{7});
  const Tensor sizes = Sizes({int64_t{1} << 33});
  const Type y = {ElementType::kUint8, true, {int64_t{1} << 33}};
  const Node node = MakeNode("resize", Resize(Mode::Nearest), {0, kNoValue, kNoValue, 1}, {2});
  const std::vector<Type> inputs = {x.type(), Type{}, Type{}, sizes.type()};
  const std::vector<const Tensor*> known = {&x, nullptr, nullptr, &sizes};
  PrepareContext context{
      .node = node, .inputs = inputs, .outputs = std::span(&y, 1), .known = known};
  EXPECT_EQ(RuleOf(node.op.type).prepare(context).code(), StatusCode::kLimitExceeded);
}

TEST(Resize, RefusesScalesAndSizesThatMakeNoSense) {
  const Type x = {ElementType::kFloat32, true, {1, 8}};
  const auto with_scales = [&](const std::vector<float>& scales, fb::ResizeT fields = {}) {
    const Tensor tensor = Scales(scales);
    return InferTypes(std::move(fields), {x, std::nullopt, tensor.type()},
                      {Tensor(), Tensor(), tensor})
        .status()
        .code();
  };
  const float infinity = std::numeric_limits<float>::infinity();
  using enum StatusCode;
  EXPECT_EQ(with_scales({1, 2}), kOk);
  EXPECT_EQ(with_scales({1, 0}), kInvalidModel);
  EXPECT_EQ(with_scales({1, -1}), kInvalidModel);
  EXPECT_EQ(with_scales({1, std::numeric_limits<float>::quiet_NaN()}), kInvalidModel);
  EXPECT_EQ(with_scales({1, infinity}), kInvalidModel);
  EXPECT_EQ(with_scales({1, 1e38f}), kLimitExceeded);
  EXPECT_EQ(with_scales({1, 2, 3}), kInvalidModel);
  auto axes = Resize(Mode::Nearest);
  axes.axes = {1, 1};
  EXPECT_EQ(with_scales({1, 2}, std::move(axes)), kInvalidModel);
  auto outside = Resize(Mode::Nearest);
  outside.axes = {0, 2};
  EXPECT_EQ(with_scales({1, 2}, std::move(outside)), kInvalidModel);
  EXPECT_EQ(with_scales({1, 2}, Resize(static_cast<Mode>(9))), kInvalidModel);
  EXPECT_EQ(with_scales({1, 2}, Resize(Mode::Linear, Coordinates::TfCropAndResize)), kInvalidModel);
  const auto with_sizes = [&](const std::vector<int64_t>& sizes, fb::ResizeT fields = {}) {
    const Tensor tensor = Sizes(sizes);
    return InferTypes(std::move(fields), {x, std::nullopt, std::nullopt, tensor.type()},
                      {Tensor(), Tensor(), Tensor(), tensor})
        .status()
        .code();
  };
  EXPECT_EQ(with_sizes({1, 3}), kOk);
  EXPECT_EQ(with_sizes({1, 0}), kOk);
  EXPECT_EQ(with_sizes({1, -3}), kInvalidModel);
  EXPECT_EQ(with_sizes({1, std::numeric_limits<int64_t>::max()}), kInvalidModel);
  EXPECT_EQ(with_sizes({3}), kInvalidModel);
  EXPECT_EQ(InferTypes(fb::ResizeT{}, {x}).status().code(), kInvalidModel);
}

}  // namespace
}  // namespace pleat::runtime
