// Constants, shapes known in part, and steps that change nothing.
#include <gtest/gtest.h>

#include <limits>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using enum fb::BinaryKind;

TEST(EvaluateConstants, WeightsBehindNodesCountAsConstant) {
  Net net;
  const ValueId x = net.Input({2, 5});
  const ValueId w = net.Transpose(net.Add(fb::IdentityT{}, {net.Weights({4, 5})}), {1, 0});
  net.Output(net.BatchNorm(net.MatMul(x, net.Binary(Add, w, net.Weights({5, 4})))));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded), "FOLDED matmul");
  EXPECT_EQ(folded.nodes.size(), 1u);
}

TEST(EvaluateConstants, BatchNormOfAConstantIsOne) {
  for (int64_t size : {4, 3000}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Weights({size, 2}));
    net.Output(net.Binary(Add, net.Input({size, 2}), norm));
    const Graph folded = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Fate(folded), "FOLDED constant");
    EXPECT_EQ(folded.nodes.size(), 1u);
  }
}

TEST(EvaluateConstants, WhatWouldGrowWithoutBoundStaysANode) {
  Net net;
  const ValueId big = net.Add(fb::ExpandT{}, {net.Weights({1, 1}), net.Int64s({8192, 8192})});
  fb::ReduceT sum;
  net.Output(net.Binary(Mul, net.Input({1, 1}), net.Add(std::move(sum), {big})));
  const Graph same = Converted(net.graph);
  EXPECT_EQ(Count<fb::ExpandT>(same), 1);
}

TEST(EvaluateConstants, OutputThatIsKnownIsGiven) {
  Net net;
  net.Output(net.Binary(Add, net.Weights({2, 3}), net.Weights({2, 3})));
  net.Output(net.Relu(net.Input({2, 3})));
  ExpectSameAnswers(net.graph);
}

// [sizes of x at `places`, then `known`] as one list.
ValueId ShapeList(Net& net, ValueId x, const std::vector<int64_t>& places,
                  const std::vector<int64_t>& known) {
  fb::ConcatT concat;
  std::vector<ValueId> parts;
  for (int64_t place : places) {
    const ValueId sizes = net.Add(fb::ShapeOfT{}, {x});
    fb::UnsqueezeT unsqueeze;
    unsqueeze.axes = {0};
    const ValueId index =
        net.graph.AddConstant("index", Tensor::Of<int64_t>({}, std::vector{place}));
    parts.push_back(net.Add(std::move(unsqueeze), {net.Add(fb::GatherT{}, {sizes, index})}));
  }
  parts.push_back(net.Int64s(known));
  return net.Add(std::move(concat), std::move(parts));
}

TEST(SimplifyShapes, CopiedAndOpenSizesBecomeConstants) {
  Net copied;
  const ValueId x = copied.Input({kUnknownDim, kUnknownDim, 2, 3});
  copied.Output(copied.Add(fb::ReshapeT{}, {x, ShapeList(copied, x, {0, 1}, {6})}));
  const Graph simple = ExpectSameAnswers(copied.graph);
  EXPECT_EQ(simple.nodes.size(), 1u);
  EXPECT_EQ(runtime::ToInt64s(*simple.ConstantOf(simple.nodes[0].inputs[1])),
            (std::vector<int64_t>{0, 0, 6}));
  Net open;
  const ValueId y = open.Input({2, kUnknownDim, 3});
  open.Output(open.Add(fb::ReshapeT{}, {y, ShapeList(open, y, {1}, {6})}));
  EXPECT_EQ(ExpectSameAnswers(open.graph).nodes.size(), 1u);
}

TEST(SimplifyShapes, TwoOpenSizesStay) {
  Net net;
  const ValueId x = net.Input({kUnknownDim, 3, kUnknownDim});
  net.Output(net.Add(fb::ReshapeT{}, {x, ShapeList(net, x, {2, 0}, {3})}));
  EXPECT_GT(ExpectSameAnswers(net.graph).nodes.size(), 1u);
}

TEST(SimplifyShapes, KnownSizesOfAnOpenImageAreEvaluated) {
  Net net;
  const ValueId x = net.Input({kUnknownDim, 8, 4, 4});
  const ValueId sizes = net.Add(fb::ShapeOfT{}, {x});
  const ValueId channels = net.Add(fb::GatherT{}, {sizes, net.Int64s({1})});
  const ValueId half = net.Binary(Div, channels, net.Int64s({2}));
  net.Output(net.Add(fb::SliceT{}, {x, net.Int64s({0}), half, net.Int64s({1})}));
  const Graph simple = ExpectSameAnswers(net.graph);
  EXPECT_EQ(simple.nodes.size(), 1u);
  EXPECT_EQ(simple.values[static_cast<size_t>(simple.outputs[0])].type.shape,
            (Shape{kUnknownDim, 4, 4, 4}));
}

TEST(SimplifyShapes, ExpandToItsOwnSizes) {
  Net net;
  const ValueId x = net.Input({kUnknownDim, 1, 3});
  fb::ConcatT concat;
  fb::ShapeOfT first;
  first.end = 1;
  const ValueId list =
      net.Add(std::move(concat), {net.Add(std::move(first), {x}), net.Int64s({4, 3})});
  net.Output(net.Add(fb::ExpandT{}, {x, list}));
  EXPECT_EQ(ExpectSameAnswers(net.graph).nodes.size(), 1u);
}

TEST(EliminateIdentity, StepsThatChangeNothingGo) {
  Net net;
  ValueId x = net.Relu(net.Input({kUnknownDim, 3, 4}));
  x = net.Add(fb::IdentityT{}, {x});
  x = net.Transpose(x, {0, 1, 2});
  x = net.Reshape(x, {-1, 3, 4});
  x = net.Unary(x, kernels::UnaryKind::kIdentity);
  x = net.Add(fb::PadT{}, {x, net.Int64s({0, 0, 0, 0, 0, 0})});
  const int64_t end = std::numeric_limits<int64_t>::max();
  x = net.Add(fb::SliceT{}, {x, net.Int64s({0, 0}), net.Int64s({end, 3}), net.Int64s({0, 1})});
  x = net.Transpose(net.Transpose(x, {1, 2, 0}), {2, 0, 1});
  x = net.Add(fb::ConcatT{}, {x});
  net.Output(net.Unary(x, kernels::UnaryKind::kAbs));
  EXPECT_EQ(ExpectSameAnswers(net.graph).nodes.size(), 2u);
}

TEST(EliminateIdentity, NamesOfOutputsStay) {
  Net direct;
  direct.Output(direct.Add(fb::IdentityT{}, {direct.Input({2, 3})}));
  const Graph kept = ExpectSameAnswers(direct.graph);
  EXPECT_EQ(kept.values[static_cast<size_t>(kept.outputs[0])].name, "op0_out");
  Net both;
  const ValueId y = both.Relu(both.Input({2, 3}));
  both.Output(y);
  both.Output(both.Add(fb::IdentityT{}, {y}));
  both.Output(both.Unary(y, kernels::UnaryKind::kAbs));
  const Graph two = ExpectSameAnswers(both.graph);
  EXPECT_EQ(two.values[static_cast<size_t>(two.outputs[0])].name, "op0_out");
  EXPECT_EQ(two.values[static_cast<size_t>(two.outputs[1])].name, "op1_out");
}

TEST(EliminateIdentity, ReshapesThatMeetBecomeOne) {
  Net net;
  ValueId x = net.Reshape(net.Input({2, 3, 4}), {6, 4});
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {0};
  x = net.Add(std::move(unsqueeze), {x});
  net.Output(net.Reshape(x, {4, -1}));
  EXPECT_EQ(ExpectSameAnswers(net.graph).nodes.size(), 1u);
}

TEST(RunPasses, StopsWhereAskedAndStillRuns) {
  Net net;
  net.Output(net.Relu(net.BatchNorm(net.Conv(net.Input({1, 3, 4, 4}), {}))));
  for (const char* pass : {"evaluate_constants", "canonicalize_affine", "fold_backward",
                           "channels_last", "fuse_activation", "pack_weights"}) {
    ExpectSameAnswers(net.graph, 0, {.stop_after = pass});
  }
  Graph graph = net.graph;
  EXPECT_EQ(converter::RunPasses(graph, {.stop_after = "no_such_pass"}).code(),
            runtime::StatusCode::kInvalidArgument);
}

TEST(RunPasses, TellsEveryStage) {
  Net net;
  net.Output(net.BatchNorm(net.Conv(net.Input({1, 3, 4, 4}), {})));
  std::vector<std::string> stages;
  converter::ConvertOptions options;
  options.on_stage = [&](const std::string& stage, const Graph& graph) {
    stages.push_back(stage);
    EXPECT_TRUE(runtime::CheckGraph(graph).ok());
  };
  Converted(net.graph, options);
  EXPECT_EQ(stages.front(), "evaluate_constants");
  EXPECT_EQ(stages.back(), "record_batch_norms");
}

TEST(RecordBatchNorms, OneThatNobodyNeedsIsEliminated) {
  Net net;
  const ValueId x = net.Input({2, 3, 4});
  net.BatchNorm(x);
  net.Output(net.Relu(x));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED eliminated");
}

}  // namespace
}  // namespace pleat::tests
