// Batch norms as exporters spell them, from ONNX through all passes: Caffe's, Paddle's and
// tf2onnx's forms, parameters behind other nodes, and those inside branches and bodies.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/converter/onnx_builder.h"
#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using Ints = std::vector<int64_t>;

// x [1, 4, 3, 3] -> Conv of one pixel -> h. Numbers are dyadic, so answers agree to the bit.
OnnxBuilder Convolved(int64_t opset = 17) {
  OnnxBuilder builder(opset);
  builder.Input("x", {1, 4, 3, 3}).Output("y");
  builder.Weight("w", {4, 4, 1, 1}, {1, 2, -1, 0, 3, 1, 1, -2, 0, 1, 2, 2, -1, -1, 0, 1});
  return builder.Node("Conv", {"x", "w"}, {"h"});
}

OnnxBuilder& AddParameters(OnnxBuilder& builder) {
  builder.Weight("gamma", {4}, {2, -1, 4, 1}).Weight("beta", {4}, {1, 2, -3, 0});
  builder.Weight("mean", {4}, {3, -1, 0, 2}).Weight("variance", {4}, {3.75, 0.75, 15.75, 3.75});
  return builder;
}

const Attributes kNorm = {{"epsilon", 0.25f}};

// Converts, with the same answers, and expects only what a convolution and `more` are.
Graph ExpectFolded(const OnnxBuilder& builder, size_t batch_norms = 1) {
  const auto graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (!graph.ok()) return {};
  const Graph folded = ExpectSameAnswers(*graph);
  EXPECT_EQ(folded.batch_norms.size(), batch_norms);
  for (const auto& entry : folded.batch_norms) {
    EXPECT_EQ(entry.status, fb::FoldStatus::Folded) << entry.node << ": " << entry.detail;
  }
  EXPECT_EQ(Count<fb::BinaryT>(folded) + Count<fb::ScaleShiftT>(folded), 0)
      << runtime::GraphText(folded);
  return folded;
}

// Caffe's BatchNorm has neither gamma nor beta; a Scale layer behind it has, unsqueezed to [C,1,1].
TEST(ExporterForms, CaffesBatchNormAndScale) {
  OnnxBuilder builder = Convolved();
  AddParameters(builder).Int64s("axes", {1, 2});
  builder.Weight("ones", {4}, {1, 1, 1, 1}).Weight("zeros", {4}, {0, 0, 0, 0});
  builder.Node("BatchNormalization", {"h", "ones", "zeros", "mean", "variance"}, {"n"}, kNorm);
  builder.Node("Unsqueeze", {"gamma", "axes"}, {"scale"});
  builder.Node("Unsqueeze", {"beta", "axes"}, {"bias"});
  builder.Node("Mul", {"n", "scale"}, {"s"}).Node("Add", {"bias", "s"}, {"y"});
  ExpectFolded(builder);
}

// Paddle: batch_norm of 1-D data between Unsqueeze and Squeeze, its statistics through Identity.
TEST(ExporterForms, PaddlesBatchNormOfRows) {
  OnnxBuilder builder(11);
  builder.Input("x", {3, 4}).Output("y").Weight("w", {4, 4}, {1, 2, -1, 0, 3, 1, 1, -2,
                                                               0, 1, 2, 2, -1, -1, 0, 1});
  AddParameters(builder).Weight("c", {4}, {1, 2, 3, 4});
  builder.Node("Identity", {"mean"}, {"mean1"}).Node("Identity", {"variance"}, {"variance1"});
  builder.Node("MatMul", {"x", "w"}, {"m"}).Node("Add", {"m", "c"}, {"a"});
  builder.Node("Unsqueeze", {"a"}, {"u"}, {{"axes", Ints{2}}});
  builder.Node("BatchNormalization", {"u", "gamma", "beta", "mean1", "variance1"}, {"n"}, kNorm);
  builder.Node("Squeeze", {"n"}, {"y"}, {{"axes", Ints{2}}});
  ExpectFolded(builder);
}

// tf2onnx: the image turned for the convolution and back, the batch norm over the last axis, whole
// or as the product and sum that TensorFlow's optimizer makes of it.
TEST(ExporterForms, Tf2OnnxsBatchNormOfTheLastAxis) {
  for (const bool whole : {true, false}) {
    OnnxBuilder builder(13);
    builder.Input("x", {1, 3, 3, 4}).Output("y");
    builder.Weight("w", {4, 4, 1, 1}, {1, 2, -1, 0, 3, 1, 1, -2, 0, 1, 2, 2, -1, -1, 0, 1});
    AddParameters(builder);
    const Attributes to_first = {{"perm", Ints{0, 3, 1, 2}}}, to_last = {{"perm", Ints{0, 2, 3, 1}}};
    builder.Node("Transpose", {"x"}, {"a"}, to_first).Node("Conv", {"a", "w"}, {"b"});
    if (whole) {
      builder.Node("Transpose", {"b"}, {"c"}, to_last).Node("Identity", {"c"}, {"d"});
      builder.Node("Transpose", {"d"}, {"e"}, to_first);
      builder.Node("BatchNormalization", {"e", "gamma", "beta", "mean", "variance"}, {"n"}, kNorm);
      builder.Node("Transpose", {"n"}, {"y"}, to_last);
    } else {
      builder.Weight("root", {4}, {0.5, 1, 0.25, 0.5});
      builder.Node("Mul", {"root", "gamma"}, {"scale"}).Node("Mul", {"mean", "scale"}, {"moved"});
      builder.Node("Sub", {"beta", "moved"}, {"shift"});
      builder.Node("Transpose", {"b"}, {"c"}, to_last);
      builder.Node("Mul", {"c", "scale"}, {"s"}).Node("Add", {"s", "shift"}, {"y"});
    }
    ExpectFolded(builder, whole ? 1 : 0);
  }
}

TEST(ExporterForms, ParametersQuantisedOrFilledIn) {
  OnnxBuilder builder = Convolved();
  AddParameters(builder).Int64s("four", {4}).Weight("unit", {}, {0.5});
  onnx::TensorProto small = FloatProto({4}, {});
  small.set_name("small");
  small.set_data_type(onnx::TensorProto::INT8);
  for (const int32_t number : {4, -2, 8, 2}) small.add_int32_data(number);
  *builder.graph().add_initializer() = small;
  builder.Node("DequantizeLinear", {"small", "unit"}, {"scale"});
  builder.Node("ConstantOfShape", {"four"}, {"bias"}, {{"value", FloatProto({1}, {3})}});
  builder.Node("BatchNormalization", {"h", "scale", "bias", "mean", "variance"}, {"y"}, kNorm);
  ExpectFolded(builder);
}

onnx::GraphProto Branch(const std::string& y) {
  OnnxBuilder body;
  body.Node("Conv", {"x", "w"}, {y + "_h"});
  body.Node("BatchNormalization", {y + "_h", "gamma", "beta", "mean", "variance"}, {y}, kNorm);
  return body.Output(y).graph();
}

// Each is listed once, whatever it captures from outside.
TEST(ExporterForms, BatchNormsInBranchesAndBodies) {
  OnnxBuilder builder = Convolved();
  AddParameters(builder).Input("c", {}, onnx::TensorProto::BOOL);
  builder.Node("BatchNormalization", {"h", "gamma", "beta", "mean", "variance"}, {"n"}, kNorm);
  builder.Node("If", {"c"}, {"i"}, {{"then_branch", Branch("t")}, {"else_branch", Branch("e")}});
  OnnxBuilder body;
  body.Input("k", {}, onnx::TensorProto::INT64).Input("b", {}, onnx::TensorProto::BOOL);
  body.Input("v", {1, 4, 3, 3}).Node("Identity", {"b"}, {"again"});
  body.Node("Conv", {"v", "w"}, {"l_h"});
  body.Node("BatchNormalization", {"l_h", "gamma", "beta", "mean", "variance"}, {"l"}, kNorm);
  body.Output("again", onnx::TensorProto::BOOL).Output("l");
  builder.Int64s("trips", {2}).Node("Squeeze", {"trips"}, {"trip"});
  builder.Node("Loop", {"trip", "", "n"}, {"o"}, {{"body", body.graph()}});
  builder.Node("Sub", {"i", "o"}, {"y"});
  auto imported = builder.Import();
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  const Graph folded = Converted(*imported);
  std::vector<std::string> listed;
  for (size_t i = 0; i < folded.batch_norms.size(); ++i) {
    listed.push_back(folded.batch_norms[i].node + " " + Fate(folded, i));
  }
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, (std::vector<std::string>{"e_node FOLDED conv", "l_node FOLDED conv",
                                              "n_node FOLDED conv", "t_node FOLDED conv"}));
  for (const bool condition : {true, false}) {
    std::vector<Tensor> inputs = MakeInputs(*imported, 3);
    inputs[1] = Tensor::Of<bool>({}, std::span<const bool>(&condition, 1));
    const std::vector<Tensor> before = tests::Run(*imported, inputs, /*reference=*/true);
    const std::vector<Tensor> after = tests::Run(folded, inputs, /*reference=*/false);
    ASSERT_EQ(after.size(), 1u);
    EXPECT_EQ(runtime::ToDoubles(after[0]), runtime::ToDoubles(before[0]));
  }
}

}  // namespace
}  // namespace pleat::tests
