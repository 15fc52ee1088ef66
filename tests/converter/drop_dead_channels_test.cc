// Channels whose batch norm has a scale of 0 are constants: they go, and what they carry is added
// where they are read. Answers agree to the bit.
#include <gtest/gtest.h>

#include <limits>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using kernels::UnaryKind;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The shapes of the weights of every Conv and MatMul, before they are packed.
std::vector<Shape> WeightShapes(const Graph& graph) {
  Graph early = graph;
  converter::ConvertOptions options;
  options.stop_after = "round_constants";
  EXPECT_TRUE(converter::RunPasses(early, options).ok());
  std::vector<Shape> shapes;
  for (const Node& node : early.nodes) {
    if (node.As<fb::ConvT>() == nullptr && node.As<fb::MatMulT>() == nullptr) continue;
    shapes.push_back(early.values[static_cast<size_t>(node.inputs[1])].type.shape);
  }
  return shapes;
}

// Conv -> BatchNorm with channels 1 and 3 off -> activation -> Conv.
TEST(DropDeadChannels, BetweenConvolutionsWithAnyActivationAndPadding) {
  for (const UnaryKind kind : {UnaryKind::kIdentity, UnaryKind::kClip, UnaryKind::kAbs}) {
    for (const int64_t pad : {0, 1}) {
      Net net;
      const ValueId x = net.Conv(net.Input({2, 3, 5, 5}), {.outputs = 6, .pads = {1, 1, 1, 1}});
      const ValueId norm = net.BatchNorm(x, 1, {1, 0, -2, 0, 1, 2}, {3, -4, 5, 6, -1, 0});
      const ValueId bent = net.Unary(norm, kind, 0, kInfinity);
      net.Output(net.Conv(bent, {.outputs = 5, .pads = {pad, pad, pad, pad}}));
      const Graph folded = ExpectSameAnswers(net.graph);
      EXPECT_EQ(Fate(folded), "FOLDED conv");
      EXPECT_EQ(folded.batch_norms[0].detail, "2 of 6 channels are constant and left out");
      EXPECT_EQ(WeightShapes(net.graph), (std::vector<Shape>{{4, 3, 3, 3}, {5, 4, 3, 3}}));
    }
  }
}

TEST(DropDeadChannels, ThroughPoolsAndIntoSeveralReaders) {
  for (const auto kind : {fb::PoolKind::Max, fb::PoolKind::Average}) {
    Net net;
    const ValueId x = net.Conv(net.Input({1, 3, 8, 8}), {.outputs = 4});
    const ValueId norm = net.BatchNorm(x, 1, {0, 1, 2, 0}, {7, 1, 0, -3});
    fb::PoolT pool;
    pool.kind = kind;
    pool.window = std::make_unique<fb::WindowT>();
    pool.window->kernel = pool.window->strides = {2, 2};
    pool.window->pads = {1, 1, 0, 0};
    const ValueId pooled = net.Add(std::move(pool), {net.Relu(norm)});
    net.Output(net.Conv(pooled, {.outputs = 3}));
    net.Output(net.Conv(pooled, {.outputs = 2, .kernel = {1, 1}, .bias = false}));
    const Graph folded = ExpectSameAnswers(net.graph, kind == fb::PoolKind::Max ? 0 : 1e-6);
    EXPECT_EQ(WeightShapes(net.graph),
              (std::vector<Shape>{{2, 3, 3, 3}, {3, 2, 3, 3}, {2, 2, 1, 1}}));
  }
}

TEST(DropDeadChannels, BetweenProducts) {
  for (const bool transpose_b : {false, true}) {
    Net net;
    fb::MatMulT fields;
    fields.transpose_b = transpose_b;
    const ValueId x = net.MatMul(net.Input({3, 4}), net.Weights({4, 4}), net.Weights({1, 4}));
    const ValueId norm = net.BatchNorm(x, 1, {2, 0, 1, 1}, {1, 5, -3, 2});
    const Shape weights = transpose_b ? Shape{2, 4} : Shape{4, 2};
    net.Output(net.MatMul(net.Relu(norm), net.Weights(weights), kNoValue, std::move(fields)));
    ExpectSameAnswers(net.graph);
    EXPECT_EQ(WeightShapes(net.graph),
              (std::vector<Shape>{{4, 3}, transpose_b ? Shape{2, 3} : Shape{3, 2}}));
  }
}

// As in MobileNet: what Relu makes 0 passes a padded depthwise convolution, other constants do not.
TEST(DropDeadChannels, ThroughDepthwiseConvolutions) {
  for (const bool zero : {false, true}) {
    for (const int64_t pad : {0, 1}) {
      for (const bool bias : {false, true}) {
        SCOPED_TRACE(testing::Message() << zero << pad << bias);
        Net net;
        const ValueId x = net.Conv(net.Input({2, 3, 5, 5}), {.outputs = 4, .kernel = {1, 1}});
        const ValueId norm = net.BatchNorm(x, 1, {0, 1, 0, -2}, {zero ? -7.0 : 7.0, 1, -1, 3});
        const ConvSpec depthwise{
            .outputs = 4, .pads = {pad, pad, pad, pad}, .group = 4, .bias = bias};
        const ValueId deep = net.BatchNorm(net.Conv(net.Relu(norm), depthwise));
        net.Output(net.Conv(net.Relu(deep), {.outputs = 3, .pads = {1, 1, 1, 1}}));
        ExpectSameAnswers(net.graph);
        const int64_t left = zero || pad == 0 ? 2 : 4;
        EXPECT_EQ(WeightShapes(net.graph),
                  (std::vector<Shape>{{left, 3, 1, 1}, {left, 1, 3, 3}, {3, left, 3, 3}}));
      }
    }
  }
}

TEST(DropDeadChannels, StayWhereTheyAreSeen) {
  const std::vector<double> scale = {1, 0, 2, 0}, shift = {1, 5, -3, 2};
  // As an output, by a group of nothing else, by a sum; and when nothing else is there.
  for (int form = 0; form < 4; ++form) {
    Net net;
    const ValueId x = net.Conv(net.Input({1, 4, 5, 5}), {.outputs = 4, .kernel = {1, 1}});
    const ValueId norm =
        net.Relu(net.BatchNorm(x, 1, form == 3 ? std::vector<double>(4, 0) : scale, shift));
    if (form == 0) net.Output(norm);
    ValueId read = norm;
    if (form == 1) read = net.Conv(norm, {.outputs = 8, .kernel = {1, 1}, .group = 4});
    if (form == 2) read = net.Binary(fb::BinaryKind::Add, norm, net.Relu(net.Input({1, 4, 5, 5})));
    net.Output(net.Conv(read, {.kernel = {1, 1}}));
    ExpectSameAnswers(net.graph);
    EXPECT_EQ(WeightShapes(net.graph)[0][0], 4) << form;
  }
}

// From each group as many go, and one stays; groups have to be within one another.
TEST(DropDeadChannels, OfGroupsOnEitherSide) {
  struct Case {
    int64_t before, after;  // groups
    std::vector<double> scale;
    int64_t left;
  };
  const Case cases[] = {
      {1, 2, {0, 1, 0, 2, 1, 0, -1, 1, 1, 2, 0, 2}, 10},  // 3 of 6, 1 of 6
      {2, 1, {1, 0, 1, 2, 1, 0, 0, 1, 0, 0, 1, 2}, 8},    // 2 of 6, 3 of 6
      {2, 4, {0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0}, 8},    // 1 of 3 in each, 2 in one
      {4, 2, {0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1}, 8},    // a whole group is dead
      {1, 3, {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, 12},   // of one group alone
      {2, 3, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, 12},   // neither is within the other
      {3, 3, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 3},    // nearly nothing is left
      {1, 12, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, 12},  // groups of one input
  };
  for (const Case& c : cases) {
    for (const int64_t pad : {0, 1}) {
      SCOPED_TRACE(testing::Message() << c.before << " " << c.after << " " << pad);
      Net net;
      const ValueId x = net.Conv(net.Input({2, 12, 5, 5}), {.outputs = 12, .group = c.before});
      std::vector<double> shift;
      for (int i = 0; i < 12; ++i) shift.push_back(i % 5 - 1);
      const ValueId norm = net.Relu(net.BatchNorm(x, 1, c.scale, shift));
      const int64_t outputs = c.after == 12 ? 24 : 12;
      net.Output(net.Conv(
          norm, {.outputs = outputs, .pads = {pad, pad, 0, pad}, .group = c.after}));
      ExpectSameAnswers(net.graph);
      const Shape before = {c.left, 12 / c.before, 3, 3}, after = {outputs, c.left / c.after, 3, 3};
      EXPECT_EQ(WeightShapes(net.graph), (std::vector<Shape>{before, after}));
    }
  }
}

// A filter that reads nothing but dead channels is dead too.
TEST(DropDeadChannels, OneAfterTheOther) {
  Net net;
  const ValueId x = net.Conv(net.Input({1, 3, 4, 4}), {.outputs = 2, .kernel = {1, 1}});
  const ValueId norm = net.BatchNorm(x, 1, {0, 1}, {3, 1});
  fb::ConvT fields;
  fields.window = std::make_unique<fb::WindowT>();
  const ValueId weights = net.Constant({2, 2, 1, 1}, {2, 0, 1, 1});
  const ValueId second = net.Add(std::move(fields), {net.Relu(norm), weights});
  net.Output(net.Conv(net.Relu(second), {.outputs = 3, .pads = {1, 1, 1, 1}}));
  ExpectSameAnswers(net.graph);
  EXPECT_EQ(WeightShapes(net.graph),
            (std::vector<Shape>{{1, 3, 1, 1}, {1, 1, 1, 1}, {3, 1, 3, 3}}));
}

}  // namespace
}  // namespace pleat::tests
