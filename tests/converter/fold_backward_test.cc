#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

TEST(FoldBackward, ConvOfEveryRankAndGroup) {
  for (int64_t rank : {1, 2, 3}) {
    for (int64_t group : {1, 2, 4}) {
      for (bool bias : {false, true}) {
        Net net(static_cast<uint64_t>(rank * 10 + group));
        Shape shape = {2, 4};
        shape.resize(static_cast<size_t>(rank) + 2, 4);
        const ConvSpec spec{.outputs = 4,
                            .kernel = std::vector<int64_t>(static_cast<size_t>(rank), 3),
                            .pads = std::vector<int64_t>(static_cast<size_t>(rank) * 2, 1),
                            .group = group,
                            .bias = bias};
        net.Output(net.BatchNorm(net.Conv(net.Input(shape), spec)));
        const Graph folded = ExpectSameAnswers(net.graph);
        EXPECT_EQ(Fate(folded), "FOLDED conv");
        EXPECT_EQ(folded.batch_norms[0].into, "op0");
        EXPECT_EQ(Count<fb::ScaleShiftT>(folded), 0);
      }
    }
  }
}

TEST(FoldBackward, ConvTransposeOfEveryGroup) {
  for (int64_t group : {1, 2, 4}) {
    for (int64_t outputs : {4, 8}) {
      Net net(static_cast<uint64_t>(group));
      const ConvSpec spec{.outputs = outputs,
                          .kernel = {3, 2},
                          .strides = {2, 2},
                          .pads = {1, 0, 0, 1},
                          .group = group};
      net.Output(net.BatchNorm(net.ConvTranspose(net.Input({1, 4, 4, 3}), spec)));
      const Graph folded = ExpectSameAnswers(net.graph);
      EXPECT_EQ(Fate(folded), "FOLDED conv_transpose");
    }
  }
}

TEST(FoldBackward, GemmOfEveryFormAndBias) {
  for (bool transpose_a : {false, true}) {
    for (bool transpose_b : {false, true}) {
      for (const Shape& bias : {Shape{}, Shape{1}, Shape{4}, Shape{1, 4}, Shape{3, 4}}) {
        Net net(5);
        fb::MatMulT fields;
        fields.transpose_a = transpose_a;
        fields.transpose_b = transpose_b;
        fields.alpha = 0.5;
        fields.beta = -2;
        const ValueId x = net.Input(transpose_a ? Shape{5, 3} : Shape{3, 5});
        const ValueId w = net.Weights(transpose_b ? Shape{4, 5} : Shape{5, 4});
        net.Output(net.BatchNorm(net.MatMul(x, w, net.Weights(bias), std::move(fields))));
        EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED matmul");
      }
    }
  }
}

TEST(FoldBackward, GemmWhoseBiasWouldGrowKeepsIt) {
  Net net;
  fb::MatMulT fields;
  const ValueId y =
      net.MatMul(net.Input({3, 5}), net.Weights({5, 4}), net.Weights({3, 1}), std::move(fields));
  net.Output(net.BatchNorm(y));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "KEPT GEMM_BIAS_SHAPE");
}

TEST(FoldBackward, SumWithAConstantIsTheBias) {
  Net net;
  const ValueId product = net.MatMul(net.Input({3, 4}), net.Weights({4, 4}));
  const ValueId sum = net.Binary(fb::BinaryKind::Add, net.Weights({4}), product);
  net.Output(net.BatchNorm(sum));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded), "FOLDED matmul");
  EXPECT_EQ(folded.nodes.size(), 1u);
}

TEST(FoldBackward, ProductOfThreeAxesTakesTheLastOnly) {
  Net last;
  last.Output(last.BatchNorm(last.MatMul(last.Input({2, 4, 4}), last.Weights({4, 4})), 2));
  EXPECT_EQ(Fate(ExpectSameAnswers(last.graph)), "FOLDED matmul");
  Net middle;
  middle.Output(middle.BatchNorm(middle.MatMul(middle.Input({2, 4, 4}), middle.Weights({4, 4}))));
  EXPECT_EQ(Fate(ExpectSameAnswers(middle.graph)), "KEPT AXIS_MISMATCH");
}

TEST(FoldBackward, TransposeSwapsTheAxisThatFolds) {
  Net rows;
  rows.Output(rows.BatchNorm(
      rows.Transpose(rows.MatMul(rows.Input({6, 4}), rows.Weights({4, 6})), {1, 0})));
  EXPECT_EQ(Fate(ExpectSameAnswers(rows.graph)), "KEPT AXIS_MISMATCH");
  Net columns;
  columns.Output(columns.BatchNorm(columns.Transpose(
      columns.MatMul(columns.Input({2, 4, 4}), columns.Weights({4, 4})), {0, 2, 1})));
  EXPECT_EQ(Fate(ExpectSameAnswers(columns.graph)), "FOLDED matmul");
}

TEST(FoldBackward, ReshapeMovesTheAxisByMemoryOrder) {
  Net mixed;
  mixed.Output(mixed.BatchNorm(
      mixed.Reshape(mixed.MatMul(mixed.Input({6, 4}), mixed.Weights({4, 6})), {2, 6, 3})));
  EXPECT_EQ(Fate(ExpectSameAnswers(mixed.graph)), "KEPT AXIS_MISMATCH");
  Net split;  // columns [C, 2]: each channel covers two neighbouring columns
  split.Output(split.BatchNorm(
      split.Reshape(split.MatMul(split.Input({4, 3}), split.Weights({3, 8})), {4, 4, 2})));
  EXPECT_EQ(Fate(ExpectSameAnswers(split.graph)), "FOLDED matmul");
  Net merged;  // [N, C, H, W] -> [N, C, H*W]
  const ValueId y = merged.Conv(merged.Input({4, 4, 4, 4}), {.outputs = 4, .kernel = {1, 1}});
  merged.Output(merged.BatchNorm(merged.Reshape(y, {4, 4, 16})));
  EXPECT_EQ(Fate(ExpectSameAnswers(merged.graph)), "FOLDED conv");
}

TEST(FoldBackward, UnsqueezeAndSqueezeMoveTheAxis) {
  Net net;
  const ValueId y = net.MatMul(net.Input({kUnknownDim, 4}), net.Weights({4, 4}));
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {2};
  const ValueId wide = net.Add(std::move(unsqueeze), {y});
  fb::SqueezeT squeeze;
  squeeze.axes = {2};
  net.Output(net.Add(std::move(squeeze), {net.BatchNorm(wide)}));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED matmul");
}

TEST(FoldBackward, ConcatHandsEachPartItsSlice) {
  Net net;
  const ValueId x = net.Input({1, 4, 5, 5});
  fb::ConcatT concat;
  concat.axis = 1;
  const ValueId joined = net.Add(
      std::move(concat), {net.Conv(x, {.outputs = 3}), net.Conv(x, {.outputs = 5, .bias = false})});
  net.Output(net.BatchNorm(joined));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded), "FOLDED conv");
  EXPECT_EQ(folded.batch_norms[0].into, "op0, op1");
}

TEST(FoldBackward, SumOfTwoTakesTheScaleTwiceAndTheShiftOnce) {
  Net net;
  const ValueId x = net.Input({1, 4, 4, 4});
  const ConvSpec spec{.outputs = 4, .kernel = {1, 1}};
  net.Output(net.BatchNorm(net.Binary(fb::BinaryKind::Add, net.Conv(x, spec), net.Conv(x, spec))));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph, 0, {.merge = false})), "FOLDED conv");
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED merged_conv");
  Net skip;
  const ValueId in = skip.Input({1, 4, 4, 4});
  skip.Output(skip.BatchNorm(skip.Binary(fb::BinaryKind::Add, skip.Conv(in, spec), in)));
  EXPECT_EQ(Fate(ExpectSameAnswers(skip.graph, 0, {.merge = false})), "KEPT ADD_ONE_SIDED");
  EXPECT_EQ(Fate(ExpectSameAnswers(skip.graph)), "FOLDED conv");
}

TEST(FoldBackward, BatchNormsInARowFoldTogether) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 4, 4, 4}), {.outputs = 4, .bias = false});
  net.Output(net.BatchNorm(net.BatchNorm(y)));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded, 0), "FOLDED conv");
  EXPECT_EQ(Fate(folded, 1), "FOLDED conv");
  Net alone;
  alone.Output(alone.BatchNorm(alone.BatchNorm(alone.Input({1, 4, 4, 4}))));
  const Graph kept = ExpectSameAnswers(alone.graph);
  EXPECT_EQ(Fate(kept, 0), "KEPT PRODUCER_NOT_LINEAR");
  EXPECT_EQ(Fate(kept, 1), "FOLDED affine");
  EXPECT_EQ(kept.nodes.size(), 1u);
}

TEST(FoldBackward, SharedWeightsAreCloned) {
  Net net;
  const ValueId x = net.Input({1, 4, 4, 4});
  const ValueId first = net.Conv(x, {.outputs = 4});
  const ValueId second = net.Conv(x, {.outputs = 4});
  net.graph.nodes[1].inputs = net.graph.nodes[0].inputs;
  net.Output(net.BatchNorm(first));
  net.Output(second);
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED conv");
}

TEST(FoldBackward, ResultReadElsewhereKeepsIt) {
  Net fan_out;
  const ValueId y = fan_out.Conv(fan_out.Input({1, 4, 4, 4}), {});
  fan_out.Output(fan_out.BatchNorm(y));
  fan_out.Output(fan_out.Relu(y));
  EXPECT_EQ(Fate(ExpectSameAnswers(fan_out.graph)), "KEPT PRODUCER_MULTI_USE");
  Net output;
  const ValueId seen = output.Conv(output.Input({1, 4, 4, 4}), {});
  output.Output(output.BatchNorm(seen));
  output.Output(seen);
  EXPECT_EQ(Fate(ExpectSameAnswers(output.graph)), "KEPT PRODUCER_IS_OUTPUT");
}

// TabNet's product, of which the size of the batch is asked as well.
TEST(FoldBackward, WhoAsksForAShapeDoesNotHinderIt) {
  const auto make = [](bool spelled_out) {
    Net net;
    const ValueId y = net.MatMul(net.Input({kUnknownDim, 4}), net.Weights({4, 4}));
    net.Output(net.Add(fb::ShapeOfT{}, {y}));
    ValueId z = spelled_out ? net.Binary(fb::BinaryKind::Mul, y, net.Constant({4}, {2, 1, -1, 4}))
                            : net.BatchNorm(y);
    net.Output(net.Add(fb::SizeOfT{}, {z}));
    if (spelled_out) z = net.BatchNorm(z);
    net.Output(net.Add(fb::ShapeOfT{}, {z}));
    const ValueId bent = net.Relu(z);
    net.Output(net.Reshape(bent, {-1, 2, 2}));
    net.Output(net.Add(fb::ShapeOfT{}, {bent}));
    return std::move(net.graph);
  };
  for (const bool spelled_out : {false, true}) {
    const Graph folded = ExpectSameAnswers(make(spelled_out));
    EXPECT_EQ(Fate(folded), "FOLDED matmul");
    EXPECT_EQ(Count<fb::ScaleShiftT>(folded) + Count<fb::UnaryT>(folded), 0);
    EXPECT_EQ(Count<fb::BinaryT>(folded), 0);
  }
}

TEST(FoldBackward, WeightsFromOutsideKeepIt) {
  Net net;
  fb::MatMulT fields;
  net.Output(net.BatchNorm(net.MatMul(net.Input({3, 4}), net.Input({4, 4}), kNoValue, fields)));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "KEPT WEIGHT_NOT_CONST");
}

TEST(FoldBackward, PositiveScalePassesRelu) {
  Net net;
  const ValueId y = net.Relu(net.Conv(net.Input({1, 4, 4, 4}), {.outputs = 2}));
  net.Output(net.BatchNorm(y, 1, {2, 0.5}, {0, 0}));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED conv");
  Net negative;
  const ValueId z = negative.Relu(negative.Conv(negative.Input({1, 4, 4, 4}), {.outputs = 2}));
  negative.Output(negative.BatchNorm(z, 1, {2, -0.5}, {0, 0}));
  EXPECT_EQ(Fate(ExpectSameAnswers(negative.graph)), "KEPT NEG_SCALE");
  Net bent;
  const ValueId v =
      bent.Unary(bent.Conv(bent.Input({1, 4, 4, 4}), {}), kernels::UnaryKind::kClip, 0, 6);
  bent.Output(bent.BatchNorm(v));
  EXPECT_EQ(Fate(ExpectSameAnswers(bent.graph)), "KEPT ACT_NOT_HOMOGENEOUS");
}

TEST(FoldBackward, NumbersThatFloatsCannotHoldAreRefused) {
  const auto fate = [](double scale, double shift) {
    Net net;
    const ValueId y = net.Conv(net.Input({1, 2, 3, 3}), {.outputs = 2, .kernel = {1, 1}});
    net.Output(net.BatchNorm(y, 1, {1, scale}, {0, shift}));
    return Fate(Converted(net.graph));
  };
  EXPECT_EQ(fate(0, 3), "FOLDED conv");
  EXPECT_EQ(fate(1e39, 0), "KEPT OVERFLOW");
  EXPECT_EQ(fate(1, 1e39), "KEPT OVERFLOW");
  EXPECT_EQ(fate(1e-42, 0), "KEPT UNDERFLOW");
  EXPECT_EQ(fate(std::nan(""), 0), "KEPT BN_BAD_VARIANCE");
  EXPECT_EQ(fate(1, INFINITY), "KEPT BN_BAD_VARIANCE");
}

TEST(FoldBackward, WeightsAreTheDoubleFormulaRoundedOnce) {
  Net net(3, /*exact=*/false);
  const ValueId y = net.Conv(net.Input({1, 3, 4, 4}), {.outputs = 5, .kernel = {3, 3}});
  net.Output(net.BatchNorm(net.BatchNorm(y)));
  const auto numbers = [&](size_t node, size_t input) {
    return runtime::ToDoubles(*net.graph.ConstantOf(net.graph.nodes[node].inputs[input]));
  };
  const Graph folded = Converted(net.graph, {.stop_after = "fold_forward"});
  const Node& conv = folded.nodes[0];
  const auto weights = folded.ConstantOf(conv.inputs[1])->data<float>();
  const auto bias = folded.ConstantOf(conv.inputs[2])->data<float>();
  for (size_t m = 0; m < 5; ++m) {
    const double s1 = numbers(1, 1)[m], t1 = numbers(1, 2)[m];
    const double s2 = numbers(2, 1)[m], t2 = numbers(2, 2)[m];
    EXPECT_EQ(bias[m], static_cast<float>((numbers(0, 2)[m] * s1 + t1) * s2 + t2));
    for (size_t i = 0; i < 27; ++i) {
      EXPECT_EQ(weights[m * 27 + i], static_cast<float>(numbers(0, 1)[m * 27 + i] * s1 * s2));
    }
  }
}

TEST(FoldBackward, PassesCanBeRunOneByOne) {
  Net net;
  net.Output(net.Relu(net.BatchNorm(net.Conv(net.Input({1, 4, 4, 4}), {}))));
  const Graph folded = ExpectSameAnswers(net.graph, 0, {.only_pass = "fold_backward"});
  EXPECT_EQ(Fate(folded), "FOLDED conv");
  EXPECT_EQ(Count<fb::TransposeT>(folded), 0);
  EXPECT_EQ(Count<fb::UnaryT>(folded), 1);
  const Graph laid = ExpectSameAnswers(net.graph, 0, {.only_pass = "channels_last"});
  EXPECT_EQ(Fate(laid), "KEPT FOLDING_OFF");
  const auto message = [&](const converter::ConvertOptions& options) {
    Graph graph = net.graph;
    return converter::RunPasses(graph, options).message();
  };
  for (const std::string& text : {message({.stop_after = "fold_backwards"}),
                                  message({.only_pass = "fold_bakward"})}) {
    EXPECT_NE(text.find("did you mean 'fold_backward'?"), std::string::npos) << text;
    EXPECT_NE(text.find("pack_weights"), std::string::npos) << text;
  }
  EXPECT_NE(message({.fold = false, .stop_after = "fold_backward"}).find("left out"),
            std::string::npos);
}

// The product of two scales that float32 does not hold would be 0 in the file, and would fold when
// the file's network is converted again.
TEST(FoldBackward, ScalesAreNotComposedBelowWhatFloat32Holds) {
  Net net;
  const ValueId x = net.Conv(net.Input({1, 2, 4, 4}), {.outputs = 2});
  const ValueId first = net.BatchNorm(x, 1, {1e-42, 1}, {0, 1});
  net.Output(net.BatchNorm(first, 1, {1e-5, 2}, {1, 0}));
  const Graph folded = ExpectSameAnswers(net.graph, 1e-5);
  EXPECT_EQ(Fate(folded, 0), "KEPT UNDERFLOW");
  EXPECT_EQ(Fate(folded, 1), "KEPT UNDERFLOW");
}

TEST(FoldBackward, OffLeavesEveryBatchNorm) {
  Net net;
  net.Output(net.BatchNorm(net.Conv(net.Input({1, 4, 4, 4}), {})));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph, 0, {.fold = false})), "KEPT FOLDING_OFF");
}

// Parts of one product that are joined again each bring their share to it.
TEST(FoldBackward, PartsOfOneProductAddUp) {
  for (int kind = 0; kind < 5; ++kind) {
    Net net(static_cast<uint64_t>(90 + kind));
    const bool left = kind == 3;
    const ValueId x = net.Relu(left ? net.Input({6, 3}) : net.Input({2, 3, 4, 4}));
    ValueId y = left ? net.MatMul(net.Weights({6, 6}), x)
                     : net.Conv(x, {.outputs = 6, .kernel = {1, 1}, .bias = kind != 1});
    if (kind == 2) y = net.BatchNorm(net.Relu(y));
    if (kind == 4) {
      y = net.Binary(fb::BinaryKind::PRelu, y, net.Constant({6, 1, 1}, {1, 2, 0.5f, 2, 1, 4}));
    }
    fb::SplitT split;
    split.axis = left ? 0 : 1;
    split.sizes = {2, 4};
    const std::vector<ValueId> parts = net.AddMany(std::move(split), {y}, 2);
    fb::ConcatT concat;
    concat.axis = left ? 0 : 1;
    const ValueId joined = net.Add(std::move(concat), {parts[1], parts[0]});
    const std::vector<double> scale = {-1, 2, 4, -0.5, 0.25, -2}, none(6, 0);
    net.Output(net.BatchNorm(joined, left ? 0 : 1, scale, kind == 4 ? none : net.Shifts(6)));
    const Graph graph = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Fate(graph, kind == 2 ? 1 : 0).substr(0, 6), "FOLDED") << kind;
  }
}

}  // namespace
}  // namespace pleat::tests
