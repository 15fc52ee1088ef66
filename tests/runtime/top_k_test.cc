// TopK, ArgReduce and CumSum: operators along one axis.
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
using Int64s = std::vector<int64_t>;

const float kNaN = std::numeric_limits<float>::quiet_NaN();

Tensor Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::Of<float>(std::move(shape), values);
}
Type FloatType(Shape shape) { return {ElementType::kFloat32, true, std::move(shape)}; }
const Type kInt64Scalar = {ElementType::kInt64, true, {1}};

TEST(TopK, SortsAndKeepsTheFirstOfEquals) {
  const Tensor x = Floats({5}, {3, 1, 3, 5, 1});
  auto result = Evaluate(fb::TopKT{}, {x, Tensor::Vector<int64_t>({3})}, 2);
  EXPECT_EQ(Numbers(result), (Doubles{5, 3, 3}));
  EXPECT_EQ(ToInt64s((*result)[1]), (Int64s{3, 0, 2}));
  fb::TopKT smallest;
  smallest.largest = false;
  result = Evaluate(std::move(smallest), {x, Tensor::Vector<int64_t>({3})}, 2);
  EXPECT_EQ(Numbers(result), (Doubles{1, 1, 3}));
  EXPECT_EQ(ToInt64s((*result)[1]), (Int64s{1, 4, 0}));
}

TEST(TopK, WorksAlongAnyAxisAndPutsNaNFirst) {
  fb::TopKT fields;
  fields.axis = 0;
  const Tensor x = Floats({3, 2}, {1, 7, kNaN, 9, 2, 8});
  const auto result = Evaluate(std::move(fields), {x, Tensor::Vector<int64_t>({2})}, 2);
  const Doubles values = Numbers(result);
  EXPECT_TRUE(std::isnan(values.at(0)));
  EXPECT_EQ(values.at(2), 2);
  EXPECT_EQ(ToInt64s((*result)[1]), (Int64s{1, 1, 2, 2}));
}

TEST(TopK, RefusesAKBeyondTheAxis) {
  const auto code = [](int64_t k, Shape shape = {4}) {
    return InferTypes(fb::TopKT{}, {FloatType(shape), kInt64Scalar},
                      {Tensor(), Tensor::Vector<int64_t>({k})}, 2)
        .status()
        .code();
  };
  EXPECT_EQ(code(4), StatusCode::kOk);
  EXPECT_EQ(code(5), StatusCode::kInvalidModel);
  EXPECT_EQ(code(-1), StatusCode::kInvalidModel);
  EXPECT_EQ(code(1, {}), StatusCode::kInvalidModel);
  EXPECT_EQ(code(9, {kUnknownDim}), StatusCode::kOk);
  const auto types = InferTypes(fb::TopKT{}, {FloatType({2, 4}), kInt64Scalar}, {}, 2);
  ASSERT_TRUE(types.ok());
  EXPECT_EQ((*types)[1], (Type{ElementType::kInt64, true, {2, kUnknownDim}}));
}

TEST(ArgReduce, FindsFirstOrLastExtreme) {
  const Tensor x = Floats({2, 4}, {1, 3, 3, 0, 0, -2, 5, -2});
  const auto positions = [&](bool max, bool last) {
    fb::ArgReduceT fields;
    fields.max = max;
    fields.axis = -1;
    fields.keepdims = false;
    fields.last_index = last;
    return Numbers(Evaluate(std::move(fields), {x}));
  };
  EXPECT_EQ(positions(true, false), (Doubles{1, 2}));
  EXPECT_EQ(positions(true, true), (Doubles{2, 2}));
  EXPECT_EQ(positions(false, false), (Doubles{3, 1}));
  EXPECT_EQ(positions(false, true), (Doubles{3, 3}));
}

TEST(ArgReduce, NaNWins) {
  fb::ArgReduceT first, last;
  first.max = last.max = true;
  last.last_index = true;
  const Tensor x = Floats({4}, {9, kNaN, kNaN, 10});
  EXPECT_EQ(Numbers(Evaluate(std::move(first), {x})), (Doubles{1}));
  EXPECT_EQ(Numbers(Evaluate(std::move(last), {x})), (Doubles{2}));
}

TEST(ArgReduce, RefusesEmptyAndMissingAxes) {
  const auto code = [](int64_t axis, Shape shape) {
    fb::ArgReduceT fields;
    fields.axis = axis;
    return InferTypes(std::move(fields), {FloatType(std::move(shape))}).status().code();
  };
  EXPECT_EQ(code(1, {2, 3}), StatusCode::kOk);
  EXPECT_EQ(code(2, {2, 3}), StatusCode::kInvalidModel);
  EXPECT_EQ(code(1, {2, 0}), StatusCode::kInvalidModel);
  EXPECT_EQ(code(0, {}), StatusCode::kInvalidModel);
}

TEST(CumSum, SumsEitherWayWithAndWithoutItself) {
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto sums = [&](bool exclusive, bool reverse, int64_t axis) {
    fb::CumSumT fields;
    fields.exclusive = exclusive;
    fields.reverse = reverse;
    return Numbers(Evaluate(std::move(fields), {x, Tensor::Vector<int64_t>({axis})}));
  };
  EXPECT_EQ(sums(false, false, 1), (Doubles{1, 3, 6, 4, 9, 15}));
  EXPECT_EQ(sums(true, false, 1), (Doubles{0, 1, 3, 0, 4, 9}));
  EXPECT_EQ(sums(false, true, -1), (Doubles{6, 5, 3, 15, 11, 6}));
  EXPECT_EQ(sums(true, true, 0), (Doubles{4, 5, 6, 0, 0, 0}));
}

TEST(CumSum, RefusesAxesThatMakeNoSense) {
  const auto code = [](const Tensor& axis, Type type) {
    return InferTypes(fb::CumSumT{}, {FloatType({2, 3}), type}, {Tensor(), axis}).status().code();
  };
  EXPECT_EQ(code(Tensor::Vector<int64_t>({1}), kInt64Scalar), StatusCode::kOk);
  EXPECT_EQ(code(Tensor::Vector<int64_t>({2}), kInt64Scalar), StatusCode::kInvalidModel);
  EXPECT_EQ(code(Tensor::Vector<int64_t>({0, 1}), kInt64Scalar), StatusCode::kInvalidModel);
  EXPECT_EQ(code(Tensor(), FloatType({1})), StatusCode::kInvalidModel);
  EXPECT_EQ(code(Tensor(), kInt64Scalar), StatusCode::kOk);
}

}  // namespace
}  // namespace pleat::runtime
