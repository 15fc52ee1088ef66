// The frame around nodes: names, order, inputs, outputs, initializers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using kernels::ElementType;
using runtime::Graph;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

void ExpectFailure(const OnnxBuilder& builder, StatusCode code,
                   const std::vector<std::string>& parts) {
  const Status status = builder.Import().status();
  EXPECT_EQ(status.code(), code) << status.message();
  for (const std::string& part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos)
        << part << " in: " << status.message();
  }
}

TEST(ImportGraphTest, KeepsNamesSymbolsAndSources) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 3}).Node("Relu", {"x"}, {"h"}).Node("Sigmoid", {"h"}, {"y"}).Output("y");
  builder.graph()
      .mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("batch");
  builder.last_node().clear_name();
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Unary Unary");
  const auto& input = graph->values[static_cast<size_t>(graph->inputs[0])];
  EXPECT_EQ(input.name, "x");
  EXPECT_EQ(input.type.shape, (Shape{-1, 3}));
  EXPECT_EQ(input.symbols, (std::vector<std::string>{"batch", ""}));
  EXPECT_EQ(graph->nodes[0].name, "h_node");
  EXPECT_EQ(graph->nodes[0].sources, std::vector<std::string>{"h_node"});
  EXPECT_EQ(graph->nodes[1].name, "y");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->nodes[0].outputs[0])].name, "h");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].name, "y");
}

TEST(ImportGraphTest, SortsNodes) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Neg", {"h"}, {"y"}).Node("Exp", {"x"}, {"h"}).Output("y");
  EXPECT_EQ(Answer(builder, {Floats({2}, {0, 0})}), (std::vector<double>{-1, -1}));
}

TEST(ImportGraphTest, NamesTheCycle) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Add", {"x", "c"}, {"a"}).Node("Neg", {"a"}, {"b"});
  builder.Node("Neg", {"b"}, {"c"}).Node("Neg", {"c"}, {"y"}).Output("y");
  ExpectFailure(builder, StatusCode::kInvalidModel, {"cycle", "a_node", "b_node", "c_node"});
  OnnxBuilder self;
  self.Input("x", {2}).Node("Add", {"x", "y"}, {"y"}).Output("y");
  ExpectFailure(self, StatusCode::kInvalidModel, {"cycle", "y_node (Add) -> y_node (Add)"});
  OnnxBuilder behind;
  behind.Input("x", {2}).Node("Neg", {"x"}, {"a"}).Node("Add", {"a", "c"}, {"b"});
  behind.Node("Add", {"a", "b"}, {"c"}).Output("c");
  ExpectFailure(behind, StatusCode::kInvalidModel,
                {"cycle: c_node (Add) -> b_node (Add) -> c_node (Add)"});
}

TEST(ImportGraphTest, RefusesMalformedGraphs) {
  OnnxBuilder dangling;
  dangling.Input("x", {2}).Node("Add", {"x", "ghost"}, {"y"}).Output("y");
  ExpectFailure(dangling, StatusCode::kInvalidModel, {"y_node (Add)", "'ghost'"});
  OnnxBuilder twice;
  twice.Input("x", {2}).Node("Neg", {"x"}, {"y"}).Node("Exp", {"x"}, {"y"}).Output("y");
  ExpectFailure(twice, StatusCode::kInvalidModel, {"'y' already has a maker"});
  OnnxBuilder shadow;
  shadow.Input("x", {2}).Node("Neg", {"x"}, {"x"}).Output("x");
  ExpectFailure(shadow, StatusCode::kInvalidModel, {"'x' already has a maker"});
  OnnxBuilder weights;
  weights.Input("x", {2}).Weight("w", {1}, {1}).Weight("w", {1}, {1});
  weights.Node("Add", {"x", "w"}, {"y"}).Output("y");
  ExpectFailure(weights, StatusCode::kInvalidModel, {"initializer 'w' appears twice"});
  OnnxBuilder inputs;
  inputs.Input("x", {2}).Input("x", {2}).Node("Neg", {"x"}, {"y"}).Output("y");
  ExpectFailure(inputs, StatusCode::kInvalidModel, {"graph input 'x' appears twice"});
  OnnxBuilder no_output;
  no_output.Input("x", {2}).Node("Neg", {"x"}, {"y"});
  ExpectFailure(no_output, StatusCode::kInvalidModel, {"no outputs"});
  OnnxBuilder no_maker;
  no_maker.Input("x", {2}).Node("Neg", {"x"}, {"y"}).Output("z");
  ExpectFailure(no_maker, StatusCode::kInvalidModel, {"graph output 'z'"});
  OnnxBuilder arity;
  arity.Input("x", {2}).Node("Neg", {"x", "x"}, {"y"}).Output("y");
  ExpectFailure(arity, StatusCode::kInvalidModel, {"y_node (Neg)", "2 inputs"});
  OnnxBuilder gap;
  gap.Input("x", {2}).Node("Sum", {"x", "", "x"}, {"y"}).Output("y");
  ExpectFailure(gap, StatusCode::kInvalidModel, {"y_node (Sum)", "gap"});
}

TEST(ImportGraphTest, ListsEveryUnsupportedNodeAtOnce) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Frobnicate", {"x"}, {"a"}).Node("Relu", {"a"}, {"b"});
  builder.Node("Blur", {"b"}, {"y"}).Node("Unneeded", {"x"}, {"z"}).Output("y");
  builder.graph().mutable_node(0)->set_domain("com.acme");
  ExpectFailure(builder, StatusCode::kUnsupported,
                {"2 nodes", "a_node (Frobnicate) of com.acme", "y_node (Blur) of ai.onnx 17"});
  EXPECT_EQ(builder.Import().status().message().find("Unneeded"), std::string::npos);
}

TEST(ImportGraphTest, ChecksAttributes) {
  OnnxBuilder wrong_type;
  wrong_type.Input("x", {2}).Node("LeakyRelu", {"x"}, {"y"}, {{"alpha", int64_t{1}}}).Output("y");
  ExpectFailure(wrong_type, StatusCode::kInvalidModel, {"'alpha' is INT, expected FLOAT"});
  OnnxBuilder unknown;
  unknown.Input("x", {2}).Node("Relu", {"x"}, {"y"}, {{"slope", 0.5f}}).Output("y");
  ExpectFailure(unknown, StatusCode::kUnsupported, {"'slope' is not known"});
  OnnxBuilder twice;
  twice.Input("x", {2}).Node("LeakyRelu", {"x"}, {"y"}, {{"alpha", 1.f}}).Output("y");
  *twice.last_node().add_attribute() = twice.last_node().attribute(0);
  ExpectFailure(twice, StatusCode::kInvalidModel, {"'alpha' appears twice"});
}

TEST(ImportGraphTest, PassesInputsAndConstantsThroughToOutputs) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Weight("w", {2}, {3, 4}).Output("x").Output("w");
  builder.Node("Identity", {"x"}, {"same"}).Output("same");
  const auto outputs = tests::ImportAndRun(builder, {Floats({2}, {1, 2})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ(ToDoubles((*outputs)[0]), (std::vector<double>{1, 2}));
  EXPECT_EQ(ToDoubles((*outputs)[1]), (std::vector<double>{3, 4}));
  EXPECT_EQ(ToDoubles((*outputs)[2]), (std::vector<double>{1, 2}));
}

TEST(ImportGraphTest, InputsWithAnInitializerAreConstants) {
  OnnxBuilder builder(9, 3);
  builder.Input("x", {2}).Input("w", {2}).Weight("w", {2}, {3, 4});
  builder.Node("Mul", {"x", "w"}, {"y"}).Output("y");
  EXPECT_EQ(Answer(builder, {Floats({2}, {1, 2})}), (std::vector<double>{3, 8}));
}

TEST(ImportGraphTest, InputShapesReplaceDeclaredOnes) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 3}).Input("z", {-1, 3}).Node("Add", {"x", "z"}, {"y"}).Output("y");
  for (int i = 0; i < 2; ++i) {
    builder.graph()
        .mutable_input(i)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(0)
        ->set_dim_param("n");
  }
  const Result<Graph> graph = builder.Import({.input_shapes = {{"x", {4, 3}}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  for (const int id : graph->inputs) {
    EXPECT_EQ(graph->values[static_cast<size_t>(id)].type.shape, (Shape{4, 3}));
  }
  const Status rank = builder.Import({.input_shapes = {{"x", {4}}}}).status();
  EXPECT_EQ(rank.code(), StatusCode::kInvalidArgument) << rank.message();
  const Status name = builder.Import({.input_shapes = {{"q", {4}}}}).status();
  EXPECT_EQ(name.code(), StatusCode::kInvalidArgument) << name.message();
  EXPECT_NE(name.message().find("'x' 'z'"), std::string::npos) << name.message();
  EXPECT_TRUE(builder.Import({.input_shapes = {{"x", {4, 3}}, {"z", {4, 3}}}}).ok());
  const Status both = builder.Import({.input_shapes = {{"x", {4, 3}}, {"z", {5, 3}}}}).status();
  EXPECT_EQ(both.code(), StatusCode::kInvalidArgument) << both.message();
}

TEST(ImportGraphTest, InputShapesAreForInputsThatAreTensors) {
  OnnxBuilder constant(9, 3);
  constant.Input("x", {2}).Input("w", {2}).Weight("w", {2}, {3, 4});
  constant.Node("Mul", {"x", "w"}, {"y"}).Output("y");
  const Status weight = constant.Import({.input_shapes = {{"w", {2}}}}).status();
  EXPECT_EQ(weight.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(weight.message(), "a shape is given for 'w'; the model's inputs are 'x'");
  OnnxBuilder open;
  open.Input("x", {}).Node("Neg", {"x"}, {"y"}).Output("y");
  open.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  const Result<Graph> graph = open.Import({.input_shapes = {{"x", {4, -1}}}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->inputs[0])].type.shape, (Shape{4, -1}));
  open.graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
  const Status list = open.Import({.input_shapes = {{"x", {4}}}}).status();
  EXPECT_EQ(list.code(), StatusCode::kUnsupported);
  EXPECT_NE(list.message().find("only tensors are supported"), std::string::npos) << list.message();
}

// One line for all nodes that are refused for one reason, with the version of their own domain.
TEST(ImportGraphTest, ListsRefusedNodesByReason) {
  OnnxBuilder builder(17);
  builder.Input("x", {2}).Output("y").Node("Foo", {"x"}, {"a"}).Node("Foo", {"a"}, {"b"});
  builder.Node("Crop", {"x"}, {"c"});
  builder.last_node().set_domain("com.acme");
  builder.Node("Gelu", {"x"}, {"d"}).Node("Sum", {"b", "c", "d"}, {"y"});
  auto* acme = builder.model().add_opset_import();
  acme->set_domain("com.acme");
  acme->set_version(3);
  const Status status = builder.Import().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_EQ(status.message(),
            "4 nodes are not supported:\n"
            "  a_node, b_node (Foo) of ai.onnx 17: no such operator of ONNX is known; export with "
            "others, which `pleat operators` lists, or end the network before it\n"
            "  c_node (Crop) of com.acme 3: operators of this domain are not supported; export with "
            "the operators of ai.onnx\n"
            "  d_node (Gelu) of ai.onnx 17: the operator is known from operator set 20 on; export "
            "with that one or a newer one");
}

TEST(ImportGraphTest, OtherFloatsStayAtTheBoundary) {
  for (const auto& [onnx_type, type] : std::vector<std::pair<int, ElementType>>{
           {onnx::TensorProto::FLOAT16, ElementType::kFloat16},
           {onnx::TensorProto::BFLOAT16, ElementType::kBFloat16}}) {
    OnnxBuilder builder;
    builder.Input("x", {2}, onnx_type).Node("Neg", {"x"}, {"y"}).Output("y", onnx_type);
    const Result<Graph> graph = builder.Import();
    EXPECT_EQ(Ops(graph), "Cast Unary Cast");
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->inputs[0])].type.element, type);
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.element, type);
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].name, "y");
    const Tensor x = runtime::Cast(Floats({2}, {0.5f, -2}), type);
    EXPECT_EQ(Answer(builder, {x}), (std::vector<double>{-0.5, 2}));
  }
}

TEST(ImportGraphTest, DoubleInputsAreComputedInDouble) {
  OnnxBuilder builder;
  builder.Input("x", {2}, onnx::TensorProto::DOUBLE).Node("Exp", {"x"}, {"y"});
  builder.Output("y", onnx::TensorProto::DOUBLE);
  EXPECT_EQ(Ops(builder.Import()), "Unary");
  const Tensor x = Tensor::Vector(std::vector<double>{1, 700});
  EXPECT_EQ(Answer(builder, {x}), (std::vector<double>{std::exp(1.0), std::exp(700.0)}));
}

TEST(ImportGraphTest, DoubleInTheMiddleIsComputedInFloat) {
  OnnxBuilder builder;
  builder.Input("x", {2});
  builder.Node("Cast", {"x"}, {"wide"}, {{"to", int64_t{onnx::TensorProto::DOUBLE}}});
  builder.Node("Neg", {"wide"}, {"y"}).Output("y", onnx::TensorProto::DOUBLE);
  EXPECT_EQ(Ops(builder.Import()), "Unary Cast");
  EXPECT_EQ(Answer(builder, {Floats({2}, {1, 2})}), (std::vector<double>{-1, -2}));
}

TEST(ImportGraphTest, OutputTypeMustBeWhatTheGraphMakes) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Neg", {"x"}, {"y"}).Output("y", onnx::TensorProto::INT64);
  ExpectFailure(builder, StatusCode::kInvalidModel, {"graph output 'y'", "int64", "float32"});
}

TEST(ImportGraphTest, NamesAreEscapedAndCut) {
  OnnxBuilder builder;
  const std::string name = std::string("bad\n\x1b[31m") + std::string(1000, 'x');
  builder.Input("x", {2}).Node("Nope", {"x"}, {"y"}).Output("y");
  builder.last_node().set_name(name);
  const std::string message = builder.Import().status().message();
  EXPECT_NE(message.find("bad\\x0a\\x1b[31mxxx"), std::string::npos) << message;
  EXPECT_LT(message.size(), 400u);
}

}  // namespace
}  // namespace pleat::converter
