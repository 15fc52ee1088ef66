// If, Loop and Scan: imported, run, and through a file.
#include <gtest/gtest.h>

#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::GraphProto;
using onnx::TensorProto;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;

Tensor Bool(bool value) { return Tensor::Of<bool>({}, std::span<const bool>(&value, 1)); }
Tensor Int64(int64_t value) { return Tensor::Of<int64_t>({}, std::span<const int64_t>(&value, 1)); }

GraphProto Body(OnnxBuilder builder) { return builder.graph(); }

// y = c ? x + x : (x * w), both with captured values.
OnnxBuilder TwoWays() {
  OnnxBuilder builder(13);
  builder.Input("c", {}, TensorProto::BOOL).Input("x", {2}).Weight("w", {2}, {3, 4}).Output("y");
  builder.Node("If", {"c"}, {"y"},
               {{"then_branch", Body(OnnxBuilder().Node("Add", {"x", "x"}, {"t"}).Output("t"))},
                {"else_branch", Body(OnnxBuilder().Node("Mul", {"x", "w"}, {"e"}).Output("e"))}});
  return builder;
}

TEST(ImportControlTest, IfAtRunTime) {
  EXPECT_EQ(Answer(TwoWays(), {Bool(true), Floats({2}, {1, 2})}), (Doubles{2, 4}));
  EXPECT_EQ(Answer(TwoWays(), {Bool(false), Floats({2}, {1, 2})}), (Doubles{3, 8}));
}

TEST(ImportControlTest, BranchesOfDifferentShapes) {
  OnnxBuilder builder(13);
  builder.Input("c", {}, TensorProto::BOOL).Input("x", {2}).Output("y");
  builder.Node("If", {"c"}, {"z"},
               {{"then_branch", Body(OnnxBuilder().Node("Identity", {"x"}, {"t"}).Output("t"))},
                {"else_branch",
                 Body(OnnxBuilder().Node("Concat", {"x", "x"}, {"e"}, {{"axis", int64_t{0}}})
                          .Output("e"))}});
  builder.Node("Neg", {"z"}, {"y"});
  EXPECT_EQ(Answer(builder, {Bool(true), Floats({2}, {1, 2})}), (Doubles{-1, -2}));
  EXPECT_EQ(Answer(builder, {Bool(false), Floats({2}, {1, 2})}), (Doubles{-1, -2, -1, -2}));
}

// Doubles v, which grows by one element each time round, and gathers the iteration numbers.
OnnxBuilder Growing() {
  OnnxBuilder body;
  body.Input("i", {}, TensorProto::INT64).Input("c", {}, TensorProto::BOOL).Input("v", {1});
  body.Node("Concat", {"v", "one"}, {"longer"}, {{"axis", int64_t{0}}});
  body.Node("Add", {"longer", "longer"}, {"next"});
  body.Node("Identity", {"c"}, {"again"}).Node("Identity", {"i"}, {"n"});
  body.Output("again", TensorProto::BOOL).Output("next").Output("n", TensorProto::INT64);
  OnnxBuilder builder(13);
  builder.Input("m", {}, TensorProto::INT64).Input("v0", {1}).Input("one", {1});
  builder.Node("Loop", {"m", "", "v0"}, {"y", "numbers"}, {{"body", body.graph()}});
  builder.Output("y").Output("numbers", TensorProto::INT64);
  return builder;
}

void ExpectGrowth(runtime::Session& session, int64_t trips, const Doubles& y) {
  const auto result = session.Run({Int64(trips), Floats({1}, {5}), Floats({1}, {1})});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(runtime::ToDoubles((*result)[0]), y);
  Doubles numbers;
  for (int64_t i = 0; i < trips; ++i) numbers.push_back(static_cast<double>(i));
  EXPECT_EQ(runtime::ToDoubles((*result)[1]), numbers);
}

TEST(ImportControlTest, LoopWithAValueThatGrows) {
  const std::string bytes = Growing().Bytes();
  for (const bool passes : {false, true}) {
    ConvertOptions options;
    if (!passes) options.stop_after = "import";
    auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), options);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    // Through a file.
    const std::string file = runtime::SerializeGraph(*graph);
    auto model = runtime::Model::FromBytes(std::as_bytes(std::span(file)));
    ASSERT_TRUE(model.ok()) << model.status().message();
    runtime::Session session(*model, {});
    ExpectGrowth(session, 2, {20, 4, 2});
    ExpectGrowth(session, 0, {5});
    ExpectGrowth(session, 3, {40, 8, 4, 2});
  }
}

OnnxBuilder Endless() {
  OnnxBuilder body;
  body.Input("i", {}, TensorProto::INT64).Input("c", {}, TensorProto::BOOL).Input("v", {1});
  body.Node("Identity", {"c"}, {"again"}).Node("Neg", {"v"}, {"next"});
  body.Output("again", TensorProto::BOOL).Output("next");
  OnnxBuilder builder(13);
  builder.Input("v0", {1}).Node("Loop", {"", "", "v0"}, {"y"}, {{"body", body.graph()}});
  builder.Output("y");
  return builder;
}

TEST(ImportControlTest, AnEndlessLoopEndsAtTheDeadline) {
  auto graph = Endless().Import();
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  runtime::Session session(*runtime::Model::FromGraph(*graph), {});
  const float x = 1;
  const int64_t shape[] = {1};
  runtime::TensorView view{.shape = shape, .data = &x};
  runtime::RunControl control;
  control.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  EXPECT_EQ(session.RunInto({&view, 1}, {}, control).code(), StatusCode::kDeadlineExceeded);
  std::atomic<bool> cancel{true};
  control = {.deadline = {}, .cancel = &cancel};
  EXPECT_EQ(session.RunInto({&view, 1}, {}, control).code(), StatusCode::kCancelled);
}

TEST(ImportControlTest, LoopStopsByItsCondition) {
  OnnxBuilder body;
  body.Input("i", {}, TensorProto::INT64).Input("c", {}, TensorProto::BOOL).Input("v", {});
  body.Node("Add", {"v", "v"}, {"next"}).Node("Less", {"next", "most"}, {"again"});
  body.Output("again", TensorProto::BOOL).Output("next");
  OnnxBuilder builder(13);
  builder.Input("v0", {}).Input("most", {}).Output("y");
  builder.Node("Loop", {"", "", "v0"}, {"y"}, {{"body", body.graph()}});
  EXPECT_EQ(Answer(builder, {Floats({}, {1}), Floats({}, {10})}), (Doubles{16}));
}

// s' = s + x along axis 1 backwards; gathers s' at the front of axis 1, the last one first.
TEST(ImportControlTest, ScanAlongAnAxisBackwards) {
  OnnxBuilder body;
  body.Input("s", {2}).Input("x", {2}).Node("Add", {"s", "x"}, {"next"});
  body.Node("Mul", {"next", "k"}, {"out"}).Output("next").Output("out");
  const Attributes attributes = {{"body", body.graph()},
                                 {"num_scan_inputs", int64_t{1}},
                                 {"scan_input_axes", Int64s{1}},
                                 {"scan_input_directions", Int64s{1}},
                                 {"scan_output_axes", Int64s{-1}},
                                 {"scan_output_directions", Int64s{1}}};
  OnnxBuilder builder(11);
  builder.Input("s", {2}).Input("xs", {2, 3}).Weight("k", {1}, {10}).Output("y");
  builder.Node("Scan", {"s", "xs"}, {"last", "y"}, attributes);
  EXPECT_EQ(Answer(builder, {Floats({2}, {0, 100}), Floats({2, 3}, {1, 2, 3, 4, 5, 6})}),
            (Doubles{60, 50, 30, 1150, 1110, 1060}));
}

TEST(ImportControlTest, ScanOfABatchInOperatorSet8) {
  OnnxBuilder body;
  body.Input("s", {1}).Input("x", {1}).Node("Add", {"s", "x"}, {"next"});
  body.Node("Identity", {"next"}, {"out"}).Output("next").Output("out");
  OnnxBuilder builder(8);
  builder.Input("s", {2, 1}).Input("xs", {2, 3, 1}).Output("y");
  builder.Node("Scan", {"", "s", "xs"}, {"last", "y"},
               {{"body", body.graph()}, {"num_scan_inputs", int64_t{1}}});
  EXPECT_EQ(Answer(builder, {Floats({2, 1}, {0, 10}), Floats({2, 3, 1}, {1, 2, 3, 4, 5, 6})}),
            (Doubles{1, 3, 6, 14, 19, 25}));
}

// A loop in a branch of an if in a loop: every level captures from the outermost.
TEST(ImportControlTest, Nested) {
  OnnxBuilder inner;
  inner.Input("j", {}, TensorProto::INT64).Input("cj", {}, TensorProto::BOOL).Input("u", {1});
  inner.Node("Add", {"u", "step"}, {"u2"}).Node("Identity", {"cj"}, {"cj2"});
  inner.Output("cj2", TensorProto::BOOL).Output("u2");
  OnnxBuilder then_branch;
  then_branch.Node("Loop", {"m", "", "v"}, {"t"}, {{"body", inner.graph()}}).Output("t");
  OnnxBuilder else_branch;
  else_branch.Node("Neg", {"v"}, {"e"}).Output("e");
  OnnxBuilder outer;
  outer.Input("i", {}, TensorProto::INT64).Input("c", {}, TensorProto::BOOL).Input("v", {1});
  outer.Node("ReduceSum", {"v"}, {"sum"}, {{"keepdims", int64_t{0}}});
  outer.Node("Less", {"sum", "most"}, {"small"});
  outer.Node("If", {"small"}, {"v2"},
             {{"then_branch", then_branch.graph()}, {"else_branch", else_branch.graph()}});
  outer.Node("Identity", {"c"}, {"c2"}).Output("c2", TensorProto::BOOL).Output("v2");
  OnnxBuilder builder(13);
  builder.Input("m", {}, TensorProto::INT64).Input("v0", {1}).Input("step", {1}).Input("most", {});
  builder.Node("Loop", {"m", "", "v0"}, {"y"}, {{"body", outer.graph()}}).Output("y");
  // m = 3, step 2, most 10: 1 -> 7 -> 13 -> -13
  EXPECT_EQ(Answer(builder, {Int64(3), Floats({1}, {1}), Floats({1}, {2}), Floats({}, {10})}),
            (Doubles{-13}));
}

TEST(ImportControlTest, NodesOfASubgraphAreRefusedByName) {
  OnnxBuilder builder = TwoWays();
  GraphProto* branch = builder.last_node().mutable_attribute(0)->mutable_g();
  branch->mutable_node(0)->set_op_type("NoSuchThing");
  const auto status = builder.Import().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("NoSuchThing"), std::string::npos) << status.message();
}

TEST(ImportControlTest, BatchNormsOfASubgraphFold) {
  OnnxBuilder branch(13);
  branch.Node("MatMul", {"x", "w"}, {"z"});
  branch.Node("BatchNormalization", {"z", "g", "b", "m", "v"}, {"t"}).Output("t");
  OnnxBuilder builder(13);
  builder.Input("c", {}, TensorProto::BOOL).Input("x", {1, 2}).Output("y");
  builder.Weight("w", {2, 2}, {1, 2, 3, 4}).Weight("g", {2}, {2, 1}).Weight("b", {2}, {0, 1});
  builder.Weight("m", {2}, {0, 0}).Weight("v", {2}, {1, 1});
  builder.Node("If", {"c"}, {"y"},
               {{"then_branch", branch.graph()},
                {"else_branch", Body(OnnxBuilder().Node("Neg", {"x"}, {"e"}).Output("e"))}});
  const std::string bytes = builder.Bytes();
  auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->batch_norms.size(), 1u);
  EXPECT_EQ(graph->batch_norms[0].status, runtime::fb::FoldStatus::Folded);
  EXPECT_EQ(graph->nodes[0].subgraphs[0].nodes.size(), 1u) << runtime::GraphText(*graph);
  runtime::Session session(*runtime::Model::FromGraph(*graph), {});
  const auto result = session.Run({Bool(true), Floats({1, 2}, {1, 1})});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_NEAR(runtime::ToDoubles((*result)[0])[0], 8, 1e-4);
  EXPECT_NEAR(runtime::ToDoubles((*result)[0])[1], 7, 1e-4);
}

}  // namespace
}  // namespace pleat::converter
