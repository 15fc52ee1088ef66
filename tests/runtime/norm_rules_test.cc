// Rules of Softmax, LayerNorm, InstanceNorm, LocalResponseNorm and BatchNormTraining.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/infer_support.h"
#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using tests::Evaluate;
using tests::InferText;
using tests::InferTypes;
using tests::Numbers;

constexpr ElementType kF32 = ElementType::kFloat32, kF64 = ElementType::kFloat64;
const Type kUnranked = {kF32, false, {}};

Tensor F32(Shape shape, std::vector<float> values) {
  return Tensor::Of<float>(std::move(shape), std::span<const float>(values));
}

void ExpectNear(const std::vector<double>& y, const std::vector<double>& expected) {
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6) << i;
}

fb::SoftmaxT SoftmaxAlong(int64_t axis, bool to_end = false, bool log = false) {
  fb::SoftmaxT fields;
  fields.axis = axis;
  fields.to_end = to_end;
  fields.log = log;
  return fields;
}

TEST(SoftmaxRule, Types) {
  EXPECT_EQ(InferText(SoftmaxAlong(-1), {{kF32, true, {2, kUnknownDim}}}), "float32[2,?]");
  EXPECT_EQ(InferText(SoftmaxAlong(9), {kUnranked}), "float32[...]");
  EXPECT_EQ(InferText(SoftmaxAlong(2), {{kF32, true, {2, 2}}}), "axis 2 is outside [-2, 2)");
  EXPECT_EQ(InferText(SoftmaxAlong(0), {{ElementType::kInt64, true, {2}}}),
            "expected x to be float32 or float64, got int64");
}

TEST(SoftmaxRule, AxesAndOldForm) {
  const float l2 = std::log(2.0f), l3 = std::log(3.0f), l4 = std::log(4.0f);
  const Tensor x = F32({1, 2, 2}, {0, l2, l3, l4});
  ExpectNear(Numbers(Evaluate(SoftmaxAlong(-1), {x})), {1 / 3.0, 2 / 3.0, 3 / 7.0, 4 / 7.0});
  ExpectNear(Numbers(Evaluate(SoftmaxAlong(1), {x})), {0.25, 2 / 6.0, 0.75, 4 / 6.0});
  ExpectNear(Numbers(Evaluate(SoftmaxAlong(1, true), {x})), {0.1, 0.2, 0.3, 0.4});
  ExpectNear(Numbers(Evaluate(SoftmaxAlong(1, true, true), {x})),
             {std::log(0.1), std::log(0.2), std::log(0.3), std::log(0.4)});
}

fb::LayerNormT LayerNormFrom(int64_t axis) {
  fb::LayerNormT fields;
  fields.axis = axis;
  fields.epsilon = 0;
  return fields;
}

TEST(LayerNormRule, TypesAndNumbers) {
  const Type x = {kF32, true, {kUnknownDim, 2, 3}};
  EXPECT_EQ(InferText(LayerNormFrom(1), {x, {kF32, true, {2, 3}}}), "float32[?,2,3]");
  EXPECT_EQ(InferText(LayerNormFrom(-1), {x, {kF32, true, {2, 3}}}),
            "expected scale of shape [3], got [2,3]");
  EXPECT_EQ(InferText(LayerNormFrom(-1), {x, {kF32, true, {3}}, {kF64, true, {3}}}),
            "expected x and bias of one type, got float32 and float64");
  const Tensor values = F32({2, 2}, {1, 3, 10, 6});
  ExpectNear(Numbers(Evaluate(LayerNormFrom(-1), {values, F32({2}, {2, 1}), F32({2}, {0, 5})})),
             {-2, 6, 2, 4});
  ExpectNear(Numbers(Evaluate(LayerNormFrom(1), {values, F32({2}, {2, 1})})), {-2, 1, 2, -1});
}

TEST(InstanceNormRule, TypesAndNumbers) {
  fb::InstanceNormT first, last;
  first.epsilon = last.epsilon = 0;
  last.channels_last = true;
  const Type c2 = {kF32, true, {2}};
  EXPECT_EQ(InferText(first, {{kF32, true, {1, kUnknownDim, 4}}, c2, c2}), "float32[1,2,4]");
  EXPECT_EQ(InferText(last, {{kF32, true, {1, 4, 3}}, c2, c2}),
            "expected scale of shape [3], got [2]");
  EXPECT_EQ(InferText(first, {{kF32, true, {4}}, c2, c2}), "expected x of rank 2 or more, got [4]");
  const Tensor scale = F32({2}, {1, 2}), bias = F32({2}, {0, 1});
  ExpectNear(Numbers(Evaluate(first, {F32({1, 2, 2}, {1, 3, 6, 2}), scale, bias})), {-1, 1, 3, -1});
  ExpectNear(Numbers(Evaluate(last, {F32({1, 2, 2}, {1, 6, 3, 2}), scale, bias})), {-1, 3, 1, -1});
}

TEST(LocalResponseNormRule, TypesAndNumbers) {
  fb::LocalResponseNormT fields;
  EXPECT_EQ(InferText(fields, {{kF32, true, {1, 3, 2}}}), "expected size of 1 or more, got 0");
  fields.size = 3;
  fields.alpha = 3;
  fields.beta = 1;
  EXPECT_EQ(InferText(fields, {{kF32, true, {1, 3, 2}}}), "float32[1,3,2]");
  EXPECT_EQ(InferText(fields, {{kF32, true, {3}}}), "expected x of rank 2 or more, got [3]");
  ExpectNear(Numbers(Evaluate(fields, {F32({1, 3, 1}, {1, 2, 3})})), {1.0 / 6, 2.0 / 15, 3.0 / 14});
  fields.channels_last = true;
  ExpectNear(Numbers(Evaluate(fields, {F32({1, 1, 3}, {1, 2, 3})})), {1.0 / 6, 2.0 / 15, 3.0 / 14});
}

TEST(BatchNormTrainingRule, TypesAndNumbers) {
  fb::BatchNormTrainingT fields;
  fields.epsilon = 0;
  fields.momentum = 0.5f;
  const Type c2 = {kF32, true, {2}}, wide = {kF64, true, {2}};
  const auto types =
      InferTypes(fields, {{kF32, true, {kUnknownDim, kUnknownDim}}, wide, wide, wide, wide}, 3);
  ASSERT_TRUE(types.ok()) << types.status().message();
  EXPECT_EQ(TypeText((*types)[0]), "float32[?,2]");
  EXPECT_EQ(TypeText((*types)[2]), "float64[2]");
  EXPECT_EQ(InferText(fields, {{kF32, true, {4, 2}}, c2, c2, wide, c2}),
            "expected gamma and mean of one type, got float32 and float64");
  EXPECT_EQ(InferText(fields, {{kF32, true, {4, 3}}, c2, c2, c2, c2}),
            "expected gamma of shape [3], got [2]");

  const std::vector<Tensor> inputs = {F32({2, 2}, {1, 6, 3, 2}), F32({2}, {1, 2}), F32({2}, {0, 1}),
                                      F32({2}, {0, 8}), F32({2}, {3, 0})};
  const auto all = Evaluate(fields, inputs, 3);
  ExpectNear(Numbers(all), {-1, 3, 1, -1});
  ExpectNear(ToDoubles(all.value()[1]), {1, 6});
  ExpectNear(ToDoubles(all.value()[2]), {2, 2});
  ExpectNear(Numbers(Evaluate(fields, inputs, 1)), {-1, 3, 1, -1});
}

}  // namespace
}  // namespace pleat::runtime
