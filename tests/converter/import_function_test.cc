// Model-local functions.
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::AttributeProto;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using tests::Answer;
using tests::Floats;
using tests::NodeProtoOf;
using tests::OnnxBuilder;
using tests::Ops;

onnx::FunctionProto* AddFunction(OnnxBuilder& builder, const std::string& name,
                                 const std::vector<onnx::NodeProto>& nodes) {
  onnx::FunctionProto* function = builder.model().add_functions();
  function->set_domain("acme");
  function->set_name(name);
  function->add_input("a");
  function->add_input("b");
  function->add_output("r");
  function->add_opset_import()->set_version(17);
  for (const onnx::NodeProto& node : nodes) *function->add_node() = node;
  return function;
}

onnx::NodeProto Call(const std::string& name, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs,
                     const tests::Attributes& attributes = {}) {
  onnx::NodeProto node = NodeProtoOf(name, inputs, outputs, attributes);
  node.set_domain("acme");
  return node;
}

onnx::NodeProto LeakyReluOfAttribute(const std::string& reference) {
  onnx::NodeProto node = NodeProtoOf("LeakyRelu", {"a"}, {"r"});
  AttributeProto* attribute = node.add_attribute();
  attribute->set_name("alpha");
  attribute->set_type(AttributeProto::FLOAT);
  attribute->set_ref_attr_name(reference);
  return node;
}

TEST(ImportFunctionTest, ACallBecomesTheBodysNodes) {
  OnnxBuilder builder;
  AddFunction(builder, "TwiceMinus",
              {NodeProtoOf("Add", {"a", "a"}, {"t"}), NodeProtoOf("Sub", {"t", "b"}, {"r"})});
  builder.Input("x", {2}).Weight("w", {2}, {1, 2}).Output("y");
  *builder.graph().add_node() = Call("TwiceMinus", {"x", "w"}, {"t"});
  *builder.graph().add_node() = Call("TwiceMinus", {"t", "x"}, {"y"});
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Binary Binary Binary Binary");
  EXPECT_EQ(graph->nodes[0].name, "t_node/t_node");
  EXPECT_EQ(Answer(builder, {Floats({2}, {5, 7})}), (std::vector<double>{13, 17}));
}

TEST(ImportFunctionTest, AttributesComeFromTheCallOrTheDefault) {
  OnnxBuilder builder;
  onnx::FunctionProto* function = AddFunction(builder, "Leaky", {LeakyReluOfAttribute("slope")});
  builder.Input("x", {1}).Output("y");
  *builder.graph().add_node() = Call("Leaky", {"x"}, {"y"}, {{"slope", 0.5f}});
  EXPECT_EQ(Answer(builder, {Floats({1}, {-1})}), (std::vector<double>{-0.5}));
  builder.last_node().clear_attribute();
  EXPECT_NEAR(Answer(builder, {Floats({1}, {-1})})[0], -0.01, 1e-7);
  AttributeProto standard;
  standard.set_name("slope");
  standard.set_type(AttributeProto::FLOAT);
  standard.set_f(0.25f);
  function->mutable_unknown_fields()->AddLengthDelimited(11, standard.SerializeAsString());
  EXPECT_EQ(Answer(builder, {Floats({1}, {-1})}), (std::vector<double>{-0.25}));
}

TEST(ImportFunctionTest, LeftOutInputsStayLeftOut) {
  OnnxBuilder builder;
  AddFunction(builder, "AtMost", {NodeProtoOf("Clip", {"a", "", "b"}, {"r"})});
  builder.Input("x", {1}).Output("y");
  *builder.graph().add_node() = Call("AtMost", {"x"}, {"y"});
  EXPECT_EQ(Answer(builder, {Floats({1}, {9})}), (std::vector<double>{9}));
}

TEST(ImportFunctionTest, UnsupportedNodesInsideAreListed) {
  OnnxBuilder builder;
  AddFunction(builder, "Odd", {NodeProtoOf("Frobnicate", {"a"}, {"r"})});
  builder.Input("x", {1}).Output("y");
  *builder.graph().add_node() = Call("Odd", {"x"}, {"t"});
  *builder.graph().add_node() = Call("Odd", {"t"}, {"y"});
  const Status status = builder.Import().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("t_node/r_node, y_node/r_node (Frobnicate)"), std::string::npos);
}

TEST(ImportFunctionTest, EndlessAndExplodingCallsEnd) {
  OnnxBuilder endless;
  AddFunction(endless, "Self", {Call("Self", {"a"}, {"r"})});
  endless.Input("x", {1}).Output("y");
  *endless.graph().add_node() = Call("Self", {"x"}, {"y"});
  EXPECT_EQ(endless.Import().status().code(), StatusCode::kInvalidModel);
  OnnxBuilder doubling;
  AddFunction(doubling, "F0", {NodeProtoOf("Neg", {"a"}, {"r"})});
  for (int i = 1; i < 40; ++i) {
    const std::string below = "F" + std::to_string(i - 1);
    AddFunction(doubling, "F" + std::to_string(i),
                {Call(below, {"a"}, {"t"}), Call(below, {"t"}, {"r"})});
  }
  doubling.Input("x", {1}).Output("y");
  *doubling.graph().add_node() = Call("F39", {"x"}, {"y"});
  EXPECT_EQ(doubling.Import().status().code(), StatusCode::kLimitExceeded);
}

}  // namespace
}  // namespace pleat::converter
