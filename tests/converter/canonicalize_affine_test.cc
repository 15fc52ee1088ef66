#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using enum fb::BinaryKind;

// Conv of 4 channels on a [4,4,4,4] image, so that every axis has the size of the channels.
ValueId Producer(Net& net) {
  return net.Conv(net.Input({4, 4, 4, 4}), {.outputs = 4, .kernel = {1, 1}});
}

bool Folds(fb::BinaryKind kind, const Shape& constant, bool constant_left) {
  Net net(static_cast<uint64_t>(kind) + constant.size());
  const ValueId y = Producer(net);
  std::vector<float> numbers(static_cast<size_t>(runtime::ElementCount(constant)));
  for (float& number : numbers) number = static_cast<float>(1 << net.random.Below(3));
  const ValueId c = net.Constant(constant, numbers);
  net.Output(constant_left ? net.Binary(kind, c, y) : net.Binary(kind, y, c));
  const double tolerance = kind == Div && constant_left ? 1e-3 : 0;
  return ExpectSameAnswers(net.graph, tolerance).nodes.size() <= 3;  // Transpose, Conv, Transpose
}

TEST(CanonicalizeAffine, ConstantsOnEitherSide) {
  for (bool left : {false, true}) {
    for (fb::BinaryKind kind : {Add, Sub, Mul}) {
      EXPECT_TRUE(Folds(kind, {1, 4, 1, 1}, left));
      EXPECT_TRUE(Folds(kind, {4, 1, 1}, left));
      EXPECT_TRUE(Folds(kind, {}, left));
      EXPECT_TRUE(Folds(kind, {1, 1}, left));
    }
  }
  EXPECT_TRUE(Folds(Div, {4, 1, 1}, /*constant_left=*/false));
}

TEST(CanonicalizeAffine, WhatIsNotAffineOrNotPerChannelStays) {
  EXPECT_FALSE(Folds(Div, {4, 1, 1}, /*constant_left=*/true));
  EXPECT_FALSE(Folds(Max, {4, 1, 1}, /*constant_left=*/false));
  for (const Shape& shape :
       {Shape{4}, Shape{1, 4}, Shape{4, 1}, Shape{4, 1, 1, 1}, Shape{4, 4, 1}, Shape{4, 4}}) {
    EXPECT_FALSE(Folds(Mul, shape, /*constant_left=*/false)) << runtime::ShapeText(shape);
    EXPECT_FALSE(Folds(Add, shape, /*constant_left=*/true)) << runtime::ShapeText(shape);
  }
}

TEST(CanonicalizeAffine, ConstantThatEnlargesTheImageStays) {
  for (const Shape& shape : {Shape{1, 4, 1, 1}, Shape{1, 1, 1, 1, 1}}) {
    Net net;
    const ValueId y = net.Conv(net.Input({1, 4, 4, 4}), {.outputs = 1, .kernel = {1, 1}});
    net.Output(net.Binary(Mul, y, net.Weights(shape)));
    EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 1);
  }
}

// libFuzzer's find: the norm behind a product hid that a Recurrent takes it, until it folded.
TEST(CanonicalizeAffine, WhatFoldedMakesWayForOthers) {
  Net net;
  const ValueId product = net.MatMul(net.Input({2, 4, 6}), net.Weights({6, 3}), net.Weights({3}));
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Mean;
  mean.axes = {0, 1};
  mean.keepdims = true;
  const ValueId norm = net.BatchNorm(net.Add(std::move(mean), {product}));
  const ValueId scaled = net.Binary(Mul, net.Constant({3}, {1, 2, 4}), norm);
  net.Output(net.Recurrent(net.BatchNorm(scaled, 1, {2}, {0}), {}));
  EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 0);
}

TEST(CanonicalizeAffine, SpelledOutBatchNorm) {
  Net net;
  const ValueId y = Producer(net);
  const ValueId centred = net.Binary(Sub, y, net.Constant({4, 1, 1}, {3, 0, -2, 1}));
  const ValueId scaled = net.Binary(Div, centred, net.Constant({4, 1, 1}, {2, 4, 1, 8}));
  const ValueId gamma = net.Binary(Mul, net.Constant({1, 4, 1, 1}, {-2, 1, 4, 0}), scaled);
  net.Output(net.Unary(net.Binary(Add, gamma, net.Constant({4, 1, 1}, {1, 2, 3, 4})),
                       kernels::UnaryKind::kNeg));
  EXPECT_EQ(ExpectSameAnswers(net.graph).nodes.size(), 3u);
}

TEST(CanonicalizeAffine, PlainArithmeticStays) {
  Net net;
  const ValueId x = net.Input({2, 4, 3, 3});
  net.Output(net.Relu(net.Binary(Mul, x, net.Constant({4, 1, 1}, {1, 2, 3, 4}))));
  const Graph same = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::BinaryT>(same), 1);
  EXPECT_EQ(Count<fb::ScaleShiftT>(same), 0);
}

TEST(CanonicalizeAffine, ScaleBehindATransposedProduct) {
  Net net;
  const ValueId product = net.MatMul(net.Input({2, 3, 3, 4}), net.Weights({4, 6}));
  const ValueId biased = net.Binary(Add, product, net.Weights({6}));
  const ValueId image = net.Transpose(biased, {0, 3, 1, 2});
  net.Output(net.Binary(Mul, net.Weights({6, 1, 1}), image));
  EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 0);
}

TEST(CanonicalizeAffine, BehindABatchNormOfAnotherAxis) {
  Net net;
  const ValueId product = net.MatMul(net.Input({2, 1, 3}), net.Weights({3, 6}));
  const ValueId norm = net.BatchNorm(net.Reshape(product, {2, 1, 1, 6}));
  net.Output(net.Binary(Mul, net.Constant({6}, {1, 2, -4, 8, 0, 1}), norm));
  EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 0);
}

}  // namespace
}  // namespace pleat::tests
