// Operators that shape, pick and reduce, where axes and sizes moved from attributes to inputs.
#include <gtest/gtest.h>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

using Int64s = std::vector<int64_t>;
using Doubles = std::vector<double>;

Shape ShapeOf(const OnnxBuilder& builder) {
  const Result<Graph> graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  return graph.ok() ? graph->values[static_cast<size_t>(graph->outputs[0])].type.shape : Shape{};
}

OnnxBuilder One(int64_t opset, const std::vector<int64_t>& dims, const std::string& op,
                const Attributes& attributes, const std::vector<Int64s>& more_inputs = {}) {
  OnnxBuilder builder(opset);
  builder.Input("x", dims).Output("y");
  std::vector<std::string> inputs = {"x"};
  for (const Int64s& values : more_inputs) {
    inputs.push_back("i" + std::to_string(inputs.size()));
    builder.Int64s(inputs.back(), values);
  }
  builder.Node(op, inputs, {"y"}, attributes);
  return builder;
}

TEST(ImportShapeTest, AxesAsAttributeAndAsInput) {
  EXPECT_EQ(ShapeOf(One(11, {1, 3, 1}, "Squeeze", {{"axes", Int64s{0}}})), (Shape{3, 1}));
  EXPECT_EQ(ShapeOf(One(13, {1, 3, 1}, "Squeeze", {}, {{-1}})), (Shape{1, 3}));
  EXPECT_EQ(ShapeOf(One(13, {1, 3, 1}, "Squeeze", {})), (Shape{3}));
  EXPECT_EQ(ShapeOf(One(11, {3}, "Unsqueeze", {{"axes", Int64s{0, 2}}})), (Shape{1, 3, 1}));
  EXPECT_EQ(ShapeOf(One(13, {3}, "Unsqueeze", {}, {{-1}})), (Shape{3, 1}));
  EXPECT_EQ(ShapeOf(One(11, {2, 3, 4}, "ReduceMean", {{"axes", Int64s{1, 2}}})), (Shape{2, 1, 1}));
  EXPECT_EQ(ShapeOf(One(18, {2, 3, 4}, "ReduceMean", {{"keepdims", int64_t{0}}}, {{1, 2}})),
            (Shape{2}));
  EXPECT_EQ(ShapeOf(One(11, {2, 3}, "ReduceSum", {{"keepdims", int64_t{0}}})), (Shape{}));
  EXPECT_EQ(One(11, {3}, "Squeeze", {{"axes", Int64s{5}}}).Import().status().code(),
            StatusCode::kInvalidModel);
}

TEST(ImportShapeTest, ReshapeFlattenTranspose) {
  EXPECT_EQ(ShapeOf(One(4, {2, 6}, "Reshape", {{"shape", Int64s{0, 2, -1}}})), (Shape{2, 2, 3}));
  EXPECT_EQ(ShapeOf(One(13, {2, 6}, "Reshape", {}, {{3, -1}})), (Shape{3, 4}));
  EXPECT_EQ(ShapeOf(One(13, {2, 3, 4}, "Flatten", {})), (Shape{2, 12}));
  EXPECT_EQ(ShapeOf(One(13, {2, 3, 4}, "Flatten", {{"axis", int64_t{-1}}})), (Shape{6, 4}));
  EXPECT_EQ(ShapeOf(One(13, {2, 3, 4}, "Transpose", {})), (Shape{4, 3, 2}));
  EXPECT_EQ(ShapeOf(One(13, {2, 3, 4}, "Transpose", {{"perm", Int64s{0, 2, 1}}})),
            (Shape{2, 4, 3}));
  EXPECT_EQ(One(13, {2, 3}, "Transpose", {{"perm", Int64s{0, 0}}}).Import().status().code(),
            StatusCode::kInvalidModel);
}

TEST(ImportShapeTest, SliceInBothForms) {
  const Tensor x = Floats({4}, {0, 1, 2, 3});
  EXPECT_EQ(Answer(One(9, {4}, "Slice", {{"starts", Int64s{1}}, {"ends", Int64s{-1}}}), {x}),
            (Doubles{1, 2}));
  EXPECT_EQ(Answer(One(13, {4}, "Slice", {}, {{-1}, {-9}, {0}, {-2}}), {x}), (Doubles{3, 1}));
  EXPECT_EQ(One(13, {4}, "Slice", {}, {{0}}).Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportShapeTest, SplitInAllForms) {
  const auto split = [](int64_t opset, const Attributes& attributes, bool sizes) {
    OnnxBuilder builder(opset);
    builder.Input("x", {5}).Int64s("sizes", {1, 4});
    builder.Node("Split",
                 sizes ? std::vector<std::string>{"x", "sizes"} : std::vector<std::string>{"x"},
                 {"a", "b"}, attributes);
    builder.Output("a").Output("b");
    const Result<Graph> graph = builder.Import();
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    if (!graph.ok()) return Shape{};
    return Shape{graph->values[static_cast<size_t>(graph->outputs[0])].type.shape[0],
                 graph->values[static_cast<size_t>(graph->outputs[1])].type.shape[0]};
  };
  EXPECT_EQ(split(11, {{"split", Int64s{2, 3}}}, false), (Shape{2, 3}));
  EXPECT_EQ(split(13, {}, true), (Shape{1, 4}));
  EXPECT_EQ(split(18, {{"num_outputs", int64_t{2}}}, false), (Shape{3, 2}));
}

TEST(ImportShapeTest, PadInAllForms) {
  const Tensor x = Floats({2}, {1, 2});
  EXPECT_EQ(Answer(One(9, {2}, "Pad", {{"pads", Int64s{1, 0}}, {"value", 7.0f}}), {x}),
            (Doubles{7, 1, 2}));
  EXPECT_EQ(Answer(One(13, {2}, "Pad", {{"mode", "edge"}}, {{1, 2}}), {x}),
            (Doubles{1, 1, 2, 2, 2}));
  EXPECT_EQ(One(13, {2}, "Pad", {{"mode", "mirror"}}, {{1, 2}}).Import().status().code(),
            StatusCode::kInvalidModel);
}

TEST(ImportShapeTest, SoftmaxChangedItsAxes) {
  const Tensor x = Floats({1, 2, 2}, {0, 0, 0, 0});
  EXPECT_EQ(Answer(One(11, {1, 2, 2}, "Softmax", {}), {x}), (Doubles{0.25, 0.25, 0.25, 0.25}));
  EXPECT_EQ(Answer(One(13, {1, 2, 2}, "Softmax", {}), {x}), (Doubles{0.5, 0.5, 0.5, 0.5}));
}

TEST(ImportShapeTest, ResizeAndUpsample) {
  const Tensor x = Floats({1, 1, 1, 2}, {1, 2});
  OnnxBuilder upsample(9);
  upsample.Input("x", {1, 1, 1, 2}).Weight("s", {4}, {1, 1, 1, 2}).Output("y");
  upsample.Node("Upsample", {"x", "s"}, {"y"}, {{"mode", "nearest"}});
  EXPECT_EQ(Answer(upsample, {x}), (Doubles{1, 1, 2, 2}));
  EXPECT_EQ(
      Answer(One(7, {1, 1, 1, 2}, "Upsample", {{"scales", std::vector<float>{1, 1, 1, 2}}}), {x}),
      (Doubles{1, 1, 2, 2}));
  OnnxBuilder resize(13);
  resize.Input("x", {1, 1, 1, 2}).Weight("none", {0}, {}).Int64s("sizes", {1, 1, 1, 4});
  resize.Node("Resize", {"x", "none", "none", "sizes"}, {"y"}, {{"mode", "linear"}}).Output("y");
  EXPECT_EQ(Answer(resize, {x}), (Doubles{1, 1.25, 1.75, 2}));
  OnnxBuilder neither(13);
  neither.Input("x", {1, 1, 1, 2}).Node("Resize", {"x"}, {"y"}).Output("y");
  EXPECT_EQ(neither.Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportShapeTest, TopKInBothForms) {
  for (const int64_t opset : {9, 11}) {
    OnnxBuilder builder(opset);
    builder.Input("x", {3}).Int64s("k", {2}).Output("v").Output("i", onnx::TensorProto::INT64);
    if (opset < 10) builder.Node("TopK", {"x"}, {"v", "i"}, {{"k", int64_t{2}}});
    if (opset >= 10) builder.Node("TopK", {"x", "k"}, {"v", "i"});
    const auto outputs = tests::ImportAndRun(builder, {Floats({3}, {1, 9, 5})});
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    EXPECT_EQ(ToDoubles((*outputs)[0]), (Doubles{9, 5}));
    EXPECT_EQ(ToDoubles((*outputs)[1]), (Doubles{1, 2}));
  }
}

TEST(ImportShapeTest, DropoutDoesNothingAndItsMaskIsOnes) {
  OnnxBuilder builder(13);
  builder.Input("x", {2}).Node("Dropout", {"x"}, {"y", "mask"}).Output("y");
  builder.Output("mask", onnx::TensorProto::BOOL);
  const auto outputs = tests::ImportAndRun(builder, {Floats({2}, {1, 2})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ(ToDoubles((*outputs)[0]), (Doubles{1, 2}));
  EXPECT_EQ(ToDoubles((*outputs)[1]), (Doubles{1, 1}));
}

TEST(ImportShapeTest, NormalizationsByComposition) {
  const Tensor x = Floats({1, 2, 2}, {1, 3, 2, 6});
  OnnxBuilder group(21);
  group.Input("x", {1, 2, 2}).Weight("s", {2}, {1, 2}).Weight("b", {2}, {0, 1}).Output("y");
  group.Node("GroupNormalization", {"x", "s", "b"}, {"y"},
             {{"num_groups", int64_t{2}}, {"epsilon", 0.0f}});
  const std::vector<double> y = Answer(group, {x});
  const Doubles expected = {-1, 1, -1, 3};
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6);
  EXPECT_EQ(Answer(One(13, {1, 2, 2}, "LpNormalization", {{"p", int64_t{1}}}), {x}),
            (Doubles{0.25, 0.75, 0.25, 0.75}));
}

}  // namespace
}  // namespace pleat::converter
