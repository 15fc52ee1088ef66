// What passes the operators between a batch norm and the operator that takes it, each to the bit.
#include <gtest/gtest.h>

#include <limits>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using enum fb::BinaryKind;
using kernels::UnaryKind;

// A convolution of an image in which all sizes are 4, but for the channels.
ValueId Image(Net& net, int64_t channels = 4) {
  return net.Conv(net.Input({4, 4, 4, 4}), {.outputs = channels, .kernel = {1, 1}});
}

std::string FateOf(Net& net, ValueId y, double tolerance = 0) {
  net.Output(y);
  return Fate(ExpectSameAnswers(net.graph, tolerance));
}

ValueId Positive(Net& net, ValueId x) {
  return net.BatchNorm(x, 1, {2, 0.5, 4, 1}, {1, -2, 3, 0});
}
ValueId ScaleOnly(Net& net, ValueId x) {
  return net.BatchNorm(x, 1, {2, -0.5, 4, 0}, {0, 0, 0, 0});
}

fb::PoolT Pool(fb::PoolKind kind, bool count_include_pad = false, std::vector<int64_t> pads = {}) {
  fb::PoolT pool;
  pool.kind = kind;
  pool.window = std::make_unique<fb::WindowT>();
  pool.window->kernel = {2, 2};
  pool.window->pads = std::move(pads);
  pool.count_include_pad = count_include_pad;
  return pool;
}

TEST(FoldLinks, MaximaPassPositiveScales) {
  Net positive;
  const ValueId pooled =
      positive.Add(Pool(fb::PoolKind::Max, false, {1, 0, 0, 1}), {Image(positive)});
  EXPECT_EQ(FateOf(positive, Positive(positive, pooled)), "FOLDED conv");
  Net negative;
  const ValueId turned = negative.Add(Pool(fb::PoolKind::Max), {Image(negative)});
  EXPECT_EQ(FateOf(negative, ScaleOnly(negative, turned)), "KEPT NEG_SCALE");
  Net indices;
  const auto both = indices.AddMany(Pool(fb::PoolKind::Max), {Image(indices)}, 2);
  indices.Output(both[1]);
  EXPECT_EQ(FateOf(indices, Positive(indices, both[0])), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldLinks, AveragesPassUnlessTheyCountPadding) {
  for (const bool counts : {false, true}) {
    for (const std::vector<int64_t>& pads : {std::vector<int64_t>{}, {1, 1, 1, 1}}) {
      Net net;
      const ValueId y = net.Add(Pool(fb::PoolKind::Average, counts, pads), {Image(net)});
      net.Output(Positive(net, y));
      const bool folds = !counts || pads.empty();
      const Graph folded = ExpectSameAnswers(net.graph, counts || pads.empty() ? 0 : 1e-6);
      EXPECT_EQ(Fate(folded), folds ? "FOLDED conv" : "KEPT POOL_INCLUDE_PAD");
      Net scale;
      const ValueId z = scale.Add(Pool(fb::PoolKind::Average, counts, pads), {Image(scale)});
      scale.Output(ScaleOnly(scale, z));
      EXPECT_EQ(Fate(ExpectSameAnswers(scale.graph, 1e-6)), "FOLDED conv");
    }
  }
}

TEST(FoldLinks, ReductionsOverOtherAxes) {
  const auto fate = [](fb::ReduceKind kind, std::vector<int64_t> axes, bool keepdims, int axis,
                       bool positive) {
    Net net;
    fb::ReduceT reduce;
    reduce.kind = kind;
    reduce.axes = std::move(axes);
    reduce.keepdims = keepdims;
    const ValueId y = net.Add(std::move(reduce), {Image(net)});
    const std::vector<double> scale = {2, positive ? 0.5 : -0.5, 4, 1};
    return FateOf(net, net.BatchNorm(y, axis, scale, {1, 2, 3, 4}),
                  kind == fb::ReduceKind::L2 ? 1e-6 : 0);
  };
  using enum fb::ReduceKind;
  EXPECT_EQ(fate(Mean, {2, 3}, true, 1, false), "FOLDED conv");
  EXPECT_EQ(fate(Mean, {-1, 2}, false, 1, false), "FOLDED conv");
  EXPECT_EQ(fate(Mean, {0}, false, 0, false), "FOLDED conv");
  EXPECT_EQ(fate(Mean, {1}, false, 1, false), "KEPT AXIS_MISMATCH");
  EXPECT_EQ(fate(Max, {2, 3}, false, 1, true), "FOLDED conv");
  EXPECT_EQ(fate(Min, {2, 3}, false, 1, false), "KEPT NEG_SCALE");
  EXPECT_EQ(fate(Sum, {2, 3}, false, 1, true), "KEPT PRODUCER_NOT_LINEAR");
  EXPECT_EQ(fate(L2, {2, 3}, false, 1, true), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldLinks, SlicesOfChannelsAndOfPlaces) {
  const auto fate = [](std::vector<int64_t> starts, std::vector<int64_t> ends,
                       std::vector<int64_t> axes, std::vector<int64_t> steps) {
    Net net;
    const ValueId y =
        net.Add(fb::SliceT{}, {Image(net, 8), net.Int64s(starts), net.Int64s(ends),
                               net.Int64s(axes), net.Int64s(steps)});
    return FateOf(net, net.BatchNorm(y));
  };
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(fate({2}, {6}, {1}, {1}), "FOLDED conv");
  EXPECT_EQ(fate({1, 1}, {kEnd, 3}, {-3, 2}, {2, 1}), "FOLDED conv");
  EXPECT_EQ(fate({-1}, {-9}, {1}, {-2}), "FOLDED conv");
  EXPECT_EQ(fate({1}, {3}, {3}, {1}), "FOLDED conv");
}

TEST(FoldLinks, OnePartOfASplitScalesItsChannelsAlone) {
  Net net;
  fb::SplitT split;
  split.axis = 1;
  split.sizes = {2, 4, 2};
  const auto parts = net.AddMany(std::move(split), {Image(net, 8)}, 3);
  for (const ValueId other : {parts[0], parts[2]}) net.Output(net.Relu(other));
  EXPECT_EQ(FateOf(net, net.BatchNorm(parts[1])), "FOLDED conv");
  Net across;
  fb::SplitT rows;
  rows.axis = 2;
  const auto halves = across.AddMany(std::move(rows), {Image(across)}, 2);
  across.Output(across.Relu(halves[1]));
  EXPECT_EQ(FateOf(across, across.BatchNorm(halves[0])), "KEPT PRODUCER_MULTI_USE");
}

// TabNet's ghost batch norm: the batch in parts, each through the norm of all.
TEST(FoldLinks, WhatAllPartsOfASplitGoThroughTheWholeGoesThrough) {
  const auto convert = [](double last, bool constant) {
    Net net;
    const ValueId x = net.Input({6, 4});
    const ValueId y = net.MatMul(x, constant ? net.Weights({4, 4}) : net.Input({4, 4}));
    net.Output(net.Add(fb::ShapeOfT{}, {y}));
    fb::SplitT split;
    split.axis = 0;
    split.sizes = {1, 3, 2};
    fb::ConcatT concat;
    concat.axis = 0;
    std::vector<ValueId> parts;
    for (const ValueId part : net.AddMany(std::move(split), {y}, 3)) {
      const double scale = parts.size() == 2 ? last : 4;
      const ValueId normed = net.BatchNorm(part, 1, {2, -1, 0.5, scale}, {1, 2, 3, 4});
      parts.push_back(net.BatchNorm(normed, 1, {1, 2, 1, -2}, {0, 1, 2, 3}));
    }
    net.Output(net.Relu(parts[1]));
    net.Output(net.Add(std::move(concat), parts));
    return ExpectSameAnswers(net.graph);
  };
  const Graph folded = convert(4, true);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(Fate(folded, i), "FOLDED matmul");
    EXPECT_EQ(folded.batch_norms[i].into, "op0");
  }
  EXPECT_EQ(Count<fb::ScaleShiftT>(folded), 0);
  const Graph differ = convert(8, true), unknown = convert(4, false);
  for (size_t i = 0; i < 6; i += 2) {
    EXPECT_EQ(Fate(differ, i), "KEPT PRODUCER_MULTI_USE");
    EXPECT_EQ(Fate(unknown, i), "KEPT WEIGHT_NOT_CONST");
    EXPECT_EQ(Fate(unknown, i + 1), "FOLDED affine");
  }
}

TEST(FoldLinks, ShuffledChannelsKeepTheirNumbers) {
  const auto fate = [](const std::vector<int64_t>& indices, std::vector<double> scale) {
    Net net;
    fb::GatherT gather;
    gather.axis = 1;
    const ValueId y = net.Add(std::move(gather), {Image(net), net.Int64s(indices)});
    return FateOf(net, net.BatchNorm(y, 1, std::move(scale), {1, 2, 3, 1}));
  };
  EXPECT_EQ(fate({2, 0, -1, 1}, {2, 1, -1, 4}), "FOLDED conv");
  EXPECT_EQ(fate({2, 0, 1, 2}, {2, 1, -1, 2}), "FOLDED conv");
  EXPECT_EQ(fate({2, 0, 1, 2}, {2, 1, -1, 4}), "KEPT AXIS_MISMATCH");
}

TEST(FoldLinks, TablesOfRowsAreWeights) {
  Net net;
  const ValueId x = net.Add(fb::CastT{.to = static_cast<uint8_t>(ElementType::kInt64)},
                            {net.Unary(net.Input({2, 3}), UnaryKind::kAbs)});
  const ValueId table = net.Weights({5, 4});
  const ValueId rows = net.Add(fb::GatherT{}, {table, x});
  const ValueId other = net.Add(fb::GatherT{}, {table, x});
  net.Output(net.BatchNorm(net.Transpose(rows, {0, 2, 1})));
  net.Output(other);
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED table");
}

TEST(FoldLinks, BordersPassWhereTheyStayTheSame) {
  const auto fate = [](fb::PadMode mode, bool shift, const std::vector<int64_t>& pads) {
    Net net;
    fb::PadT pad;
    pad.mode = mode;
    const ValueId y = net.Add(std::move(pad), {Image(net), net.Int64s(pads)});
    return FateOf(net, shift ? net.BatchNorm(y) : ScaleOnly(net, y));
  };
  const std::vector<int64_t> places = {0, 0, 1, 0, 0, 0, 1, 2};
  EXPECT_EQ(fate(fb::PadMode::Constant, false, places), "FOLDED conv");
  EXPECT_EQ(fate(fb::PadMode::Constant, true, {0, 0, -1, 0, 0, 0, 0, -1}), "FOLDED conv");
  EXPECT_EQ(fate(fb::PadMode::Constant, true, places), "KEPT PAD_SHIFT");
  EXPECT_EQ(fate(fb::PadMode::Reflect, true, places), "FOLDED conv");
  EXPECT_EQ(fate(fb::PadMode::Edge, true, places), "FOLDED conv");
  Net channels;
  const ValueId y = channels.Add(
      fb::PadT{}, {Image(channels, 3), channels.Int64s({0, 1, 0, 0, 0, 0, 0, 0})});
  EXPECT_EQ(FateOf(channels, channels.BatchNorm(y)), "KEPT AXIS_MISMATCH");
}

TEST(FoldLinks, ResamplingPassesWhereWeightsSumToOne) {
  const auto fate = [](fb::CoordinateMode coordinates, fb::ResizeMode mode,
                       const std::vector<float>& scales) {
    Net net;
    fb::ResizeT resize;
    resize.mode = mode;
    resize.coordinates = coordinates;
    const ValueId y = net.Add(std::move(resize), {Image(net), kNoValue, net.Constant({4}, scales)});
    return FateOf(net, net.BatchNorm(y, 1));
  };
  using enum fb::CoordinateMode;
  EXPECT_EQ(fate(Asymmetric, fb::ResizeMode::Nearest, {1, 1, 2, 2}), "FOLDED conv");
  EXPECT_EQ(fate(HalfPixel, fb::ResizeMode::Linear, {1, 1, 2, 2}), "FOLDED conv");
  EXPECT_EQ(fate(Asymmetric, fb::ResizeMode::Nearest, {1, 1.2f, 1, 1}), "KEPT AXIS_MISMATCH");
}

TEST(FoldLinks, BlocksOfPixelsAreChannelsBefore) {
  for (const bool dcr : {true, false}) {
    Net net;
    fb::DepthToSpaceT fields;
    fields.block = 2;
    fields.depth_column_row = dcr;
    EXPECT_EQ(FateOf(net, net.BatchNorm(net.Add(std::move(fields), {Image(net, 16)}))),
              "FOLDED conv");
  }
  const auto fate = [](std::vector<double> scale) {
    Net net;
    fb::SpaceToDepthT fields;
    fields.block = 2;
    const ValueId y = net.Add(std::move(fields), {Image(net, 2)});
    return FateOf(net, net.BatchNorm(y, 1, std::move(scale), {1, 2, 1, 2, 1, 2, 1, 2}));
  };
  EXPECT_EQ(fate({2, -1, 2, -1, 2, -1, 2, -1}), "FOLDED conv");
  EXPECT_EQ(fate({2, -1, 2, -1, 2, -1, 2, 1}), "KEPT AXIS_MISMATCH");
}

TEST(FoldLinks, SlopesOfPReluTurnWithTheSign) {
  const auto fate = [](const std::vector<float>& slopes, bool shift) {
    Net net;
    const Shape shape = slopes.size() == 1 ? Shape{1} : Shape{4, 1, 1};
    const ValueId y = net.Binary(PRelu, Image(net), net.Constant(shape, slopes));
    return FateOf(net, shift ? Positive(net, y) : ScaleOnly(net, y));
  };
  EXPECT_EQ(fate({0.5, 0.25, 2, 1}, false), "FOLDED conv");
  EXPECT_EQ(fate({0.25}, false), "FOLDED conv");
  EXPECT_EQ(fate({0.5, -0.25, 2, 1}, false), "KEPT NEG_SCALE");
  EXPECT_EQ(fate({0.5, 0, 2, 1}, false), "KEPT NEG_SCALE");
  EXPECT_EQ(fate({0.5}, true), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldLinks, AbsoluteValuesAndNegation) {
  Net absolute;
  const ValueId y = absolute.Unary(Image(absolute), UnaryKind::kAbs);
  EXPECT_EQ(FateOf(absolute, absolute.BatchNorm(y, 1, {2, 1, 0, 4}, {0, 0, 0, 0})), "FOLDED conv");
  Net negated;
  const ValueId z = negated.Unary(
      negated.Add(Pool(fb::PoolKind::Average), {Image(negated)}), UnaryKind::kNeg);
  EXPECT_EQ(FateOf(negated, negated.BatchNorm(z)), "FOLDED conv");
}

TEST(FoldLinks, ProductsOfTwoTakeAScaleOnce) {
  const auto fate = [](fb::BinaryKind kind, bool shift, bool narrow) {
    Net net;
    const ValueId a = Image(net);
    const ValueId b = net.Conv(net.Input({4, narrow ? 1 : 4, 4, 4}),
                               {.outputs = narrow ? 1 : 4, .kernel = {1, 1}});
    const ValueId y = net.Binary(kind, a, kind == Div ? net.Unary(b, UnaryKind::kExp) : b);
    net.Output(shift ? net.BatchNorm(y) : ScaleOnly(net, y));
    return Fate(ExpectSameAnswers(net.graph, kind == Div ? 1e-5 : 0));
  };
  EXPECT_EQ(fate(Mul, false, false), "FOLDED conv");
  EXPECT_EQ(fate(Mul, false, true), "FOLDED conv");
  EXPECT_EQ(fate(Div, false, false), "FOLDED conv");
  EXPECT_EQ(fate(Mul, true, false), "KEPT GATE");
}

TEST(FoldLinks, TheConstantOfAProductTakesAScale) {
  Net net;
  const ValueId x = net.Relu(net.Input({2, 4, 3, 3}));
  const ValueId y = net.Binary(Mul, x, net.Weights({1, 4, 3, 3}));
  net.Output(ScaleOnly(net, y));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded), "FOLDED operand");
  EXPECT_EQ(folded.batch_norms[0].into, "op1");
}

TEST(FoldLinks, DifferencesAndSumsWithWholeImages) {
  Net difference;
  const ValueId x = difference.Input({2, 4, 4, 4}), z = difference.Input({2, 4, 4, 4});
  const ConvSpec spec{.outputs = 4, .kernel = {1, 1}};
  EXPECT_EQ(FateOf(difference, difference.BatchNorm(difference.Binary(
                                   Sub, difference.Conv(x, spec), difference.Conv(z, spec)))),
            "FOLDED conv");
  for (const bool left : {false, true}) {
    Net sum;
    const ValueId map = sum.Weights({1, 4, 4, 4});
    const ValueId y = Image(sum);
    EXPECT_EQ(FateOf(sum, sum.BatchNorm(left ? sum.Binary(Sub, map, y) : sum.Binary(Add, y, map))),
              "FOLDED conv");
  }
  Net joined;
  fb::ConcatT concat;
  concat.axis = 1;
  const ValueId wide = joined.Add(std::move(concat), {joined.Weights({4, 2, 4, 4}), Image(joined)});
  EXPECT_EQ(FateOf(joined, joined.BatchNorm(wide)), "FOLDED conv");
}

TEST(FoldLinks, WeightsOnTheLeftScaleByRow) {
  for (const bool transpose : {false, true}) {
    for (const Shape& bias : {Shape{0}, Shape{}, Shape{4, 1}, Shape{4, 5}}) {
      Net net;
      fb::MatMulT fields;
      fields.transpose_a = transpose;
      fields.alpha = 0.5;
      fields.beta = 2;
      const ValueId w = net.Weights(transpose ? Shape{3, 4} : Shape{4, 3});
      const ValueId c = bias == Shape{0} ? kNoValue : net.Weights(bias);
      const ValueId y = net.MatMul(w, net.Input({3, 5}), c, std::move(fields));
      EXPECT_EQ(FateOf(net, net.BatchNorm(y, 0)), "FOLDED matmul");
    }
  }
  Net stack;
  const ValueId y = stack.MatMul(stack.Weights({4, 4}), stack.Input({2, 4, 4}));
  EXPECT_EQ(FateOf(stack, stack.BatchNorm(y)), "FOLDED matmul");
  Net columns;
  const ValueId z = columns.MatMul(columns.Weights({4, 4}), columns.Input({4, 4}));
  EXPECT_EQ(FateOf(columns, columns.BatchNorm(z)), "KEPT AXIS_MISMATCH");
  Net grows;
  const ValueId v = grows.MatMul(grows.Weights({4, 3}), grows.Input({3, 5}), grows.Weights({5}));
  EXPECT_EQ(FateOf(grows, grows.BatchNorm(v, 0)), "KEPT GEMM_BIAS_SHAPE");
}

TEST(FoldLinks, GainAndBiasOfANormalisationAreWeights) {
  Net net(1, /*exact=*/false);
  const ValueId x = net.Input({2, 4, 5, 5});
  const ValueId y = net.Add(fb::InstanceNormT{}, {x, net.Weights({4}), net.Weights({4})});
  net.Output(net.BatchNorm(y));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph, 1e-5)), "FOLDED normalization");
  Net layer(1, /*exact=*/false);
  const ValueId z = layer.Add(
      fb::LayerNormT{}, {layer.Input({3, 5, 4}), layer.Weights({4}), layer.Weights({4})});
  layer.Output(layer.BatchNorm(layer.Transpose(z, {0, 2, 1})));
  EXPECT_EQ(Fate(ExpectSameAnswers(layer.graph, 1e-5)), "FOLDED normalization");
}

TEST(FoldLinks, ChangeOfTypeStops) {
  Net net;
  const ValueId wide =
      net.Add(fb::CastT{.to = static_cast<uint8_t>(ElementType::kFloat64)}, {Image(net)});
  EXPECT_EQ(FateOf(net, net.BatchNorm(wide)), "KEPT DTYPE_CAST");
}

}  // namespace
}  // namespace pleat::tests
