// What a BatchNormalization becomes at import, in every form that ONNX has had.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::StatusCode;
using runtime::fb::FoldStatus;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

const std::vector<float> kGamma = {2, -0.5f};
const std::vector<float> kBeta = {0.25f, 3};
const std::vector<float> kMean = {-1, 4};
const std::vector<float> kVariance = {0.1f, 9};
const std::vector<float> kX = {1, 2, 3, 4};  // [1, 2, 2]

std::vector<double> Normalized(double epsilon) {
  std::vector<double> y;
  for (size_t i = 0; i < kX.size(); ++i) {
    const size_t c = i / 2;
    const double deviation = std::sqrt(static_cast<double>(kVariance[c]) + epsilon);
    y.push_back((kX[i] - kMean[c]) / deviation * kGamma[c] + kBeta[c]);
  }
  return y;
}

OnnxBuilder WithWeights(int64_t opset) {
  OnnxBuilder builder(opset);
  builder.Input("x", {1, 2, 2}).Weight("gamma", {2}, kGamma).Weight("beta", {2}, kBeta);
  builder.Weight("mean", {2}, kMean).Weight("variance", {2}, kVariance).Output("y");
  return builder;
}

OnnxBuilder Model(int64_t opset, const Attributes& attributes = {},
                  const std::vector<std::string>& outputs = {"y"}) {
  OnnxBuilder builder = WithWeights(opset);
  builder.Node("BatchNormalization", {"x", "gamma", "beta", "mean", "variance"}, outputs,
               attributes);
  return builder;
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

void ExpectKept(const Result<Graph>& graph, const std::string& reason) {
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->batch_norms.size(), 1u);
  EXPECT_EQ(graph->batch_norms[0].node, "y_node");
  EXPECT_EQ(graph->batch_norms[0].status, FoldStatus::Kept);
  EXPECT_EQ(graph->batch_norms[0].reason, reason);
}

TEST(ImportBatchNormTest, IsOneScaleAndShiftInDouble) {
  for (const int64_t opset : {7, 9, 14, 15, 22}) {
    const OnnxBuilder builder = Model(opset, {{"epsilon", 0.001f}});
    const Result<Graph> graph = builder.Import();
    EXPECT_EQ(Ops(graph), "ScaleShift") << opset;
    ExpectKept(graph, "");
    const runtime::Node& node = graph->nodes[0];
    EXPECT_EQ(node.sources, std::vector<std::string>{"y_node"});
    const auto scale = graph->ConstantOf(node.input(1))->data<double>();
    const auto shift = graph->ConstantOf(node.input(2))->data<double>();
    for (size_t c = 0; c < 2; ++c) {
      const double root = std::sqrt(static_cast<double>(kVariance[c]) + double{0.001f});
      EXPECT_EQ(scale[c], kGamma[c] / root);
      EXPECT_EQ(shift[c], kBeta[c] - kMean[c] * scale[c]);
    }
    ExpectNear(Answer(builder, {Floats({1, 2, 2}, kX)}), Normalized(0.001));
  }
}

TEST(ImportBatchNormTest, BeforeOperatorSet7IsTestDecides) {
  const OnnxBuilder inference = Model(6, {{"is_test", int64_t{1}}});
  EXPECT_EQ(Ops(inference.Import()), "ScaleShift");
  const OnnxBuilder training = Model(6);
  EXPECT_EQ(Ops(training.Import()), "BatchNormTraining");
  ExpectKept(training.Import(), "BN_TRAINING_MODE");
}

TEST(ImportBatchNormTest, TrainingIsKept) {
  ExpectKept(Model(15, {{"training_mode", int64_t{1}}}).Import(), "BN_TRAINING_MODE");
  const OnnxBuilder by_outputs = Model(9, {}, {"y", "running_mean", "running_variance"});
  ExpectKept(by_outputs.Import(), "BN_TRAINING_MODE");
  const OnnxBuilder unnamed = Model(9, {}, {"y", "", ""});
  EXPECT_EQ(Ops(unnamed.Import()), "ScaleShift");
  const auto extra = Model(15, {}, {"y", "running_mean"}).Import();
  EXPECT_EQ(extra.status().code(), StatusCode::kInvalidModel) << extra.status().message();
}

TEST(ImportBatchNormTest, EveryOperatorSetReadsItsOwnForms) {
  const Attributes test = {{"is_test", int64_t{1}}, {"spatial", int64_t{1}}, {"momentum", 0.5f}};
  Attributes oldest = test;
  oldest["consumed_inputs"] = std::vector<int64_t>{0, 0, 0, 1, 1};
  const std::vector<std::pair<int64_t, Attributes>> forms = {
      {1, oldest},
      {6, test},
      {7, {{"spatial", int64_t{1}}, {"momentum", 0.5f}}},
      {8, {{"spatial", int64_t{0}}}},
      {9, {{"momentum", 0.5f}}},
      {14, {{"training_mode", int64_t{0}}, {"momentum", 0.5f}}},
      {15, {{"training_mode", int64_t{0}}}},
  };
  for (const auto& [opset, attributes] : forms) {
    const OnnxBuilder builder = Model(opset, attributes);
    EXPECT_EQ(Ops(builder.Import()), "ScaleShift") << opset;
    ExpectNear(Answer(builder, {Floats({1, 2, 2}, kX)}), Normalized(1e-5));
  }
}

TEST(ImportBatchNormTest, ParametersOfOtherTypesAreReadInDouble) {
  OnnxBuilder builder(15);
  builder.Input("x", {1, 2, 2}).Weight("gamma", {2}, kGamma).Weight("beta", {2}, kBeta).Output("y");
  onnx::TensorProto mean, variance;
  mean.set_name("mean");
  variance.set_name("variance");
  for (onnx::TensorProto* proto : {&mean, &variance}) {
    proto->add_dims(2);
    proto->set_data_type(onnx::TensorProto::DOUBLE);
  }
  for (const float number : kMean) mean.add_double_data(number);
  for (const float number : kVariance) variance.add_double_data(number);
  *builder.graph().add_initializer() = mean;
  *builder.graph().add_initializer() = variance;
  builder.Node("BatchNormalization", {"x", "gamma", "beta", "mean", "variance"}, {"y"});
  EXPECT_EQ(Ops(builder.Import()), "ScaleShift");
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, kX)}), Normalized(1e-5));
}

TEST(ImportBatchNormTest, TrainingRunsAsWhatItIs) {
  for (const int64_t opset : {9, 14, 15}) {
    Attributes attributes = {{"momentum", 0.25f}, {"epsilon", 0.5f}};
    if (opset >= 14) attributes["training_mode"] = int64_t{1};
    OnnxBuilder builder = Model(opset, attributes, {"y", "m", "v"});
    builder.Output("m").Output("v");
    const auto outputs = tests::ImportAndRun(builder, {Floats({1, 2, 2}, kX)});
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    std::vector<double> y, m, v;
    for (size_t c = 0; c < 2; ++c) {
      const double mean = (double{kX[2 * c]} + kX[2 * c + 1]) / 2;
      const double variance = 0.25;  // of two numbers that are 1 apart
      for (size_t i = 0; i < 2; ++i) {
        y.push_back((kX[2 * c + i] - mean) / std::sqrt(variance + 0.5) * kGamma[c] + kBeta[c]);
      }
      m.push_back(kMean[c] * 0.25 + mean * 0.75);
      v.push_back(kVariance[c] * 0.25 + variance * 0.75);
    }
    ExpectNear(runtime::ToDoubles((*outputs)[0]), y);
    ExpectNear(runtime::ToDoubles((*outputs)[1]), m);
    ExpectNear(runtime::ToDoubles((*outputs)[2]), v);
  }
}

// Standardized weights (timm's std_conv) as torch writes them before operator set 14.
TEST(ImportBatchNormTest, TrainingOutputsNobodyReadAreLeftOut) {
  OnnxBuilder builder = WithWeights(11);
  builder.Weight("fixed", {1, 2, 2}, kX);
  builder.Node("BatchNormalization", {"fixed", "gamma", "beta", "mean", "variance"},
               {"h", "dead1", "dead2", "dead3", "dead4"}, {{"epsilon", 0.5f}});
  builder.Node("Add", {"x", "h"}, {"y"});
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Binary") << graph.status().message();
  ASSERT_EQ(graph->batch_norms.size(), 1u);
  EXPECT_EQ(graph->batch_norms[0].kind, "constant");
  const double unit = 0.5 / std::sqrt(0.75);
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, {0, 0, 0, 0})}),
             {0.25 - 2 * unit, 0.25 + 2 * unit, 3 + 0.5 * unit, 3 - 0.5 * unit});
}

TEST(ImportBatchNormTest, TrainingFreezesOrFailsWhereAsked) {
  OnnxBuilder builder = Model(15, {{"training_mode", int64_t{1}}}, {"y", "m", "v"});
  builder.Output("m").Output("v");
  builder.Node("BatchNormalization", {"y", "gamma", "beta", "mean", "variance"}, {"z"},
               {{"training_mode", int64_t{1}}});
  builder.Output("z");
  EXPECT_EQ(Ops(builder.Import()), "BatchNormTraining BatchNormTraining");
  const auto frozen = builder.Import({.training = TrainingMode::kFreeze});
  ASSERT_TRUE(frozen.ok()) << frozen.status().message();
  EXPECT_EQ(Ops(frozen).find("BatchNormTraining"), std::string::npos) << Ops(frozen);
  ASSERT_EQ(frozen->batch_norms.size(), 2u);
  EXPECT_EQ(frozen->batch_norms[0].reason, "");
  const auto refused = builder.Import({.training = TrainingMode::kError});
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  for (const char* name : {"y_node", "z_node", "--bn-training=error"}) {
    EXPECT_NE(refused.status().message().find(name), std::string::npos)
        << refused.status().message();
  }
}

TEST(ImportBatchNormTest, ParametersBehindNodesAreConstants) {
  OnnxBuilder builder = WithWeights(17);
  builder.Int64s("two", {2}).Int64s("row", {1, 2}).Int64s("zero", {0});
  builder.Node("ConstantOfShape", {"two"}, {"ones"}, {{"value", tests::FloatProto({1}, {1})}});
  builder.Node("Mul", {"ones", "gamma"}, {"gamma1"});
  builder.Node("Identity", {"beta"}, {"beta1"});
  builder.Node("Reshape", {"mean", "row"}, {"mean1"}).Node("Squeeze", {"mean1", "zero"}, {"mean2"});
  builder.Node("Cast", {"variance"}, {"variance1"}, {{"to", int64_t{onnx::TensorProto::DOUBLE}}});
  builder.Node("BatchNormalization", {"x", "gamma1", "beta1", "mean2", "variance1"}, {"y"});
  EXPECT_EQ(Ops(builder.Import()), "ScaleShift");
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, kX)}), Normalized(1e-5));
}

TEST(ImportBatchNormTest, ParametersKnownAtRunTimeAreComputedWith) {
  OnnxBuilder builder(17);
  builder.Input("x", {1, 2, 2}).Weight("gamma", {2}, kGamma).Weight("beta", {2}, kBeta);
  builder.Weight("mean", {2}, kMean).Input("variance", {2}).Output("y");
  builder.Node("BatchNormalization", {"x", "gamma", "beta", "mean", "variance"}, {"y"});
  ExpectKept(builder.Import(), "BN_PARAM_NOT_CONST");
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, kX), Floats({2}, kVariance)}), Normalized(1e-5));
}

TEST(ImportBatchNormTest, SpatialZeroWithAParameterForEveryPlace) {
  OnnxBuilder builder(7);
  builder.Input("x", {1, 2, 2}).Output("y");
  for (const char* name : {"gamma", "beta", "mean", "variance"}) {
    builder.Weight(name, {2, 2}, {1, 2, 3, 4});
  }
  builder.Node("BatchNormalization", {"x", "gamma", "beta", "mean", "variance"}, {"y"},
               {{"spatial", int64_t{0}}, {"epsilon", 0.0f}});
  ExpectKept(builder.Import(), "BN_PARAM_SHAPE");
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, {1, 3, 3, 5})}),
             {1, 2 / std::sqrt(2.0) + 2, 3, 4 / std::sqrt(4.0) + 4});
  EXPECT_EQ(Ops(Model(7, {{"spatial", int64_t{0}}}).Import()), "ScaleShift");
}

TEST(ImportBatchNormTest, BadVarianceIsMarked) {
  for (const float variance : {-1.0f, std::numeric_limits<float>::quiet_NaN(), -1e-5f}) {
    OnnxBuilder builder = WithWeights(17);
    builder.Weight("bad", {2}, {1, variance});
    builder.Node("BatchNormalization", {"x", "gamma", "beta", "mean", "bad"}, {"y"});
    const Result<Graph> graph = builder.Import();
    ExpectKept(graph, "BN_BAD_VARIANCE");
    EXPECT_NE(graph->batch_norms[0].detail.find("channel 1"), std::string::npos);
  }
  OnnxBuilder infinite = WithWeights(17);
  infinite.Weight("bad", {2}, {std::numeric_limits<float>::infinity(), 0});
  infinite.Node("BatchNormalization", {"x", "gamma", "beta", "bad", "variance"}, {"y"});
  ExpectKept(infinite.Import(), "BN_BAD_VARIANCE");
}

TEST(ImportBatchNormTest, ParametersMustMatchTheChannels) {
  OnnxBuilder builder = WithWeights(17);
  builder.Weight("three", {3}, {1, 2, 3});
  builder.Node("BatchNormalization", {"x", "gamma", "three", "mean", "variance"}, {"y"});
  const auto graph = builder.Import();
  EXPECT_EQ(graph.status().code(), StatusCode::kInvalidModel);
  EXPECT_NE(graph.status().message().find("B has 3 numbers"), std::string::npos)
      << graph.status().message();
  OnnxBuilder matrix = WithWeights(17);
  matrix.Weight("matrix", {2, 1}, {1, 2});
  matrix.Node("BatchNormalization", {"x", "matrix", "beta", "mean", "variance"}, {"y"});
  EXPECT_EQ(matrix.Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportBatchNormTest, OfAConstantIsAConstant) {
  OnnxBuilder builder = WithWeights(17);
  builder.Weight("fixed", {1, 2, 2}, kX);
  builder.Node("BatchNormalization", {"fixed", "gamma", "beta", "mean", "variance"}, {"h"});
  builder.Node("Add", {"x", "h"}, {"y"});
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Binary");
  ASSERT_EQ(graph->batch_norms.size(), 1u);
  EXPECT_EQ(graph->batch_norms[0].status, FoldStatus::Folded);
  EXPECT_EQ(graph->batch_norms[0].kind, "constant");
  ExpectNear(Answer(builder, {Floats({1, 2, 2}, {0, 0, 0, 0})}), Normalized(1e-5));
}

}  // namespace
}  // namespace pleat::converter
