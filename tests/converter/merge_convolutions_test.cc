#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

ValueId Sum(Net& net, ValueId a, ValueId b) { return net.Binary(fb::BinaryKind::Add, a, b); }

int Convs(const Graph& graph) { return Count<fb::ConvT>(graph); }

// The block of RepVGG: a kernel of 3, one of 1, and the image itself, each with a batch norm.
Graph RepVgg(int64_t group, int64_t rank, int64_t stride, uint64_t seed) {
  Net net(seed);
  Shape shape = {2, 4};
  shape.resize(static_cast<size_t>(rank) + 2, 4);
  const auto all = [&](int64_t n) { return std::vector<int64_t>(static_cast<size_t>(rank), n); };
  const ValueId x = net.Relu(net.Input(shape));
  const std::vector<int64_t> ones(static_cast<size_t>(rank) * 2, 1);
  const ValueId wide = net.Conv(x, {.outputs = 4, .kernel = all(3), .strides = all(stride),
                                    .pads = ones, .group = group, .bias = false});
  const ValueId point = net.Conv(
      x, {.outputs = 4, .kernel = all(1), .strides = all(stride), .group = group, .bias = true});
  const ValueId first = net.BatchNorm(wide);
  ValueId y = Sum(net, first, net.BatchNorm(point));
  if (stride == 1) y = Sum(net, net.BatchNorm(x), y);
  net.Output(net.Relu(y));
  return std::move(net.graph);
}

TEST(MergeConvolutions, RepVggIsOneConvolution) {
  for (int64_t group : {1, 2, 4}) {
    for (int64_t rank : {1, 2, 3}) {
      for (int64_t stride : {1, 2}) {
        const Graph merged =
            ExpectSameAnswers(RepVgg(group, rank, stride, static_cast<uint64_t>(group + rank)));
        EXPECT_EQ(Convs(merged), 1);
        EXPECT_EQ(Count<fb::BinaryT>(merged), 0);
        EXPECT_EQ(Count<fb::ScaleShiftT>(merged), 0);
        for (size_t i = 0; i < merged.batch_norms.size(); ++i) {
          EXPECT_EQ(Fate(merged, i), i == 0 ? "FOLDED conv" : "FOLDED merged_conv");
          EXPECT_EQ(merged.batch_norms[i].into, "op1");
        }
      }
    }
  }
}

// The mixer of FastViT: x + gamma * (wide(x) + point(x) - batch norm(x)), in each order of a - b.
TEST(MergeConvolutions, SubtractedTermsAreMerged) {
  for (int order : {0, 1, 2}) {
    Net net(static_cast<uint64_t>(11 + order));
    const ValueId x = net.Relu(net.Input({2, 4, 5, 6})), other = net.Input({2, 4, 5, 6});
    const auto sub = [&](ValueId a, ValueId b) { return net.Binary(fb::BinaryKind::Sub, a, b); };
    const ValueId wide = net.BatchNorm(
        net.Conv(x, {.outputs = 4, .kernel = {3, 3}, .pads = {1, 1, 1, 1}, .group = 4}));
    const ValueId point = net.BatchNorm(net.Conv(x, {.outputs = 4, .kernel = {1, 1}, .group = 4}));
    const ValueId image = net.BatchNorm(x);
    ValueId y = order == 0 ? sub(Sum(net, wide, point), image) : sub(image, sub(wide, point));
    if (order == 2) y = sub(y, net.Relu(other));
    net.Output(Sum(net, x, net.BatchNorm(y)));
    const Graph merged = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Convs(merged), 1);
    EXPECT_EQ(Count<fb::ScaleShiftT>(merged), order == 2 ? 1 : 0);
  }
}

TEST(MergeConvolutions, CrossedKernelsNeedTheirMiddle) {
  const auto convs = [](bool square) {
    Net net(3);
    const ValueId x = net.Input({1, 4, 6, 5});
    const ValueId rows =
        net.Conv(x, {.outputs = 6, .kernel = {1, 3}, .pads = {0, 1, 0, 1}, .group = 2});
    const ValueId columns =
        net.Conv(x, {.outputs = 6, .kernel = {3, 1}, .pads = {1, 0, 1, 0}, .group = 2});
    ValueId y = Sum(net, rows, columns);
    if (square) {
      y = Sum(net, y, net.Conv(x, {.outputs = 6, .pads = {1, 1, 1, 1}, .group = 2}));
    }
    net.Output(y);
    return Convs(ExpectSameAnswers(net.graph));
  };
  EXPECT_EQ(convs(true), 1);
  EXPECT_EQ(convs(false), 2);  // nine taps would take the place of six
}

TEST(MergeConvolutions, OtherTermsStayInTheSum) {
  Net net(5);
  const ValueId x = net.Input({1, 4, 5, 5}), other = net.Input({1, 4, 5, 5});
  const ConvSpec wide{.outputs = 4, .pads = {1, 1, 1, 1}}, point{.outputs = 4, .kernel = {1, 1}};
  const ValueId left = Sum(net, net.Conv(x, point), net.Relu(other));
  const ValueId right = Sum(net, net.Conv(other, wide), net.Conv(x, wide));
  net.Output(Sum(net, Sum(net, left, right), x));
  EXPECT_EQ(Convs(ExpectSameAnswers(net.graph)), 2);
}

TEST(MergeConvolutions, WindowsMustSeeTheSame) {
  const auto convs = [](const ConvSpec& a, const ConvSpec& b) {
    Net net(7);
    const ValueId x = net.Input({1, 4, 7, 7});
    net.Output(Sum(net, net.Conv(x, a), net.Conv(x, b)));
    return Convs(ExpectSameAnswers(net.graph));
  };
  const ConvSpec same{.outputs = 4, .pads = {1, 1, 1, 1}};
  EXPECT_EQ(convs(same, same), 1);
  EXPECT_EQ(convs(same, {.outputs = 4, .auto_pad = fb::AutoPad::SameUpper}), 1);
  EXPECT_EQ(convs(same, {.outputs = 4, .kernel = {2, 2}, .pads = {0, 0, 1, 1}}), 1);
  EXPECT_EQ(convs(same, {.outputs = 4, .kernel = {2, 2}, .pads = {1, 1, 0, 0}}), 1);
  EXPECT_EQ(convs(same, {.outputs = 4, .pads = {1, 1, 1, 1}, .group = 2}), 2);
  EXPECT_EQ(convs({.outputs = 4, .kernel = {5, 5}, .pads = {2, 2, 2, 2}},
                  {.outputs = 4, .dilations = {2, 2}, .pads = {2, 2, 2, 2}}), 2);
  EXPECT_EQ(convs({.outputs = 4, .dilations = {2, 2}, .pads = {2, 2, 2, 2}},
                  {.outputs = 4, .kernel = {1, 1}}), 1);
  EXPECT_EQ(convs(same, {.outputs = 4, .kernel = {1, 1}, .strides = {7, 7}}), 2);  // [1,4,1,1]
}

TEST(MergeConvolutions, TermsThatAreSeenElsewhereStay) {
  Net net(9);
  const ValueId x = net.Input({1, 4, 5, 5});
  const ConvSpec point{.outputs = 4, .kernel = {1, 1}};
  const ValueId seen = net.Conv(x, point);
  net.Output(Sum(net, seen, net.Conv(x, point)));
  net.Output(seen);
  EXPECT_EQ(Convs(ExpectSameAnswers(net.graph)), 2);
  Net twice(9);
  const ValueId y = twice.Conv(twice.Input({1, 4, 5, 5}), point);
  twice.Output(Sum(twice, y, y));
  EXPECT_EQ(Convs(ExpectSameAnswers(twice.graph)), 1);
}

TEST(MergeConvolutions, WhatFollowsTheSumFoldsToo) {
  Net net(11);
  const ValueId x = net.Input({1, 4, 5, 5});
  const ConvSpec point{.outputs = 4, .kernel = {1, 1}};
  net.Output(net.BatchNorm(Sum(net, net.BatchNorm(x), net.Conv(x, point))));
  const Graph merged = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Convs(merged), 1);
  EXPECT_EQ(Count<fb::ScaleShiftT>(merged), 0);
}

// The mixer of RepViT: one batch norm behind the sum of all, the image among them.
TEST(MergeConvolutions, TheImageItselfIsATermWhereAScaleFollows) {
  for (int kind = 0; kind < 5; ++kind) {
    Net net(static_cast<uint64_t>(31 + kind));
    const ValueId x = net.Relu(net.Input({2, 4, 5, 6}));
    const ValueId wide = net.BatchNorm(
        net.Conv(x, {.outputs = 4, .kernel = {3, 3}, .pads = {1, 1, 1, 1}, .group = 4}));
    const ValueId point = net.Conv(x, {.outputs = 4, .kernel = {1, 1}, .group = 4});
    ValueId y = kind == 1 ? net.Binary(fb::BinaryKind::Sub, wide, x) : Sum(net, wide, point);
    if (kind == 2) y = Sum(net, y, x);
    if (kind != 1) y = Sum(net, y, kind == 3 ? net.Relu(net.Input({2, 4, 5, 6})) : x);
    net.Output(kind == 4 ? net.Relu(y) : net.Relu(net.BatchNorm(y)));
    net.Output(net.Relu(x));
    const Graph merged = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Convs(merged), 1) << kind;
    const int left = kind < 2 ? 0 : kind == 2 ? 2 : 1;  // x twice, something else, no scale
    EXPECT_LE(Count<fb::BinaryT>(merged) + Count<fb::ScaleShiftT>(merged), left) << kind;
    if (kind < 2) {
      EXPECT_EQ(Fate(merged, 1), "FOLDED conv") << kind;
    }
  }
}

}  // namespace
}  // namespace pleat::tests
