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

fb::ReduceT Reduce(fb::ReduceKind kind, std::vector<int64_t> axes = {}, bool keepdims = true) {
  fb::ReduceT fields;
  fields.kind = kind;
  fields.axes = std::move(axes);
  fields.keepdims = keepdims;
  return fields;
}

Tensor Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::Of<float>(std::move(shape), values);
}

Type FloatType(Shape shape) { return {ElementType::kFloat32, true, std::move(shape)}; }

TEST(Reduce, ComputesEveryKind) {
  const Tensor x = Floats({2, 3}, {1, -2, 3, 2, 4, 2});
  const auto rows = [&](fb::ReduceKind kind) { return Numbers(Evaluate(Reduce(kind, {1}), {x})); };
  EXPECT_EQ(rows(fb::ReduceKind::Sum), (Doubles{2, 8}));
  EXPECT_FLOAT_EQ(static_cast<float>(rows(fb::ReduceKind::Mean)[1]), 8.0f / 3);
  EXPECT_EQ(rows(fb::ReduceKind::Max), (Doubles{3, 4}));
  EXPECT_EQ(rows(fb::ReduceKind::Min), (Doubles{-2, 2}));
  EXPECT_EQ(rows(fb::ReduceKind::Prod), (Doubles{-6, 16}));
  EXPECT_EQ(rows(fb::ReduceKind::L1), (Doubles{6, 8}));
  EXPECT_FLOAT_EQ(static_cast<float>(rows(fb::ReduceKind::L2)[0]), std::sqrt(14.0f));
  EXPECT_EQ(rows(fb::ReduceKind::SumSquare), (Doubles{14, 24}));
  EXPECT_FLOAT_EQ(static_cast<float>(rows(fb::ReduceKind::LogSum)[1]), std::log(8.0f));
  EXPECT_FLOAT_EQ(static_cast<float>(rows(fb::ReduceKind::LogSumExp)[0]),
                  static_cast<float>(std::log(std::exp(1) + std::exp(-2) + std::exp(3))));
}

TEST(Reduce, LogSumExpDoesNotOverflow) {
  const Tensor x = Floats({1, 2}, {1000, 1000});
  EXPECT_FLOAT_EQ(
      static_cast<float>(Numbers(Evaluate(Reduce(fb::ReduceKind::LogSumExp, {1}), {x})).at(0)),
      static_cast<float>(1000 + std::log(2)));
}

TEST(Reduce, TakesAnyAxesFromFieldOrInput) {
  Tensor x = Tensor::Make(ElementType::kFloat32, {2, 3, 4});
  float value = 0;
  for (float& element : x.mutable_data<float>()) element = value++;
  const auto field = Evaluate(Reduce(fb::ReduceKind::Sum, {0, -1}), {x});
  EXPECT_EQ(Numbers(field), (Doubles{60, 92, 124}));
  EXPECT_EQ((*field)[0].shape(), (Shape{1, 3, 1}));
  const auto input =
      Evaluate(Reduce(fb::ReduceKind::Sum, {}, false), {x, Tensor::Vector<int64_t>({2, 0})});
  EXPECT_EQ(Numbers(input), (Doubles{60, 92, 124}));
  EXPECT_EQ((*input)[0].shape(), (Shape{3}));
  const auto all = Evaluate(Reduce(fb::ReduceKind::Sum, {}, false), {x});
  EXPECT_EQ(Numbers(all), (Doubles{276}));
  EXPECT_EQ((*all)[0].shape(), Shape{});
}

TEST(Reduce, LeavesTheInputAloneWithoutAxesWhenAsked) {
  auto fields = Reduce(fb::ReduceKind::SumSquare);
  fields.noop_with_empty_axes = true;
  const Tensor x = Floats({2}, {3, 4});
  EXPECT_EQ(Numbers(Evaluate(fb::ReduceT(fields), {x})), (Doubles{3, 4}));
  EXPECT_EQ(Numbers(Evaluate(std::move(fields), {x, Tensor::Vector<int64_t>({})})),
            (Doubles{3, 4}));
}

TEST(Reduce, AxesOfSizeOneStillTransform) {
  EXPECT_EQ(Numbers(Evaluate(Reduce(fb::ReduceKind::L1, {1}), {Floats({2, 1}, {-3, 4})})),
            (Doubles{3, 4}));
  EXPECT_EQ(Numbers(Evaluate(Reduce(fb::ReduceKind::L1), {Floats({}, {-3})})), (Doubles{3}));
}

TEST(Reduce, OverNothingGivesTheNeutralNumber) {
  const Tensor x = Tensor::Make(ElementType::kFloat32, {2, 0});
  const auto rows = [&](fb::ReduceKind kind) { return Numbers(Evaluate(Reduce(kind, {1}), {x})); };
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(rows(fb::ReduceKind::Sum), (Doubles{0, 0}));
  EXPECT_EQ(rows(fb::ReduceKind::Prod), (Doubles{1, 1}));
  EXPECT_EQ(rows(fb::ReduceKind::Max), (Doubles{-infinity, -infinity}));
  EXPECT_EQ(rows(fb::ReduceKind::Min), (Doubles{infinity, infinity}));
  EXPECT_EQ(rows(fb::ReduceKind::LogSumExp), (Doubles{-infinity, -infinity}));
  EXPECT_TRUE(std::isnan(rows(fb::ReduceKind::Mean).at(0)));
  const Tensor none = Tensor::Make(ElementType::kFloat32, {0, 2});
  EXPECT_EQ(rows(fb::ReduceKind::Sum).size(), 2u);
  EXPECT_TRUE(Numbers(Evaluate(Reduce(fb::ReduceKind::Sum, {1}), {none})).empty());
}

TEST(Reduce, IntegersStayExactAndWrap) {
  const int64_t big = (int64_t{1} << 62) + 1;
  const Tensor x = Tensor::Vector<int64_t>({big, big, 1});
  const auto one = [&](fb::ReduceKind kind, const Tensor& tensor) {
    const auto result = Evaluate(Reduce(kind), {tensor});
    return result.ok() ? (*result)[0].data<int64_t>()[0] : -1;
  };
  EXPECT_EQ(one(fb::ReduceKind::Sum, x), std::numeric_limits<int64_t>::min() + 3);
  EXPECT_EQ(one(fb::ReduceKind::Max, x), big);
  EXPECT_EQ(one(fb::ReduceKind::Prod, Tensor::Vector<int64_t>({3, -5})), -15);
  EXPECT_EQ(one(fb::ReduceKind::L1, Tensor::Vector<int64_t>({3, -5})), 8);
  EXPECT_EQ(one(fb::ReduceKind::Mean, Tensor::Vector<int64_t>({3, 4})), 3);
}

TEST(Reduce, InfersWhatItCan) {
  const Type x = FloatType({2, kUnknownDim, 4});
  auto types = InferTypes(Reduce(fb::ReduceKind::Sum, {0}, false), {x});
  EXPECT_EQ((*types)[0].shape, (Shape{kUnknownDim, 4}));
  const Type axes = {ElementType::kInt64, true, {kUnknownDim}};
  types = InferTypes(Reduce(fb::ReduceKind::Sum), {x, axes});
  EXPECT_EQ((*types)[0].shape, (Shape{kUnknownDim, kUnknownDim, kUnknownDim}));
  types = InferTypes(Reduce(fb::ReduceKind::Sum, {}, false), {x, axes});
  EXPECT_FALSE((*types)[0].ranked);
  types =
      InferTypes(Reduce(fb::ReduceKind::Sum, {}, false), {Type{ElementType::kFloat32, false, {}}});
  EXPECT_EQ((*types)[0], FloatType({}));
}

TEST(Reduce, RefusesAxesAndTypesThatMakeNoSense) {
  const auto code = [](fb::ReduceT fields, Type x = FloatType({2, 3})) {
    return InferTypes(std::move(fields), {x}).status().code();
  };
  using enum StatusCode;
  EXPECT_EQ(code(Reduce(fb::ReduceKind::Sum, {2})), kInvalidModel);
  EXPECT_EQ(code(Reduce(fb::ReduceKind::Sum, {-3})), kInvalidModel);
  EXPECT_EQ(code(Reduce(fb::ReduceKind::Sum, {1, -1})), kInvalidModel);
  EXPECT_EQ(code(Reduce(fb::ReduceKind::Sum, {std::numeric_limits<int64_t>::min()})),
            kInvalidModel);
  EXPECT_EQ(code(Reduce(static_cast<fb::ReduceKind>(77))), kInvalidModel);
  EXPECT_EQ(code(Reduce(fb::ReduceKind::Sum), {ElementType::kBool, true, {2}}), kUnsupported);
  EXPECT_EQ(
      InferTypes(Reduce(fb::ReduceKind::Sum), {FloatType({2}), FloatType({1})}).status().code(),
      kInvalidModel);
}

}  // namespace
}  // namespace pleat::runtime
