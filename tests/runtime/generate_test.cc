// ConstantOfShape, Range, NonZero, OneHot, Trilu.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/runtime/movement_support.h"

namespace pleat::tests {
namespace {

namespace fb = runtime::fb;

fb::ConstantOfShapeT Constant(ElementType to, double value, int64_t int_value) {
  fb::ConstantOfShapeT fields;
  fields.to = static_cast<uint8_t>(to);
  fields.value = value;
  fields.int_value = int_value;
  return fields;
}

fb::OneHotT OneHot(int64_t axis) {
  fb::OneHotT fields;
  fields.axis = axis;
  return fields;
}

fb::TriluT Trilu(bool upper) {
  fb::TriluT fields;
  fields.upper = upper;
  return fields;
}

template <class T>
Tensor Scalar(T value) {
  return Tensor::Of<T>({}, std::span<const T>(&value, 1));
}

const fb::RangeT kRange;

TEST(ConstantOfShape, FillsWithItsValue) {
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kFloat32, 7, 3), {Longs({2, 2})})),
            "float32[2,2] 7 7 7 7");
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kFloat16, 7, 3), {Longs({2})})), "float16[2] 7 7");
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kInt64, 7, INT64_MIN), {Longs({1})})),
            "int64[1] -9223372036854775808");
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kBool, 0, 1), {Longs({3})})), "bool[3] 1 1 1");
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kInt32, 0, -5), {Longs({})})), "int32[] -5");
  EXPECT_EQ(Text(Evaluate(Constant(ElementType::kInt32, 0, -5), {Longs({2, 0})})), "int32[2,0]");
}

TEST(ConstantOfShape, RefusesHostileShapes) {
  const auto fields = Constant(ElementType::kFloat32, 0, 0);
  EXPECT_EQ(Text(Evaluate(fields, {Longs({-1})})), "3: shape: negative size -1");
  EXPECT_EQ(Text(Evaluate(fields, {Longs({INT64_MAX, INT64_MAX})})),
            "6: float32[9223372036854775807,9223372036854775807] has more than 2^42 bytes");
  EXPECT_EQ(Text(Evaluate(Constant(static_cast<ElementType>(200), 0, 0), {Longs({1})})),
            "3: to: expected an element type below 13, got 200");
  EXPECT_EQ(Text(InferTypes(fields, {LongType({3})})), "float32[?,?,?]");
  EXPECT_EQ(Text(InferTypes(fields, {LongType({-1})})), "float32[...]");
  EXPECT_EQ(PrepareStatus(fields, {LongType({1})}, {FloatType({4})}).message(),
            "the shape must be known before the run");
}

TEST(Range, CountsUpAndDown) {
  EXPECT_EQ(Text(Evaluate(kRange, {Long(3), Long(9), Long(3)})), "int64[2] 3 6");
  EXPECT_EQ(Text(Evaluate(kRange, {Long(10), Long(3), Long(-3)})), "int64[3] 10 7 4");
  EXPECT_EQ(Text(Evaluate(kRange, {Long(3), Long(3), Long(1)})), "int64[0]");
  EXPECT_EQ(Text(Evaluate(kRange, {Long(0), Long(9), Long(-1)})), "int64[0]");
  const auto widest = Evaluate(kRange, {Long(INT64_MIN), Long(INT64_MAX), Long(INT64_MAX)});
  EXPECT_EQ(runtime::ToInt64s((*widest)[0]), (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX - 1}));
  EXPECT_EQ(Text(Evaluate(kRange, {Scalar<int16_t>(-2), Scalar<int16_t>(1), Scalar<int16_t>(1)})),
            "int16[3] -2 -1 0");
  EXPECT_EQ(Numbers(Evaluate(kRange, {Scalar(1.0f), Scalar(2.0f), Scalar(0.25f)})),
            (Doubles{1, 1.25, 1.5, 1.75}));
  EXPECT_EQ(Numbers(Evaluate(kRange, {Scalar(1.0), Scalar(-0.5), Scalar(-0.5)})),
            (Doubles{1, 0.5, 0}));
}

TEST(Range, RefusesWhatIsNoRange) {
  EXPECT_EQ(Text(Evaluate(kRange, {Long(0), Long(1), Long(0)})),
            "3: delta: expected a number other than 0");
  EXPECT_EQ(Text(Evaluate(kRange, {Long(INT64_MIN), Long(INT64_MAX), Long(1)})),
            "6: a range of 18446744073709551615 numbers");
  EXPECT_FALSE(Evaluate(kRange, {Scalar(0.0f), Scalar(1.0f), Scalar(0.0f)}).ok());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(Evaluate(kRange, {Scalar(nan), Scalar(1.0f), Scalar(1.0f)}).ok());
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Evaluate(kRange, {Scalar(0.0f), Scalar(infinity), Scalar(1.0f)}).status().code(),
            runtime::StatusCode::kLimitExceeded);
  EXPECT_EQ(Text(Evaluate(kRange, {Long(0), Scalar(1.0f), Long(0)})),
            "3: expected start and limit of one type, got int64 and float32");
  EXPECT_EQ(Text(Evaluate(kRange, {Longs({0, 1}), Long(1), Long(1)})),
            "3: start: expected a scalar, got int64[2]");
  EXPECT_EQ(Text(Evaluate(kRange, {Scalar(true), Scalar(true), Scalar(true)})),
            "4: start: expected float32, float64, int16, int32 or int64, got bool");
  EXPECT_EQ(Text(InferTypes(kRange, {LongType({}), LongType({}), LongType({})})), "int64[?]");
  EXPECT_EQ(
      PrepareStatus(kRange, {LongType({}), LongType({}), LongType({})}, {LongType({2})}).message(),
      "start, limit and delta must be known before the run");
}

TEST(NonZero, ListsCoordinatesInOrder) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::Of<float>({2, 3}, std::vector<float>{0, 1, -0.0f, nan, 0, -2});
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {x})), "int64[2,3] 0 1 1 1 0 2");
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {Longs({0, 7, 0, INT64_MIN})})), "int64[1,2] 1 3");
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {runtime::Cast(x, ElementType::kFloat16)})),
            "int64[2,3] 0 1 1 1 0 2");
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {Tensor::Vector(std::vector<uint8_t>{0, 128})})),
            "int64[1,1] 1");
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {Longs({0, 0})})), "int64[1,0]");
  EXPECT_EQ(Text(Evaluate(fb::NonZeroT{}, {Long(5)})), "int64[0,1]");
  EXPECT_EQ(Text(InferTypes(fb::NonZeroT{}, {FloatType({-1, 3})})), "int64[2,?]");
  EXPECT_EQ(PrepareStatus(fb::NonZeroT{}, {FloatType({3})}, {LongType({1, 3})}).code(),
            runtime::StatusCode::kUnsupported);
}

TEST(OneHot, MarksThePlaceOfEachIndex) {
  const Tensor values = Longs({-1, 1});
  EXPECT_EQ(Text(Evaluate(OneHot(-1), {Longs({0, -1, 3}), Long(3), values})),
            "int64[3,3] 1 -1 -1 -1 -1 1 -1 -1 -1");
  EXPECT_EQ(Text(Evaluate(OneHot(0), {Longs({1, 0}), Long(2), values})), "int64[2,2] -1 1 1 -1");
  EXPECT_EQ(Text(Evaluate(OneHot(0), {Scalar(1.9f), Scalar(2.0f), Counting({2})})),
            "float32[2] 0 1");
  EXPECT_EQ(Text(Evaluate(OneHot(-1), {Longs({1}), Long(0), values})), "int64[1,0]");
  EXPECT_EQ(Text(Evaluate(OneHot(2), {Longs({1}), Long(2), values})),
            "3: axis 2 is outside [-2, 2)");
  EXPECT_EQ(Text(Evaluate(OneHot(0), {Longs({1}), Long(2), Longs({1})})),
            "3: values: expected the 2 values off and on, got int64[1]");
  EXPECT_FALSE(Evaluate(OneHot(0), {Longs({1}), Long(-1), values}).ok());
  EXPECT_FALSE(Evaluate(OneHot(0), {Longs({1}), Long(INT64_MAX), values}).ok());
  EXPECT_FALSE(Evaluate(OneHot(0), {Longs({1}), Longs({2, 2}), values}).ok());
  EXPECT_EQ(Text(Evaluate(OneHot(0), {Tensor::Vector(std::vector<uint8_t>{1}), Long(2), values})),
            "4: indices: expected int64, int32, float32 or float64, got uint8");
  EXPECT_EQ(Text(InferTypes(OneHot(1), {LongType({2, 3}), LongType({}), FloatType({2})})),
            "float32[2,?,3]");
  EXPECT_EQ(PrepareStatus(OneHot(0), {LongType({}), LongType({}), FloatType({2})}, {FloatType({3})})
                .message(),
            "the depth must be known before the run");
}

TEST(Trilu, KeepsOneTriangle) {
  const Tensor x = Tensor::Of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(Text(Evaluate(Trilu(true), {x})), "float32[2,3] 1 2 3 0 5 6");
  EXPECT_EQ(Text(Evaluate(Trilu(false), {x})), "float32[2,3] 1 0 0 4 5 0");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {x, Long(1)})), "float32[2,3] 0 2 3 0 0 6");
  EXPECT_EQ(Text(Evaluate(Trilu(false), {x, Long(-1)})), "float32[2,3] 0 0 0 4 0 0");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {x, Long(INT64_MIN)})), "float32[2,3] 1 2 3 4 5 6");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {x, Long(INT64_MAX)})), "float32[2,3] 0 0 0 0 0 0");
  EXPECT_EQ(Text(Evaluate(Trilu(false), {x, Scalar<int32_t>(9)})), "float32[2,3] 1 2 3 4 5 6");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {Longs({1, 2, 3, 4}).Reshaped({2, 2, 1})})),
            "int64[2,2,1] 1 0 3 0");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {Counting({0, 3})})), "float32[0,3]");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {Counting({3})})),
            "3: expected at least 2 axes, got float32[3]");
  EXPECT_EQ(Text(Evaluate(Trilu(true), {x, Longs({1, 2})})),
            "3: k: expected a scalar, got int64[2]");
}

}  // namespace
}  // namespace pleat::tests
