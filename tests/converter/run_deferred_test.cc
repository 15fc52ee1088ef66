// Networks whose sizes depend on numbers: the run continues where the plan has to stop.
#include <gtest/gtest.h>

#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;

std::shared_ptr<const runtime::Model> ModelOf(const OnnxBuilder& builder) {
  const std::string bytes = builder.Bytes();
  auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), {});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  return graph.ok() ? *runtime::Model::FromGraph(std::move(graph).value()) : nullptr;
}

Doubles RunOn(runtime::Session& session, const std::vector<Tensor>& inputs) {
  const auto result = session.Run(inputs);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? runtime::ToDoubles((*result)[0]) : Doubles{};
}

// Relu(x), the elements that are left, twice each: a product behind what only a run can know.
OnnxBuilder Picking() {
  OnnxBuilder builder(13);
  builder.Input("x", {-1}).Weight("w", {1, 2}, {1, 10}).Int64s("column", {-1, 1}).Output("y");
  builder.Node("Relu", {"x"}, {"r"}).Node("NonZero", {"r"}, {"places"});
  builder.Node("Squeeze", {"places", "axis"}, {"index"}).Int64s("axis", {0});
  builder.Node("Gather", {"r", "index"}, {"kept"});
  builder.Node("Reshape", {"kept", "column"}, {"rows"});
  builder.Node("MatMul", {"rows", "w"}, {"y"});
  return builder;
}

TEST(RunDeferredTest, WhatIsLeftDependsOnNumbers) {
  const auto model = ModelOf(Picking());
  ASSERT_NE(model, nullptr);
  for (const int threads : {1, 3}) {
    runtime::Session session(model, {.threads = threads});
    EXPECT_EQ(RunOn(session, {Floats({3}, {1, -1, 2})}), (Doubles{1, 10, 2, 20}));
    EXPECT_EQ(RunOn(session, {Floats({3}, {-1, -1, 3})}), (Doubles{3, 30}));
    EXPECT_EQ(RunOn(session, {Floats({3}, {-1, -1, -3})}), Doubles());
    EXPECT_EQ(RunOn(session, {Floats({1}, {4})}), (Doubles{4, 40}));
  }
}

TEST(RunDeferredTest, IntoTheCallersBuffer) {
  const auto model = ModelOf(Picking());
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {});
  const std::vector<float> x = {1, -1, 2};
  const Int64s shape = {3};
  const runtime::TensorView view{.shape = shape, .data = x.data()};
  std::vector<float> y(4);
  const runtime::OutputBuffer buffer{y.data(), 16};
  const auto status = session.RunInto({&view, 1}, {&buffer, 1});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(y, (std::vector<float>{1, 10, 2, 20}));
  EXPECT_EQ(session.Output(0).data, y.data());
  ASSERT_EQ(session.Output(0).shape.size(), 2u);
  EXPECT_EQ(session.Output(0).shape[0], 2);
  const runtime::OutputBuffer small{y.data(), 15};
  EXPECT_EQ(session.RunInto({&view, 1}, {&small, 1}).code(), StatusCode::kInvalidArgument);
}

TEST(RunDeferredTest, MemoryIsBounded) {
  OnnxBuilder builder(13);
  builder.Input("shape", {1}, TensorProto::INT64).Output("y");
  builder.Node("ConstantOfShape", {"shape"}, {"z"}).Node("Neg", {"z"}, {"y"});
  const auto model = ModelOf(builder);
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {.max_arena_bytes = 1 << 20});
  EXPECT_EQ(RunOn(session, {Tensor::Vector<int64_t>({3})}).size(), 3u);
  const auto result = session.Run({Tensor::Vector<int64_t>({int64_t{1} << 30})});
  EXPECT_EQ(result.status().code(), StatusCode::kLimitExceeded);
  EXPECT_NE(session.Run({Tensor::Vector<int64_t>({-1})}).status().code(), StatusCode::kOk);
  EXPECT_EQ(RunOn(session, {Tensor::Vector<int64_t>({2})}).size(), 2u);
}

// One operator whose parameter comes with the run.
Doubles WithParameter(const std::string& op, const std::vector<std::string>& inputs,
                      const std::vector<Tensor>& values, const tests::Attributes& attributes = {},
                      const std::vector<std::string>& outputs = {"y"}) {
  OnnxBuilder builder(13);
  for (size_t i = 0; i < values.size(); ++i) {
    const Int64s unknown(values[i].shape().size(), -1);
    const bool number = values[i].element() == runtime::ElementType::kInt64;
    builder.Input("i" + std::to_string(i), values[i].element() == runtime::ElementType::kInt64
                                               ? values[i].shape()
                                               : unknown,
                  number ? TensorProto::INT64 : TensorProto::FLOAT);
  }
  builder.Node(op, inputs, outputs, attributes).Output("y");
  const auto model = ModelOf(builder);
  if (model == nullptr) return {};
  runtime::Session session(model, {});
  return RunOn(session, values);
}

TEST(RunDeferredTest, ParametersOfTheRun) {
  const auto ints = [](const Int64s& values) { return Tensor::Vector<int64_t>(values); };
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(WithParameter("Reshape", {"i0", "i1"}, {x, ints({3, -1})}), (Doubles{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(WithParameter("Expand", {"i0", "i1"}, {Floats({1}, {7}), ints({2, 2})}),
            (Doubles{7, 7, 7, 7}));
  EXPECT_EQ(WithParameter("Tile", {"i0", "i1"}, {Floats({1}, {7}), ints({3})}), (Doubles{7, 7, 7}));
  EXPECT_EQ(WithParameter("Slice", {"i0", "i1", "i2"}, {x, ints({0, 1}), ints({2, 3})}),
            (Doubles{2, 3, 5, 6}));
  EXPECT_EQ(WithParameter("Pad", {"i0", "i1"}, {Floats({1}, {7}), ints({1, 2})}),
            (Doubles{0, 7, 0, 0}));
  EXPECT_EQ(WithParameter("TopK", {"i0", "i1"}, {x, ints({1})}, {}, {"y", "places"}),
            (Doubles{3, 6}));
  EXPECT_EQ(WithParameter("ReduceSum", {"i0", "i1"}, {x, ints({0})}, {{"keepdims", int64_t{0}}}),
            (Doubles{5, 7, 9}));
  EXPECT_EQ(WithParameter("Resize", {"i0", "", "i1"}, {Floats({1, 1, 1, 2}, {1, 2}),
                                                       Floats({4}, {1, 1, 1, 2})},
                          {{"mode", std::string("nearest")}}),
            (Doubles{1, 1, 2, 2}));
  EXPECT_EQ(WithParameter("Range", {"i0", "i1", "i2"},
                          {Floats({}, {1}), Floats({}, {4}), Floats({}, {2})}),
            (Doubles{1, 3}));
}

// Shape -> Gather -> Concat -> Reshape is known as soon as the inputs' sizes are: nothing waits.
TEST(RunDeferredTest, ShapesOfKnownValuesArePlanned) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, -1, 2}).Output("y").Int64s("zero", {0}).Int64s("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "zero"}, {"n"});
  builder.Node("Concat", {"n", "rest"}, {"to"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"x", "to"}, {"r"}).Node("Neg", {"r"}, {"y"});
  const auto model = ModelOf(builder);
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {});
  const runtime::Shape shapes[] = {{2, 3, 2}};
  const auto plan = session.Prepare(shapes);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_TRUE((*plan)->deferred.empty());
  EXPECT_EQ((*plan)->steps.size(), 1u);
}

TEST(RunDeferredTest, IsProfiledBehindTheSteps) {
  const auto model = ModelOf(Picking());
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {});
  EXPECT_TRUE(session.Deferred().empty());
  const runtime::Shape shapes[] = {{3}};
  const auto plan = session.Prepare(shapes);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_TRUE(session.Deferred().empty());
  std::vector<size_t> steps;
  session.Profile([&](size_t step, double seconds) {
    EXPECT_GE(seconds, 0);
    steps.push_back(step);
  });
  RunOn(session, {Floats({3}, {1, -1, 2})});
  std::vector<size_t> all((*plan)->steps.size() + (*plan)->deferred.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  EXPECT_EQ(steps, all);

  ASSERT_EQ(session.Deferred().size(), (*plan)->deferred.size());
  for (size_t d = 0; d < session.Deferred().size(); ++d) {
    EXPECT_EQ(session.Deferred()[d].node, (*plan)->deferred[d]);
    EXPECT_STRNE(session.Deferred()[d].kernel_name, "");
  }
  const runtime::DeferredStep& product = session.Deferred().back();
  EXPECT_EQ(product.output.shape, (runtime::Shape{2, 2}));
  EXPECT_EQ(product.multiply_adds, 4);
  session.Profile(nullptr);
  RunOn(session, {Floats({3}, {-1, -1, 3})});
  EXPECT_EQ(session.Deferred().back().output.shape, (runtime::Shape{1, 2}));
  EXPECT_EQ(steps, all);
}

// Ten views of the places that are not zero, read after all of them are there.
TEST(RunDeferredTest, ViewsTakeNoMemory) {
  constexpr int kViews = 10, kPlaces = 1000;
  OnnxBuilder builder(13);
  builder.Input("x", {-1}).Int64s("axis", {0}).Output("y", TensorProto::INT64);
  builder.Node("NonZero", {"x"}, {"places"});
  std::vector<std::string> sums;
  for (int i = 0; i < kViews; ++i) {
    builder.Node("Unsqueeze", {"places", "axis"}, {"v" + std::to_string(i)});
  }
  for (int i = 0; i < kViews; ++i) {
    sums.push_back("s" + std::to_string(i));
    builder.Node("ReduceMax", {"v" + std::to_string(i)}, {sums.back()});
  }
  builder.Node("Concat", sums, {"y"}, {{"axis", int64_t{0}}});
  const auto model = ModelOf(builder);
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {.max_arena_bytes = 2 * 8 * kPlaces});
  const Tensor ones = Floats({kPlaces}, std::vector<float>(kPlaces, 1));
  EXPECT_EQ(RunOn(session, {ones}).size(), size_t{kViews});
  EXPECT_GE(session.deferred_bytes(), size_t{8 * kPlaces});
  EXPECT_LE(session.deferred_bytes(), size_t{8 * kPlaces + 4096});
}

TEST(RunDeferredTest, WhatSubgraphsHoldIsCounted) {
  OnnxBuilder body;
  auto& graph = body.graph();
  graph.add_output()->set_name("out");
  *graph.add_node() = tests::NodeProtoOf("Exp", {"x"}, {"e"});
  *graph.add_node() = tests::NodeProtoOf("Neg", {"e"}, {"out"});
  OnnxBuilder builder(13);
  builder.Input("x", {1000}).Input("c", {1}, TensorProto::BOOL).Output("y");
  builder.Node("If", {"c"}, {"y"}, {{"then_branch", graph}, {"else_branch", graph}});
  const auto model = ModelOf(builder);
  ASSERT_NE(model, nullptr);
  runtime::Session session(model, {});
  const bool yes[] = {true};
  RunOn(session, {Floats({1000}, std::vector<float>(1000, 1)), Tensor::Of<bool>({1}, yes)});
  ASSERT_EQ(session.Deferred().size(), 1u);
  EXPECT_STREQ(session.Deferred()[0].kernel_name, "subgraph");
  // The branch's own memory and the copy of its result.
  EXPECT_GE(session.deferred_bytes(), 2u * 4000);
}

// A detector's tail: the boxes that are left, best first, and then at most four of their scores.
TEST(RunDeferredTest, ADetectorsTail) {
  OnnxBuilder builder(13);
  builder.Input("boxes", {1, -1, 4}).Input("scores", {1, 1, -1}).Output("kept").Output("best");
  builder.Int64s("most", {10}).Weight("iou", {1}, {0.5f}).Weight("least", {1}, {0.1f});
  builder.Int64s("column", {2}).Int64s("axis", {1}).Int64s("four", {4}).Int64s("flat", {-1});
  builder.Node("NonMaxSuppression", {"boxes", "scores", "most", "iou", "least"}, {"picked"});
  builder.Node("Gather", {"picked", "column"}, {"rows"}, {{"axis", int64_t{1}}});
  builder.Node("Squeeze", {"rows", "axis"}, {"index"});
  builder.Node("Gather", {"boxes", "index"}, {"kept"}, {{"axis", int64_t{1}}});
  builder.Node("Reshape", {"scores", "flat"}, {"all"});
  builder.Node("Gather", {"all", "index"}, {"left"});
  builder.Node("Shape", {"left"}, {"n"}).Node("Min", {"n", "four"}, {"k"});
  builder.Node("TopK", {"left", "k"}, {"best", "order"}, {{"largest", int64_t{0}}});
  const auto model = ModelOf(builder);
  ASSERT_NE(model, nullptr);
  const std::vector<float> boxes = {0, 0, 1, 1,  0, 0.1f, 1, 1.1f, 0, -0.1f, 1, 0.9f,
                                    0, 10, 1, 11, 0, 10.1f, 1, 11.1f, 0, 100, 1, 101};
  const std::vector<float> scores = {0.9f, 0.75f, 0.6f, 0.95f, 0.5f, 0.3f};
  for (const int threads : {1, 2, 5}) {
    runtime::Session session(model, {.threads = threads});
    auto result = session.Run({Floats({1, 6, 4}, boxes), Floats({1, 1, 6}, scores)});
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)[0].shape(), (runtime::Shape{1, 3, 4}));
    EXPECT_EQ(runtime::ToDoubles((*result)[0]),
              (Doubles{0, 10, 1, 11, 0, 0, 1, 1, 0, 100, 1, 101}));
    EXPECT_EQ((*result)[1].shape(), runtime::Shape{3});
    EXPECT_EQ((*result)[1].data<float>()[0], 0.3f);
    EXPECT_EQ((*result)[1].data<float>()[2], 0.95f);
    // All too weak: nothing is left, and nothing fails.
    result = session.Run({Floats({1, 6, 4}, boxes), Floats({1, 1, 6}, std::vector<float>(6, 0))});
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)[0].shape(), (runtime::Shape{1, 0, 4}));
    EXPECT_EQ((*result)[1].shape(), runtime::Shape{0});
  }
}

}  // namespace
}  // namespace pleat::converter
