#include <gtest/gtest.h>

#include <algorithm>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using enum fb::BinaryKind;
using kernels::UnaryKind;

const ConvSpec kSame = {.outputs = 4, .pads = {1, 1, 1, 1}};

// Transposes left when the input and each of `outputs` image outputs need one.
void ExpectOnlyAtTheEdges(const Net& net, int outputs) {
  const Graph laid = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::TransposeT>(laid), static_cast<int>(net.graph.inputs.size()) + outputs)
      << runtime::GraphText(laid);
}

TEST(ChannelsLast, ElementwiseFollows) {
  Net net;
  const ValueId y = net.Conv(net.Input({2, 3, 4, 4}), kSame);
  const ValueId scaled = net.Binary(Max, y, net.Weights({4, 1, 1}));
  const ValueId mapped = net.Binary(Min, net.Weights({1, 1, 4, 4}), scaled);
  const ValueId rows = net.Binary(Max, mapped, net.Weights({4}));
  net.Output(net.Conv(net.Unary(rows, UnaryKind::kAbs), kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, OperandsOfLowerRankAreWidened) {
  for (const Shape& shape : {Shape{4, 4}, Shape{4}, Shape{4, 4, 4}, Shape{1}, Shape{}}) {
    Net net;
    const ValueId y = net.Conv(net.Input({4, 4, 4, 4}), kSame);
    net.Output(net.Binary(Mul, y, net.Input(shape)));
    ExpectSameAnswers(net.graph);
  }
}

TEST(ChannelsLast, WhereFollows) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 4, 4, 4}), kSame);
  const ValueId mask = net.Binary(Greater, y, net.Weights({4, 1, 1}));
  net.Output(net.Conv(net.Add(fb::WhereT{}, {mask, y, net.Weights({4, 1})}), kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, SqueezeAndExcite) {
  Net net;
  const ValueId y = net.Conv(net.Input({kUnknownDim, 4, 4, 4}), kSame);
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Sum;
  mean.axes = {2, 3};
  const ValueId pooled = net.Add(std::move(mean), {y});
  const ValueId gate = net.Relu(net.Conv(pooled, {.outputs = 4, .kernel = {1, 1}}));
  net.Output(net.Conv(net.Binary(Mul, y, gate), kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, SqueezeAndExciteWithProducts) {
  Net net;
  const ValueId y = net.Conv(net.Input({kUnknownDim, 4, 4, 4}), kSame);
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Sum;
  mean.axes = {2, 3};
  mean.keepdims = false;
  const ValueId pooled = net.MatMul(net.Add(std::move(mean), {y}), net.Weights({4, 4}));
  const ValueId gate = net.Reshape(pooled, {-1, 4, 1, 1});
  net.Output(net.Conv(net.Binary(Mul, y, gate), kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, ConcatSplitAndSliceFollow) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 4, 6, 6}), kSame);
  fb::ConcatT concat;
  concat.axis = -3;
  const ValueId joined = net.Add(std::move(concat), {y, net.Relu(y)});
  const ValueId part = net.Add(fb::SliceT{}, {joined, net.Int64s({1, 2}), net.Int64s({7, 6}),
                                              net.Int64s({1, -1}), net.Int64s({2, 1})});
  net.Output(net.Conv(part, kSame));
  ExpectOnlyAtTheEdges(net, 1);
  Net split;
  const ValueId z = split.Conv(split.Input({1, 4, 6, 6}), kSame);
  fb::SplitT halves;
  halves.axis = 1;
  halves.sizes = {1, 3};
  const std::vector<ValueId> parts = split.AddMany(std::move(halves), {z}, 2);
  split.Output(split.Conv(parts[1], kSame));
  split.Output(parts[0]);
  ExpectSameAnswers(split.graph);
}

TEST(ChannelsLast, SliceWithoutAxesAndPadFollow) {
  Net net;
  const ValueId y = net.Conv(net.Input({2, 4, 6, 6}), kSame);
  const ValueId part =
      net.Add(fb::SliceT{}, {y, net.Int64s({0, 1, 0, 2}), net.Int64s({2, 4, 5, 6})});
  fb::PadT pad;
  pad.mode = fb::PadMode::Reflect;
  const ValueId wide = net.Add(std::move(pad), {part, net.Int64s({0, 0, 1, 2, 0, 0, 2, 1})});
  const ValueId more =
      net.Add(fb::PadT{}, {wide, net.Int64s({1, 2}), net.Constant({}, {3}), net.Int64s({1})});
  net.Output(net.Conv(more, kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, ReductionsRenameTheirAxes) {
  for (bool keepdims : {false, true}) {
    for (const std::vector<int64_t>& axes :
         {std::vector<int64_t>{1}, {2}, {-1}, {1, 3}, {0, 2}, {2, 3}, {0, 1, 2, 3}}) {
      Net net;
      const ValueId y = net.Conv(net.Input({2, 3, 4, 4}), kSame);
      fb::ReduceT sum;
      sum.axes = axes;
      sum.keepdims = keepdims;
      net.Output(net.Add(std::move(sum), {y}));
      ExpectSameAnswers(net.graph);
    }
  }
  for (bool keepdims : {false, true}) {
    Net net;
    fb::ArgReduceT most;
    most.max = true;
    most.axis = 1;
    most.keepdims = keepdims;
    net.Output(net.Add(std::move(most), {net.Conv(net.Input({2, 3, 4, 4}), kSame)}));
    ExpectSameAnswers(net.graph);
  }
}

TEST(ChannelsLast, ChannelShuffleNeedsOneTranspose) {
  for (int64_t batch : {int64_t{2}, kUnknownDim}) {
    Net net;
    const ValueId y = net.Conv(net.Input({batch, 3, 4, 4}), kSame);
    const ValueId pairs = net.Reshape(y, {batch, 2, 2, 4, 4});
    const ValueId swapped = net.Transpose(pairs, {0, 2, 1, 3, 4});
    net.Output(net.Conv(net.Reshape(swapped, {batch, 4, 4, 4}), kSame));
    const Graph laid = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Count<fb::TransposeT>(laid), 3);
  }
}

TEST(ChannelsLast, DetectionHeadNeedsNone) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 3, 4, 6}), kSame);
  net.Output(net.Reshape(net.Transpose(y, {0, 2, 3, 1}), {1, -1, 2}));
  const ValueId flat = net.Reshape(net.Conv(y, kSame), {1, 4, 24});
  net.Output(net.Transpose(flat, {0, 2, 1}));
  ExpectOnlyAtTheEdges(net, 0);
}

TEST(ChannelsLast, ReshapesThatMixAxesStay) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{4, 4, 4},
                                            {16, 4},
                                            {1, 64},
                                            {4, 1, 4, 4},
                                            {1, 2, 8, 4},
                                            {1, 4, 2, 8},
                                            {2, 2, 4, 4},
                                            {1, 8, 2, 4},
                                            {1, 4, 4, 2, 2},
                                            {1, 2, 2, 2, 8}}) {
    Net net;
    const ValueId y = net.Conv(net.Input({1, 4, 4, 4}), kSame);
    net.Output(net.Relu(net.Reshape(y, shape)));
    ExpectSameAnswers(net.graph);
  }
}

TEST(ChannelsLast, TransposesOfEveryKind) {
  std::vector<int64_t> perm = {0, 1, 2, 3};
  do {
    Net net;
    const ValueId y = net.Transpose(net.Conv(net.Input({4, 4, 4, 4}), kSame), perm);
    net.Output(net.Conv(net.Relu(y), kSame));
    net.Output(net.Binary(Add, y, net.Input({4, 4, 4, 4})));
    ExpectSameAnswers(net.graph);
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(ChannelsLast, ImageThatComesChannelsLastIsNotMoved) {
  Net net;
  const ValueId y = net.Conv(net.Transpose(net.Input({1, 6, 6, 3}), {0, 3, 1, 2}), kSame);
  net.Output(net.Transpose(net.Relu(y), {0, 2, 3, 1}));
  EXPECT_EQ(Count<fb::TransposeT>(ExpectSameAnswers(net.graph)), 0);
}

TEST(ChannelsLast, SqueezeAndUnsqueezeFollow) {
  Net net;
  const ValueId y =
      net.Conv(net.Input({2, 3, 1, 4}), {.outputs = 4, .kernel = {1, 3}, .pads = {0, 1, 0, 1}});
  fb::SqueezeT squeeze;
  squeeze.axes = {2};
  const ValueId line = net.Relu(net.Add(std::move(squeeze), {y}));
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {-1};
  net.Output(net.Conv(net.Add(std::move(unsqueeze), {line}),
                      {.outputs = 2, .kernel = {3, 1}, .pads = {1, 0, 1, 0}}));
  ExpectSameAnswers(net.graph);
}

TEST(ChannelsLast, ResizePoolAndSpaceFollow) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 3, 4, 6}), kSame);
  fb::ResizeT resize;
  resize.coordinates = fb::CoordinateMode::Asymmetric;
  resize.nearest = fb::NearestMode::Floor;
  const ValueId big = net.Add(std::move(resize), {y, kNoValue, net.Constant({4}, {1, 1, 2, 3})});
  fb::PoolT pool;
  pool.kind = fb::PoolKind::Max;
  pool.window = std::make_unique<fb::WindowT>();
  pool.window->kernel = {2, 3};
  pool.window->strides = {2, 3};
  const ValueId small = net.Add(std::move(pool), {big});
  fb::SpaceToDepthT deep;
  deep.block = 2;
  fb::DepthToSpaceT wide;
  wide.block = 2;
  net.Output(net.Conv(net.Add(std::move(wide), {net.Add(std::move(deep), {small})}), kSame));
  ExpectOnlyAtTheEdges(net, 1);
}

TEST(ChannelsLast, SizesReadFromAnImageAreTheStatedOnes) {
  for (int64_t axis : {1, 2, -1}) {
    Net net;
    const ValueId y = net.Conv(net.Input({kUnknownDim, 3, kUnknownDim, kUnknownDim}), kSame);
    fb::ShapeOfT shape;
    shape.start = axis;
    net.Output(net.Add(std::move(shape), {y}));
    net.Output(net.Conv(y, kSame));
    ExpectSameAnswers(net.graph);
  }
}

TEST(ChannelsLast, SoftmaxGatherExpandAndTileRenameTheirAxes) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 3, 4, 4}), kSame);
  fb::GatherT gather;
  gather.axis = 1;
  const ValueId some = net.Add(std::move(gather), {y, net.Int64s({3, 0, 0})});
  const ValueId tiled = net.Add(fb::TileT{}, {some, net.Int64s({1, 2, 1, 2})});
  net.Output(net.Conv(net.Add(fb::ExpandT{}, {tiled, net.Int64s({2, 1, 1, 8})}), kSame));
  ExpectOnlyAtTheEdges(net, 1);
  for (bool to_end : {false, true}) {
    for (int64_t height : {1, 3}) {
      Net soft(1, /*exact=*/false);
      const ValueId z = soft.Conv(soft.Input({1, 3, height, 1}), {.outputs = 4, .kernel = {1, 1}});
      fb::SoftmaxT softmax;
      softmax.axis = 1;
      softmax.to_end = to_end;
      soft.Output(soft.Conv(soft.Add(std::move(softmax), {z}), {.outputs = 2, .kernel = {1, 1}}));
      ExpectSameAnswers(soft.graph, 1e-6);
    }
  }
}

TEST(ChannelsLast, OneAndThreeDimensions) {
  Net line;
  const ConvSpec spec1{.outputs = 4, .kernel = {3}, .pads = {1, 1}};
  const ValueId y = line.Relu(line.Conv(line.Input({2, 4, 4}), spec1));
  line.Output(line.Conv(line.Binary(Max, y, line.Weights({4, 1})), spec1));
  ExpectOnlyAtTheEdges(line, 1);
  Net volume;
  const ConvSpec spec3{.outputs = 4, .kernel = {3, 1, 2}, .group = 2};
  const ValueId z = volume.Relu(volume.Conv(volume.Input({2, 4, 4, 4, 4}), spec3));
  volume.Output(volume.Conv(volume.Binary(Max, z, volume.Weights({4, 1, 1, 1})),
                            {.outputs = 2, .kernel = {1, 1, 1}}));
  ExpectOnlyAtTheEdges(volume, 1);
}

TEST(ChannelsLast, RunsTwiceWithoutHarm) {
  Net net;
  net.Output(net.Relu(net.Conv(net.Input({1, 3, 4, 4}), kSame)));
  const Graph once = Converted(net.graph);
  EXPECT_EQ(Converted(once).nodes.size(), once.nodes.size());
  ExpectSameAnswers(once);
}

TEST(PackWeights, EveryLayoutGivesTheSameAnswers) {
  for (const ConvSpec& spec :
       {ConvSpec{.outputs = 16}, ConvSpec{.outputs = 20}, ConvSpec{.outputs = 4, .group = 4},
        ConvSpec{.outputs = 8, .group = 4}, ConvSpec{.outputs = 4, .group = 2},
        ConvSpec{.outputs = 32, .group = 2}}) {
    Net net;
    net.Output(net.Conv(net.Input({1, 4, 5, 5}), spec));
    ExpectSameAnswers(net.graph);
  }
  for (bool transpose_b : {false, true}) {
    for (int64_t columns : {3, 16, 21}) {
      Net net;
      fb::MatMulT fields;
      fields.transpose_b = transpose_b;
      const ValueId w = net.Weights(transpose_b ? Shape{columns, 5} : Shape{5, columns});
      net.Output(net.MatMul(net.Input({2, 5}), w, kNoValue, std::move(fields)));
      ExpectSameAnswers(net.graph);
    }
  }
}

// x of `shape` times [5, columns], as converted with half weights.
Graph Halved(const Shape& shape, int64_t columns, const fb::MatMulT& fields = {},
             float weight = 0) {
  Net net;
  std::vector<float> weights(static_cast<size_t>(5 * columns));
  for (float& number : weights) number = static_cast<float>(net.random.Between(-3, 3));
  if (weight != 0) weights[7] = weight;
  const ValueId w =
      net.Constant(fields.transpose_b ? Shape{columns, 5} : Shape{5, columns}, weights);
  net.Output(net.Relu(net.MatMul(net.Input(shape), w, net.Weights({columns}), fields)));
  return ExpectSameAnswers(net.graph, 0, {.half_weights = true});
}

int HalfWeights(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) {
    const Tensor* weights = graph.ConstantOf(node.input(1));
    count += weights != nullptr && weights->element() == ElementType::kFloat16 ? 1 : 0;
  }
  return count;
}

TEST(HalveWeights, OfFewRowsGivesTheSameAnswersWhereFloat16HoldsThem) {
  EXPECT_EQ(HalfWeights(Halved({1, 5}, 16)), 1);
  EXPECT_EQ(HalfWeights(Halved({4, 5}, 37)), 1);
  EXPECT_EQ(HalfWeights(Halved({2, 2, 5}, 37)), 1);
  EXPECT_EQ(HalfWeights(Halved({runtime::kUnknownDim, 5}, 21)), 1);
  fb::MatMulT fields;
  fields.transpose_b = true;
  fields.alpha = 0.5f;
  EXPECT_EQ(HalfWeights(Halved({3, 5}, 33, fields)), 1);
}

TEST(HalveWeights, LeavesWhatWouldLoseMoreOrGainNothing) {
  EXPECT_EQ(HalfWeights(Halved({1, 5}, 15)), 0) << "not in panels";
  EXPECT_EQ(HalfWeights(Halved({5, 5}, 16)), 0) << "many rows";
  EXPECT_EQ(HalfWeights(Halved({3, 2, 5}, 16)), 0) << "many rows";
  EXPECT_EQ(HalfWeights(Halved({2, 2, 2, 2, 2, 2, 5}, 16)), 0) << "many rows";
  EXPECT_EQ(HalfWeights(Halved({1, 5}, 16, {}, 65536)), 0) << "beyond float16";
  EXPECT_EQ(HalfWeights(Halved({1, 5}, 16, {}, 65504)), 1);
  fb::MatMulT transposed;
  transposed.transpose_a = true;
  EXPECT_EQ(HalfWeights(Halved({5, 1}, 16, transposed)), 0);
  Net net;
  std::vector<float> weights(5 * 16, 1);
  for (size_t row = 0; row < 5; ++row) weights[row * 16 + 3] = 0x1.8p-24f;
  net.Output(net.MatMul(net.Input({1, 5}), net.Constant({5, 16}, weights)));
  EXPECT_EQ(HalfWeights(Converted(net.graph, {.half_weights = true})), 0) << "a tiny column";
  EXPECT_EQ(HalfWeights(Converted(net.graph)), 0) << "not asked for";
}

}  // namespace
}  // namespace pleat::tests
