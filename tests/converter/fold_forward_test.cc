#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

TEST(FoldForward, ConvWithoutPaddingOfEveryRankAndGroup) {
  for (int64_t rank : {1, 2, 3}) {
    for (int64_t group : {1, 2, 4}) {
      Net net(static_cast<uint64_t>(rank * 10 + group));
      Shape shape = {2, 4};
      shape.resize(static_cast<size_t>(rank) + 2, 4);
      const ValueId x = net.Relu(net.Input(shape));
      const ConvSpec spec{.outputs = 8,
                          .kernel = std::vector<int64_t>(static_cast<size_t>(rank), 2),
                          .group = group,
                          .bias = group != 2};
      net.Output(net.Conv(net.BatchNorm(x), spec));
      EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_conv");
    }
  }
}

TEST(FoldForward, PaddingKeepsTheShiftButNotTheScale) {
  Net shifts;
  const ValueId x = shifts.Relu(shifts.Input({1, 3, 5, 5}));
  shifts.Output(shifts.Conv(shifts.BatchNorm(x), {.pads = {1, 1, 1, 1}}));
  EXPECT_EQ(Fate(ExpectSameAnswers(shifts.graph)), "KEPT PAD_SHIFT");
  Net scales;
  const ValueId y = scales.Relu(scales.Input({1, 2, 5, 5}));
  scales.Output(scales.Conv(scales.BatchNorm(y, 1, {2, -4}, {0, 0}), {.pads = {1, 1, 1, 1}}));
  EXPECT_EQ(Fate(ExpectSameAnswers(scales.graph)), "FOLDED next_conv");
}

TEST(FoldForward, AutoPadCountsAsPaddingUnlessTheKernelIsOne) {
  for (int64_t kernel : {1, 2}) {
    Net net;
    const ValueId x = net.Relu(net.Input({1, 3, 5, 5}));
    const ConvSpec spec{.kernel = {kernel, kernel}, .auto_pad = fb::AutoPad::SameUpper};
    net.Output(net.Conv(net.BatchNorm(x), spec));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
              kernel == 1 ? "FOLDED next_conv" : "KEPT PAD_SHIFT");
  }
}

TEST(FoldForward, ConvTransposeTakesTheScaleOnly) {
  Net shifts;
  const ConvSpec spec{.outputs = 4, .kernel = {2, 2}, .strides = {2, 2}, .group = 2};
  shifts.Output(
      shifts.ConvTranspose(shifts.BatchNorm(shifts.Relu(shifts.Input({1, 4, 3, 3}))), spec));
  EXPECT_EQ(Fate(ExpectSameAnswers(shifts.graph)), "KEPT CONVT_SHIFT");
  Net scales;
  const ValueId x = scales.Relu(scales.Input({1, 4, 3, 3}));
  scales.Output(scales.ConvTranspose(scales.BatchNorm(x, 1, {2, -1, 0, 4}, {0, 0, 0, 0}), spec));
  EXPECT_EQ(Fate(ExpectSameAnswers(scales.graph)), "FOLDED next_conv_transpose");
}

TEST(FoldForward, GemmOfEveryForm) {
  for (bool transpose_a : {false, true}) {
    for (bool transpose_b : {false, true}) {
      for (const Shape& bias : {Shape{}, Shape{4}, Shape{1, 4}, Shape{4, 4}}) {
        Net net(11);
        fb::MatMulT fields;
        fields.transpose_a = transpose_a;
        fields.transpose_b = transpose_b;
        fields.alpha = 0.5;
        fields.beta = 4;
        const ValueId x = net.Relu(net.Input({4, 4}));
        const ValueId w = net.Weights({4, 4});
        const ValueId norm = net.BatchNorm(x, transpose_a ? 0 : 1);
        net.Output(net.MatMul(norm, w, net.Weights(bias), std::move(fields)));
        EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
      }
    }
  }
}

TEST(FoldForward, FlattenRepeatsEachChannel) {
  Net net;
  const ValueId norm = net.BatchNorm(net.Relu(net.Input({kUnknownDim, 3, 3, 3})));
  fb::FlattenT flatten;
  net.Output(net.MatMul(net.Add(std::move(flatten), {norm}), net.Weights({27, 5})));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
  Net last;
  const ValueId image = last.BatchNorm(last.Relu(last.Input({2, 3, 3, 3})), 3);
  last.Output(last.MatMul(last.Reshape(image, {2, 27}), last.Weights({27, 5})));
  EXPECT_EQ(Fate(ExpectSameAnswers(last.graph)), "FOLDED next_matmul");
}

TEST(FoldForward, MeanOverSpaceLetsItPass) {
  for (bool keepdims : {false, true}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Relu(net.Input({2, 4, 4, 4})));
    fb::ReduceT mean;
    mean.kind = fb::ReduceKind::Mean;
    mean.axes = {-1, -2};
    mean.keepdims = keepdims;
    const ValueId pooled = net.Add(std::move(mean), {norm});
    net.Output(net.MatMul(keepdims ? net.Reshape(pooled, {2, 4}) : pooled, net.Weights({4, 3})));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
  }
  Net channels;
  const ValueId norm = channels.BatchNorm(channels.Relu(channels.Input({4, 4, 4})));
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Mean;
  mean.axes = {1};
  mean.keepdims = false;
  channels.Output(channels.MatMul(channels.Add(std::move(mean), {norm}), channels.Weights({4, 3})));
  EXPECT_EQ(Fate(ExpectSameAnswers(channels.graph)), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldForward, AllReadersOrNone) {
  Net both;
  const ValueId norm = both.BatchNorm(both.Relu(both.Input({1, 4, 5, 5})));
  both.Output(both.Conv(norm, {}));
  both.Output(both.Conv(norm, {.outputs = 2, .kernel = {1, 1}}));
  const Graph folded = ExpectSameAnswers(both.graph);
  EXPECT_EQ(Fate(folded), "FOLDED next_conv");
  EXPECT_EQ(folded.batch_norms[0].into, "op2, op3");
  Net one;
  const ValueId kept = one.BatchNorm(one.Relu(one.Input({1, 4, 5, 5})));
  one.Output(one.Conv(kept, {}));
  one.Output(kept);
  EXPECT_EQ(Fate(ExpectSameAnswers(one.graph)).substr(0, 4), "KEPT");
}

TEST(FoldForward, NormalisedInputGoesIntoTheFirstConv) {
  Net net;
  const ValueId x = net.Input({1, 3, 6, 6});
  const ValueId centred = net.Binary(fb::BinaryKind::Sub, x, net.Constant({3, 1, 1}, {4, 2, 1}));
  const ValueId scaled = net.Binary(fb::BinaryKind::Div, centred, net.Constant({}, {8}));
  net.Output(net.Conv(scaled, {}));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::BinaryT>(folded) + Count<fb::ScaleShiftT>(folded), 0);
}

}  // namespace
}  // namespace pleat::tests
