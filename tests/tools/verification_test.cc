#include "tools/verification.h"

#include <gtest/gtest.h>

#include "converter/convert.h"
#include "kernels/activation.h"
#include "tests/tools/command.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Model;
using runtime::Tensor;
namespace fb = runtime::fb;

// x[1,2,3] -> Transpose -> Add bias -> Mul factor -> y, whose values are named after the nodes.
Graph Chain(float bias, float factor) {
  Graph graph;
  const auto x = graph.AddValue("x", {.shape = {1, 2, 3}});
  const auto turned = graph.AddValue("turned");
  const auto added = graph.AddValue("added");
  const auto y = graph.AddValue("y");
  const auto b = graph.AddConstant("b", Tensor::Vector<float>({bias}));
  const auto f = graph.AddConstant("f", Tensor::Vector<float>({factor}));
  graph.inputs = {x};
  graph.outputs = {y};
  fb::TransposeT transpose;
  transpose.perm = {0, 2, 1};
  fb::BinaryT add, multiply;
  add.kind = fb::BinaryKind::Add;
  multiply.kind = fb::BinaryKind::Mul;
  graph.nodes.push_back(runtime::MakeNode("turn", transpose, {x}, {turned}));
  graph.nodes.push_back(runtime::MakeNode("add", add, {turned, b}, {added}));
  graph.nodes.push_back(runtime::MakeNode("multiply", multiply, {added, f}, {y}));
  EXPECT_TRUE(InferGraph(graph, false).ok());
  return graph;
}

std::shared_ptr<const Model> ModelOf(Graph graph) {
  auto model = Model::FromGraph(std::move(graph));
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

TEST(VerificationTest, TheSameNetworkPasses) {
  const auto report = Verify(Chain(0.3f, 2), ModelOf(Chain(0.3f, 2)), {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(report->pass);
  EXPECT_TRUE(StatusOf(*report).ok());
  ASSERT_EQ(report->outputs.size(), 1u);
  EXPECT_EQ(report->outputs[0].name, "y");
  EXPECT_LT(report->outputs[0].difference.scaled_error, 1e-6);
  EXPECT_GT(report->outputs[0].difference.max_expected, 0.1);
}

TEST(VerificationTest, TheFirstNodeToDepartIsNamed) {
  const auto wrong_bias = Verify(Chain(0.3f, 2), ModelOf(Chain(0.301f, 2)), {});
  ASSERT_TRUE(wrong_bias.ok()) << wrong_bias.status().message();
  EXPECT_FALSE(wrong_bias->pass);
  ASSERT_TRUE(wrong_bias->departure.has_value());
  EXPECT_EQ(wrong_bias->departure->node, "add");
  EXPECT_EQ(wrong_bias->departure->value, "added");
  EXPECT_EQ(StatusOf(*wrong_bias).code(), runtime::StatusCode::kVerificationFailed);
  EXPECT_NE(StatusOf(*wrong_bias).message().find("Binary 'add'"), std::string::npos);

  const auto wrong_factor = Verify(Chain(0.3f, 2), ModelOf(Chain(0.3f, 2.01f)), {});
  ASSERT_TRUE(wrong_factor.ok());
  ASSERT_TRUE(wrong_factor->departure.has_value());
  EXPECT_EQ(wrong_factor->departure->node, "multiply");
  EXPECT_EQ(JsonOf(*wrong_factor)["first_departure"]["node"], "multiply");
}

TEST(VerificationTest, ValuesWithChannelsMovedLastAgree) {
  Graph moved = Chain(0.3f, 2.01f);
  moved.values[1].name = "somewhere else";
  moved.values[0].name = "x";
  Graph original = Chain(0.3f, 2);
  original.nodes[0].As<fb::TransposeT>()->perm = {0, 1, 2};
  original.values[1].name = "unturned";
  for (size_t id = 1; id < original.values.size(); ++id) {
    if (!original.values[id].constant) original.values[id].type = {.ranked = false};
  }
  ASSERT_TRUE(InferGraph(original, false).ok());
  const auto report = Verify(original, ModelOf(moved), {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(report->departure.has_value());
  EXPECT_EQ(report->departure->node, "multiply") << "'added' agrees once its channels are last";
}

TEST(VerificationTest, TheNodeIsFoundBehindFoldingAndChannelsLast) {
  const std::string name = "/residual/body/body.3/Conv";
  const auto original = converter::ImportOnnxFile(ModelPath("digits_cnn/model.onnx"), {});
  ASSERT_TRUE(original.ok()) << original.status().message();
  Graph wrong = *original;
  for (const runtime::Node& node : wrong.nodes) {
    if (node.name != name) continue;
    std::optional<Tensor>& weights = wrong.values[static_cast<size_t>(node.input(1))].constant;
    std::vector<double> numbers = ToDoubles(*weights);
    for (double& number : numbers) number *= 1.1;
    weights = Cast(Tensor::Of<double>(weights->shape(), numbers), weights->element());
  }
  const runtime::Status passed = converter::RunPasses(wrong, {});
  ASSERT_TRUE(passed.ok()) << passed.message();
  const auto report = Verify(*original, ModelOf(std::move(wrong)), {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(report->departure.has_value()) << report->remark;
  EXPECT_EQ(report->departure->node, name);
  EXPECT_EQ(report->departure->op, "Conv");
}

// x -> MatMul first -> Reshape -> ScaleShift -> Relu -> ScaleShift -> Reshape -> MatMul last. Values are named after the nodes, `factor` is one of the last weights.
Graph Scaled(float factor) {
  Graph graph;
  const auto floats = [&](const char* name, runtime::Shape shape, std::vector<float> numbers) {
    return graph.AddConstant(name, Tensor::Of<float>(std::move(shape), numbers));
  };
  const auto add = [&](const std::string& name, auto fields, std::vector<runtime::ValueId> inputs) {
    const auto y = graph.AddValue(name);
    graph.nodes.push_back(runtime::MakeNode(name, std::move(fields), std::move(inputs), {y}));
    graph.nodes.back().sources = {name};
    return y;
  };
  const auto scale = [&](const std::string& name, runtime::ValueId x) {
    fb::ScaleShiftT fields;
    fields.axis = 1;
    const auto s = graph.AddConstant("s", Tensor::Of<double>({2}, std::vector<double>{2, -3}));
    const auto t = graph.AddConstant("t", Tensor::Of<double>({2}, std::vector<double>{1, 0.5}));
    return add(name, fields, {x, s, t});
  };
  const auto x = graph.AddValue("x", {.shape = {3, 4}});
  graph.inputs = {x};
  const auto w = floats("w", {4, 2}, {1, 2, -1, 0.5f, 0.25f, 3, -2, 1});
  const auto first = add("first", fb::MatMulT{}, {x, w, runtime::kNoValue});
  const auto image = graph.AddConstant("i", Tensor::Vector<int64_t>({3, 2, 1}));
  const auto one = scale("one", add("image", fb::ReshapeT{}, {first, image}));
  fb::UnaryT relu;
  relu.activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kClip), 0, 1e9f);
  const auto other = scale("other", add("relu", relu, {one}));
  const auto rows = graph.AddConstant("r", Tensor::Vector<int64_t>({3, 2}));
  const auto v = floats("v", {2, 2}, {1, factor, -1, 0.5f});
  graph.outputs = {add("last", fb::MatMulT{},
                       {add("rows", fb::ReshapeT{}, {other, rows}), v, runtime::kNoValue})};
  EXPECT_TRUE(InferGraph(graph, false).ok());
  return graph;
}

TEST(VerificationTest, ValuesThatFoldedScalesPassAreNotBlamed) {
  Graph folded = Scaled(1.5f);
  ASSERT_TRUE(converter::RunPasses(folded, {}).ok());
  for (const auto& node : folded.nodes) EXPECT_EQ(node.As<fb::ScaleShiftT>(), nullptr);
  const auto right = Verify(Scaled(1.5f), ModelOf(folded), {});
  ASSERT_TRUE(right.ok()) << right.status().message();
  EXPECT_TRUE(right->pass);
  const auto wrong = Verify(Scaled(1), ModelOf(std::move(folded)), {});
  ASSERT_TRUE(wrong.ok()) << wrong.status().message();
  ASSERT_TRUE(wrong->departure.has_value()) << wrong->remark;
  EXPECT_EQ(wrong->departure->node, "last");
}

TEST(VerificationTest, TheBoundIsTheCallers) {
  VerifyOptions options;
  options.tolerance.bound = 0.1;
  const auto report = Verify(Chain(0.3f, 2), ModelOf(Chain(0.301f, 2)), options);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->pass);
}

TEST(VerifyCommandTest, PassesOnWhatConvertMade) {
  for (const std::string name : {"digits_cnn", "digits_mlp"}) {
    const Outcome outcome = Pleat({"verify", ModelPath(name + "/model.onnx"), Converted(name),
                                   "--seed", "3", "--threads", "2", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const nlohmann::json json = outcome.Json();
    EXPECT_EQ(json["pass"], true);
    EXPECT_EQ(json["seed"], 3);
    EXPECT_LT(json["outputs"][0]["scaled_error"], 1e-5);
    EXPECT_EQ(json["outputs"][0]["bound"], 1e-4);
    EXPECT_EQ(json["input_shapes"][0], nlohmann::json({1, 1, 28, 28}));
  }
}

TEST(VerifyCommandTest, AnotherNetworkExitsWith7) {
  const Outcome outcome =
      Pleat({"verify", ModelPath("digits_cnn/model.onnx"), Converted("digits_mlp")});
  EXPECT_TRUE(outcome.FailedWith(7));
  EXPECT_NE(outcome.err.find("logits"), std::string::npos);
  EXPECT_TRUE(
      Pleat({"verify", ModelPath("digits_cnn/model.onnx"), Converted("digits_cnn"), "--bound", "0"})
          .FailedWith(7));
}

TEST(VerifyCommandTest, TakesInputsAndShapes) {
  const std::string onnx = ModelPath("digits_cnn/model.onnx"), file = Converted("digits_cnn");
  EXPECT_EQ(Pleat({"verify", onnx, file, "--input", ModelPath("digits_cnn/samples/5_0.png")}).code,
            0);
  const Outcome batch = Pleat({"verify", onnx, file, "--input-shape", "image:3,1,28,28", "--json"});
  EXPECT_EQ(batch.Json()["input_shapes"][0], nlohmann::json({3, 1, 28, 28}));
  EXPECT_TRUE(Pleat({"verify", onnx, file, "--input-shape", "image:3,1,28,29"}).FailedWith(2));
}

}  // namespace
}  // namespace pleat::tools
