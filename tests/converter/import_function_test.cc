// Model-local functions.
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "tests/converter/refusals_support.h"

namespace pleat::converter {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using tests::Answer;
using tests::ExpectSays;
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

// A network that is one call of `function`, on x float [2] and nothing else.
OnnxBuilder Calling(const std::string& function, const std::vector<onnx::NodeProto>& nodes) {
  OnnxBuilder builder;
  AddFunction(builder, function, nodes);
  builder.Input("x", {2}).Output("y");
  *builder.graph().add_node() = Call(function, {"x"}, {"y"});
  return builder;
}

TEST(ImportFunctionTest, AttributesReachSubgraphs) {
  OnnxBuilder scaled, plain;
  *scaled.graph().add_node() = LeakyReluOfAttribute("slope");
  scaled.Output("r");
  plain.Node("Neg", {"a"}, {"n"}).Output("n");
  onnx::NodeProto choice = NodeProtoOf(
      "If", {"b"}, {"r"}, {{"then_branch", scaled.graph()}, {"else_branch", plain.graph()}});
  OnnxBuilder builder;
  onnx::FunctionProto* function = AddFunction(builder, "Either", {choice});
  function->add_attribute("slope");
  builder.Input("x", {1}).Input("c", {}, onnx::TensorProto::BOOL).Output("y");
  *builder.graph().add_node() = Call("Either", {"x", "c"}, {"y"}, {{"other", 3.0f}, {"slope", 0.5f}});
  for (const bool way : {true, false}) {
    const auto c = runtime::Tensor::Of<bool>({}, std::span<const bool>(&way, 1));
    EXPECT_EQ(Answer(builder, {Floats({1}, {-4}), c}), (std::vector<double>{way ? -2.0 : 4.0}));
  }
}

TEST(ImportFunctionTest, DefaultsOfUnknownFormAreNone) {
  OnnxBuilder builder = Calling("Leaky", {LeakyReluOfAttribute("slope")});
  auto* fields = builder.model().mutable_functions(0)->mutable_unknown_fields();
  AttributeProto other;
  other.set_name("other");
  other.set_type(AttributeProto::FLOAT);
  fields->AddLengthDelimited(99, other.SerializeAsString());
  fields->AddVarint(11, 7);
  fields->AddLengthDelimited(11, other.SerializeAsString());
  EXPECT_NEAR(Answer(builder, {Floats({2}, {-1, 2})})[0], -0.01, 1e-7);
}

TEST(ImportFunctionTest, BodiesImportTheirOwnOperatorSet) {
  OnnxBuilder builder = Calling("Norm", {NodeProtoOf("Gelu", {"a"}, {"r"})});
  onnx::FunctionProto& function = *builder.model().mutable_functions(0);
  ExpectSays(builder, "known from operator set 20 on", StatusCode::kUnsupported);
  function.mutable_opset_import(0)->set_version(20);
  function.mutable_opset_import(0)->set_domain("ai.onnx");
  auto* other = function.add_opset_import();
  other->set_domain("acme"), other->set_version(1);
  EXPECT_TRUE(builder.Import().ok()) << builder.Import().status().message();
}

TEST(ImportFunctionTest, CallsMayLeaveOutOutputsAndNames) {
  OnnxBuilder builder = Calling("Both", {NodeProtoOf("Neg", {"a"}, {"r"}), NodeProtoOf("Exp", {"a"}, {"s"}),
                                         NodeProtoOf("Abs", {"a"}, {})});
  onnx::FunctionProto& function = *builder.model().mutable_functions(0);
  function.add_output("s");
  for (auto& node : *function.mutable_node()) node.clear_name();
  builder.last_node().clear_name();
  builder.last_node().add_output("");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Unary");
  EXPECT_EQ(graph->nodes[0].name, "y/r");
}

// An input left out is nothing: it cannot leave the call, nor a subgraph in it.
TEST(ImportFunctionTest, InputsLeftOutAreNoOutputs) {
  const std::string words = "is an input that the call leaves out";
  OnnxBuilder through = Calling("Through", {});
  through.model().mutable_functions(0)->set_output(0, "b");
  ExpectSays(through, "output 'b' " + words);
  const GraphProto branch = OnnxBuilder().Output("b").graph();
  const onnx::NodeProto known = NodeProtoOf("Constant", {}, {"c"}, {{"value", [] {
    onnx::TensorProto yes;
    yes.set_data_type(onnx::TensorProto::BOOL);
    yes.add_int32_data(1);
    return yes;
  }()}});
  const tests::Attributes branches = {{"then_branch", branch}, {"else_branch", branch}};
  ExpectSays(Calling("Inline", {known, NodeProtoOf("If", {"c"}, {"r"}, branches)}), "output 'b' " + words);
  OnnxBuilder inside = Calling("Inside", {NodeProtoOf("If", {"c"}, {"r"}, branches)});
  inside.Input("c", {}, onnx::TensorProto::BOOL);
  inside.model().mutable_functions(0)->add_input("c");
  inside.last_node().add_input("");
  inside.last_node().add_input("c");
  ExpectSays(inside, "output 'b' " + words);
}

TEST(ImportFunctionTest, SubgraphsOfCallsLieNoDeeperThanOthers) {
  OnnxBuilder builder;
  AddFunction(builder, "F0", {NodeProtoOf("Neg", {"a"}, {"r"})});
  const GraphProto same = OnnxBuilder().Node("Identity", {"a"}, {"s"}).Output("s").graph();
  for (int i = 1; i <= 33; ++i) {
    OnnxBuilder deeper;
    *deeper.graph().add_node() = Call("F" + std::to_string(i - 1), {"a", "b"}, {"t"});
    deeper.Output("t");
    AddFunction(builder, "F" + std::to_string(i), {NodeProtoOf("If", {"b"}, {"r"},
        {{"then_branch", deeper.graph()}, {"else_branch", same}})});
  }
  builder.Input("x", {2}).Input("c", {}, onnx::TensorProto::BOOL).Output("y");
  *builder.graph().add_node() = Call("F32", {"x", "c"}, {"y"});
  EXPECT_TRUE(builder.Import().ok()) << builder.Import().status().message();
  builder.last_node().set_op_type("F33");
  ExpectSays(builder, "subgraphs lie more than 32 deep", StatusCode::kLimitExceeded);
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
  ConvertOptions options;
  options.limits.nodes = 100'000;  // the default takes ten times as long
  const auto grown = doubling.Import(options);
  EXPECT_EQ(grown.status().code(), StatusCode::kLimitExceeded);
  EXPECT_NE(grown.status().message().find("than the 100000 allowed"), std::string::npos)
      << grown.status().message();
}

}  // namespace
}  // namespace pleat::converter
