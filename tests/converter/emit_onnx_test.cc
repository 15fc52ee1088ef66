// Folded networks written back as ONNX. Numbers are dyadic (variance 3.75, epsilon 0.25), so the
// answers agree to the bit.
#include "converter/emit/emit_onnx.h"

#include <gtest/gtest.h>

#include <cmath>

#include "converter/emit/statistics.h"

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Attributes;
using tests::OnnxBuilder;

std::vector<float> Whole(size_t count, uint64_t seed) {
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i) {
    numbers[i] = static_cast<float>((i * 7 + seed * 5 + i * i * 3) % 9) - 4;
  }
  return numbers;
}

size_t CountOf(const std::vector<int64_t>& dims) {
  size_t count = 1;
  for (const int64_t size : dims) count *= static_cast<size_t>(size);
  return count;
}

OnnxBuilder& AddWeight(OnnxBuilder& builder, const std::string& name,
                       const std::vector<int64_t>& dims) {
  return builder.Weight(name, dims, Whole(CountOf(dims), name.size() + CountOf(dims)));
}

// x -> BatchNormalization -> y, with parameters y_gamma and so on.
OnnxBuilder& AddNorm(OnnxBuilder& builder, const std::string& x, const std::string& y,
                     int64_t channels) {
  std::vector<float> gamma(static_cast<size_t>(channels), 4);
  for (size_t c = 1; c < gamma.size(); c += 2) gamma[c] = -1;
  builder.Weight(y + "_gamma", {channels}, gamma);
  AddWeight(builder, y + "_beta", {channels});
  AddWeight(builder, y + "_mean", {channels});
  builder.Weight(y + "_var", {channels}, std::vector<float>(gamma.size(), 3.75f));
  return builder.Node("BatchNormalization", {x, y + "_gamma", y + "_beta", y + "_mean", y + "_var"},
                      {y}, {{"epsilon", 0.25f}});
}

Result<std::string> Emit(const OnnxBuilder& builder, const ConvertOptions& options = {}) {
  const std::string bytes = builder.Bytes();
  return EmitOnnx(std::as_bytes(std::span(bytes)), options);
}

// The operators of the folded model, "Conv Relu"; its answer to whole numbers must be the source's
// to the bit, its interface the source's.
std::string OpsAfter(OnnxBuilder& builder, const Shape& input) {
  const Result<std::string> emitted = Emit(builder);
  EXPECT_TRUE(emitted.ok()) << emitted.status().message();
  if (!emitted.ok()) return "";
  OnnxBuilder folded;
  EXPECT_TRUE(folded.model().ParseFromString(*emitted));
  const std::vector<Tensor> x = {tests::Floats(input, Whole(CountOf(input), 3))};
  const std::vector<double> before = tests::Answer(builder, x);
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(tests::Answer(folded, x), before);
  const auto same = [](const auto& found, const auto& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (int i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].SerializeAsString(), expected[i].SerializeAsString());
    }
  };
  same(folded.graph().input(), builder.graph().input());
  same(folded.graph().output(), builder.graph().output());
  EXPECT_EQ(folded.model().opset_import(0).version(), builder.model().opset_import(0).version());
  std::string ops;
  for (const auto& node : folded.graph().node()) ops += (ops.empty() ? "" : " ") + node.op_type();
  return ops;
}

TEST(EmitOnnxTest, BatchNormsGoIntoConvolutions) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 5, 4}).Output("y");
  AddWeight(builder, "w1", {4, 2, 3, 3});
  AddWeight(builder, "w2", {4, 3, 2, 2});
  builder.Node("Conv", {"x", "w1"}, {"a"}, {{"group", 2}, {"pads", std::vector<int64_t>(4, 1)}});
  AddNorm(builder, "a", "b", 4).Node("Relu", {"b"}, {"c"});
  builder.Node("ConvTranspose", {"c", "w2"}, {"d"}, {{"group", 2}});
  AddNorm(builder, "d", "y", 6);
  EXPECT_EQ(OpsAfter(builder, {1, 4, 5, 4}), "Conv Relu ConvTranspose");
}

TEST(EmitOnnxTest, ConstantsOnTheWayChangeToo) {
  OnnxBuilder joined;
  joined.Input("x", {1, 4, 4, 4}).Output("y");
  AddWeight(joined, "w", {4, 4, 1, 1});
  AddWeight(joined, "part", {1, 2, 4, 4});
  AddWeight(joined, "map", {1, 6, 4, 4});
  joined.Node("Conv", {"x", "w"}, {"a"});
  joined.Node("Concat", {"part", "a"}, {"b"}, {{"axis", 1}});
  joined.Node("Sub", {"map", "b"}, {"c"});
  joined.Node("MaxPool", {"c"}, {"d"}, {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  AddNorm(joined.Node("Identity", {"d"}, {"e"}), "e", "y", 6);
  joined.Weight("y_gamma2", {6}, std::vector<float>(6, 2));
  joined.last_node().set_input(1, "y_gamma2");
  EXPECT_EQ(OpsAfter(joined, {1, 4, 4, 4}), "Conv Concat Sub MaxPool Identity");

  OnnxBuilder left;
  left.Input("x", {2, 3, 5}).Output("y");
  AddWeight(left, "w", {4, 3});
  AddNorm(left.Node("MatMul", {"w", "x"}, {"a"}), "a", "y", 4);
  EXPECT_EQ(OpsAfter(left, {2, 3, 5}), "MatMul Add");

  OnnxBuilder bent;
  bent.Input("x", {1, 4, 4}).Output("y");
  AddWeight(bent, "w", {4, 4, 1});
  bent.Weight("slope", {4, 1}, {0.5, 0.25, 2, 1});
  bent.Node("Conv", {"x", "w"}, {"a"}).Node("PRelu", {"a", "slope"}, {"b"});
  bent.Weight("zero", {4}, {0, 0, 0, 0});
  AddNorm(bent, "b", "y", 4).last_node().set_input(2, "zero");
  bent.last_node().set_input(3, "zero");
  EXPECT_EQ(OpsAfter(bent, {1, 4, 4}), "Conv PRelu");

  OnnxBuilder table;
  table.Input("x", {2, 3}).Output("y");
  AddWeight(table, "rows", {9, 4});
  table.Node("Abs", {"x"}, {"p"});
  table.Node("Cast", {"p"}, {"q"}, {{"to", int64_t{onnx::TensorProto::INT64}}});
  table.Node("Gather", {"rows", "q"}, {"a"});
  table.Node("Transpose", {"a"}, {"b"}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  AddNorm(table, "b", "y", 4);
  EXPECT_EQ(OpsAfter(table, {2, 3}), "Abs Cast Gather Transpose");
}

TEST(EmitOnnxTest, NothingIsLeftOfTheParameters) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 1, 1}).Output("y");
  AddWeight(builder, "w", {4, 4, 1, 1});
  AddWeight(builder, "bias", {4});
  AddNorm(builder.Node("Conv", {"x", "w", "bias"}, {"a"}), "a", "y", 4);
  const Result<std::string> emitted = Emit(builder);
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  OnnxBuilder folded;
  folded.model().ParseFromString(*emitted);
  ASSERT_EQ(folded.graph().initializer_size(), 2);
  EXPECT_EQ(folded.graph().initializer(0).name(), "w_folded");
  EXPECT_EQ(folded.graph().initializer(1).name(), "bias_folded");
  const Result<std::string> again = Emit(folded);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *emitted);
}

TEST(EmitOnnxTest, SharedWeightsAreCloned) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 3, 3}).Output("y");
  AddWeight(builder, "w", {4, 4, 3, 3});
  const Attributes same = {{"pads", std::vector<int64_t>(4, 1)}};
  AddNorm(builder.Node("Conv", {"x", "w"}, {"a"}, same), "a", "b", 4);
  builder.Node("Conv", {"x", "w"}, {"c"}, same).Node("Relu", {"c"}, {"d"});
  builder.Node("Add", {"b", "d"}, {"y"});
  EXPECT_EQ(OpsAfter(builder, {1, 4, 3, 3}), "Conv Conv Relu Add");
}

TEST(EmitOnnxTest, ProductsTakeABias) {
  OnnxBuilder builder;
  builder.Input("x", {4, 4}).Output("y");
  AddWeight(builder, "w", {4, 4});
  AddWeight(builder, "v", {4, 4});
  AddWeight(builder, "c", {4});
  AddNorm(builder.Node("MatMul", {"x", "w"}, {"a"}), "a", "b", 4).Node("Relu", {"b"}, {"r"});
  builder.Node("Gemm", {"r", "v", "c"}, {"d"}, {{"transB", 1}, {"alpha", 2.f}, {"beta", 0.5f}});
  AddNorm(builder, "d", "y", 4);
  EXPECT_EQ(OpsAfter(builder, {4, 4}), "MatMul Add Relu Gemm");
}

TEST(EmitOnnxTest, ANormBeforeItsConvolutionGoesForward) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 4, 4}).Output("y");
  AddWeight(builder, "w", {3, 4, 3, 3});
  AddNorm(builder, "x", "a", 4).Node("Conv", {"a", "w"}, {"y"});
  EXPECT_EQ(OpsAfter(builder, {1, 4, 4, 4}), "Conv");
}

// The size of the image decides where taps meet its border; unknown, it is found out at run time.
TEST(EmitOnnxTest, ShiftsBehindPaddingBecomeAMap) {
  for (const bool known : {true, false}) {
    OnnxBuilder builder;
    const int64_t size = known ? 5 : -1;
    builder.Input("x", {1, 4, size, size}).Output("y");
    AddWeight(builder, "w", {6, 2, 3, 3});
    AddWeight(builder, "v", {6, 2, 3, 2});
    AddWeight(builder, "b", {6});
    AddNorm(builder, "x", "a", 4).Node("Pad", {"a", "pads"}, {"p"});
    builder.Int64s("pads", {0, 0, 1, 0, 0, 0, 0, 2});
    builder.Node("Conv", {"p", "w", "b"}, {"c"},
                 {{"group", 2}, {"pads", std::vector<int64_t>{0, 1, 1, 1}}});
    AddNorm(builder.Node("Relu", {"c"}, {"r"}), "r", "n", 6);
    builder.Node("ConvTranspose", {"n", "v"}, {"y"},
                 {{"group", 2}, {"strides", std::vector<int64_t>{2, 2}}});
    const std::string ones = "Shape Gather Concat ConstantOfShape ";
    EXPECT_EQ(OpsAfter(builder, {1, 4, 5, 5}),
              known ? "Pad Conv Add Relu ConvTranspose Add"
                    : "Pad " + ones + "Conv Conv Add Relu " + ones +
                          "ConvTranspose ConvTranspose Add");
  }
}

TEST(EmitOnnxTest, NormsInARowBecomeOneStep) {
  OnnxBuilder builder;
  builder.Input("x", {2, 4, 3}).Output("y");
  AddNorm(builder.Node("Sin", {"x"}, {"s"}), "s", "a", 4);
  AddNorm(builder, "a", "b", 4).Node("Relu", {"b"}, {"y"});
  EXPECT_EQ(OpsAfter(builder, {2, 4, 3}), "Sin Mul Add Relu");
}

TEST(EmitOnnxTest, SpelledOutNormsFoldToo) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 4, 4}).Output("y");
  AddWeight(builder, "w", {4, 4, 1, 1});
  builder.Weight("m", {4, 1, 1}, {1, -2, 3, 4}).Weight("s", {1, 4, 1, 1}, {2, 0.5f, -4, 1});
  builder.Node("Conv", {"x", "w"}, {"a"}).Node("Sub", {"a", "m"}, {"b"});
  builder.Node("Mul", {"s", "b"}, {"c"}).Node("Add", {"c", "m"}, {"y"});
  EXPECT_EQ(OpsAfter(builder, {1, 4, 4, 4}), "Conv");
}

TEST(EmitOnnxTest, WhatIsKeptStaysAsItWas) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 4, 4}).Output("y");
  AddNorm(builder.Node("Sigmoid", {"x"}, {"s"}), "s", "a", 4).Node("Relu", {"a"}, {"y"});
  EXPECT_EQ(OpsAfter(builder, {1, 4, 4, 4}), "Sigmoid BatchNormalization Relu");
}

TEST(EmitOnnxTest, HalfPrecisionStays) {
  OnnxBuilder builder;
  builder.Input("x", {1, 1, 2}, onnx::TensorProto::FLOAT16);
  builder.Output("y", onnx::TensorProto::FLOAT16);
  AddWeight(builder, "w", {2, 1, 1});
  AddNorm(builder.Node("Conv", {"x", "w"}, {"a"}), "a", "y", 2);
  for (auto& tensor : *builder.graph().mutable_initializer()) {
    onnx::TensorProto half;
    half.set_name(tensor.name());
    *half.mutable_dims() = tensor.dims();
    half.set_data_type(onnx::TensorProto::FLOAT16);
    for (int i = 0; i < 2; ++i) half.add_int32_data(i == 0 ? 0x3c00 : 0x4000);
    tensor = half;
  }
  const Result<std::string> emitted = Emit(builder);
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  OnnxBuilder folded;
  folded.model().ParseFromString(*emitted);
  ASSERT_EQ(folded.graph().initializer_size(), 2);
  for (const auto& tensor : folded.graph().initializer()) {
    EXPECT_EQ(tensor.data_type(), onnx::TensorProto::FLOAT16);
  }
  EXPECT_TRUE(folded.Import().ok()) << folded.Import().status().message();
}

TEST(EmitOnnxTest, OldFilesListWeightsAsInputs) {
  OnnxBuilder builder(9, 3);
  builder.Input("x", {1, 2, 3, 3}).Output("y");
  AddWeight(builder, "w", {2, 2, 1, 1});
  AddNorm(builder.Node("Conv", {"x", "w"}, {"a"}), "a", "y", 2);
  for (const auto& tensor : builder.graph().initializer()) {
    auto* input = builder.graph().add_input();
    input->set_name(tensor.name());
    input->mutable_type()->mutable_tensor_type()->set_elem_type(tensor.data_type());
  }
  const Result<std::string> emitted = Emit(builder);
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  OnnxBuilder folded;
  folded.model().ParseFromString(*emitted);
  std::string names;
  for (const auto& input : folded.graph().input()) names += input.name() + " ";
  EXPECT_EQ(names, "x w_folded a_bias_folded ");
}

// RepVGG's block: kernels of 3 and 1 and the image itself, each with a batch norm, are one Conv.
TEST(EmitOnnxTest, ConvolutionsThatAreAddedUpBecomeOne) {
  const std::vector<int64_t> ones(4, 1);
  for (const bool known : {true, false}) {
    OnnxBuilder builder;
    const int64_t size = known ? 4 : -1;
    builder.Input("x", {1, 4, size, size}).Output("y");
    AddWeight(builder, "w1", {4, 4, 1, 1});
    AddWeight(builder, "w3", {4, 4, 3, 3});
    AddNorm(builder, "x", "n", 4);
    AddNorm(builder.Node("Conv", {"x", "w1"}, {"p"}, {{"auto_pad", std::string("VALID")}}), "p",
            "pn", 4);
    AddNorm(builder.Node("Identity", {"x"}, {"i"}).Node("Conv", {"i", "w3"}, {"k"},
                                                         {{"pads", ones}}), "k", "kn", 4);
    builder.Node("Add", {"n", "pn"}, {"s"}).Node("Add", {"s", "kn"}, {"t"});
    AddNorm(builder.Node("Relu", {"t"}, {"r"}), "r", "m", 4);
    AddWeight(builder, "v3", {4, 4, 3, 3});
    AddWeight(builder, "v1", {4, 4, 1, 1});
    builder.Node("Conv", {"m", "v1"}, {"a"}).Node("Conv", {"m", "v3"}, {"b"}, {{"pads", ones}});
    builder.Node("Sum", {"a", "b"}, {"u"}).Node("Relu", {"u"}, {"y"});
    const std::string map = known ? "" : "Shape Gather Concat ConstantOfShape Conv ";
    EXPECT_EQ(OpsAfter(builder, {1, 4, 4, 4}), "Conv Relu " + map + "Conv Add Relu") << known;
  }
}

TEST(EmitOnnxTest, OtherTermsStayInTheSum) {
  const std::vector<int64_t> ones(4, 1);
  for (const bool sum : {false, true}) {
    OnnxBuilder builder;
    builder.Input("x", {1, 4, 4, 4}).Output("y");
    AddWeight(builder, "w1", {4, 4, 1, 1});
    AddWeight(builder, "w3", {4, 4, 3, 3});
    builder.Node("Relu", {"x"}, {"r"});
    builder.Node("Conv", {"x", "w3"}, {"a"}, {{"pads", ones}}).Node("Conv", {"r", "w1"}, {"b"});
    AddNorm(builder.Node("Conv", {"x", "w1"}, {"c"}), "c", "n", 4);
    AddNorm(builder, "x", "d", 4);
    if (sum) {
      builder.Node("Sum", {"a", "b", "n", "d", "r"}, {"y"});
    } else {
      builder.Node("Add", {"a", "b"}, {"s"}).Node("Add", {"n", "d"}, {"t"});
      builder.Node("Add", {"s", "t"}, {"u"}).Node("Add", {"u", "r"}, {"y"});
    }
    EXPECT_EQ(OpsAfter(builder, {1, 4, 4, 4}),
              sum ? "Relu Conv Conv Sum" : "Relu Conv Conv Add Add");
  }
}

TEST(EmitOnnxTest, RecurrentStepsTakeABias) {
  for (const bool bias : {true, false}) {
    OnnxBuilder builder;
    builder.Input("x", {2, 4, 3}).Output("y");
    AddWeight(builder, "w", {2, 3, 4});
    AddWeight(builder, "r", {2, 3, 3});
    AddWeight(builder, "b", {2, 6});
    AddNorm(builder.Node("Relu", {"x"}, {"a"}), "a", "n", 4);
    builder.Node("Transpose", {"n"}, {"t"}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
    std::vector<std::string> inputs = {"t", "w", "r"};
    if (bias) inputs.push_back("b");
    builder.Node("RNN", inputs, {"y"}, {{"hidden_size", int64_t{3}}, {"direction", std::string("bidirectional")}});
    auto* attribute = builder.last_node().add_attribute();
    attribute->set_name("activations");
    attribute->set_type(onnx::AttributeProto::STRINGS);
    attribute->add_strings("Relu");
    attribute->add_strings("Relu");
    EXPECT_EQ(OpsAfter(builder, {2, 4, 3}), "Relu Transpose RNN");
  }
}

TEST(EmitOnnxTest, QuantisationsStayWhole) {
  OnnxBuilder builder;
  builder.Input("x", {1, 4, 5, 4}).Weight("step", {}, {0.5f}).Weight("steps", {4}, {1, 2, 0.5f, 4});
  AddWeight(builder, "w1", {4, 4, 3, 3});
  AddWeight(builder, "w2", {4, 4, 1, 1});
  const auto coded = [&](const std::string& a, const std::string& b, const std::string& step) {
    builder.Node("QuantizeLinear", {a, step}, {b + "_q"});
    builder.Node("DequantizeLinear", {b + "_q", step}, {b});
  };
  coded("x", "xq", "step");
  builder.Node("Conv", {"xq", "w1"}, {"a"});
  AddNorm(builder, "a", "b", 4);
  coded("b", "c", "steps");
  AddNorm(builder, "c", "d", 4).Node("Conv", {"d", "w2"}, {"e"});
  builder.Node("LayerNormalization", {"e", "steps3"}, {"f"}, {{"axis", int64_t{1}}});
  builder.Weight("steps3", {4, 1, 1}, {1, 2, 0.5f, 4});
  coded("f", "y", "step");
  builder.Output("y");
  EXPECT_EQ(OpsAfter(builder, {1, 4, 5, 4}),
            "QuantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear Conv "
            "LayerNormalization QuantizeLinear DequantizeLinear");
}

TEST(EmitOnnxTest, RefusesWhatItCannotWrite) {
  OnnxBuilder old(6);
  old.Input("x", {1, 2}).Output("y").Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(Emit(old).status().code(), StatusCode::kUnsupported);

  OnnxBuilder part;
  part.Input("x", {1, 2, 1, 1}).Output("y");
  AddWeight(part, "w", {2, 2, 1, 1});
  AddWeight(part, "m", {2, 1, 1});
  part.Node("Conv", {"x", "w"}, {"a"}).Node("Sum", {"a", "m", "x"}, {"y"});
  const Result<std::string> refused = Emit(part);
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(refused.status().message().find("Sum 'y_node'"), std::string::npos)
      << refused.status().message();
}

TEST(EmitOnnxTest, GivenShapesAreStated) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 2, -1, -1}).Output("y");
  AddWeight(builder, "w", {2, 2, 1, 1});
  AddNorm(builder.Node("Conv", {"x", "w"}, {"a"}), "a", "y", 2);
  const Result<std::string> emitted = Emit(builder, {.input_shapes = {{"x", {1, 2, 3, 4}}}});
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  OnnxBuilder folded;
  folded.model().ParseFromString(*emitted);
  EXPECT_EQ(folded.graph().input(0).type().tensor_type().shape().dim(3).dim_value(), 4);
  EXPECT_EQ(folded.graph().output(0).type().tensor_type().shape().dim(2).dim_value(), 3);
}

// Two batch norms, the second of which sees right numbers only behind a right first one.
TEST(EmitOnnxTest, StatisticsAreMeasuredAndPutIn) {
  for (const int64_t opset : {6, 9, 15}) {
    OnnxBuilder builder(opset);
    builder.Input("x", {4, 1, 2}).Output("y");
    builder.Weight("five", {1}, {5}).Weight("zero", {1}, {0}).Weight("nan", {1}, {NAN});
    Attributes attributes = {{"epsilon", 4.0f}};
    if (opset < 7) attributes["is_test"] = int64_t{1};
    builder.Node("BatchNormalization", {"x", "five", "zero", "zero", "nan"}, {"a"}, attributes);
    builder.Node("Relu", {"a"}, {"b"}).Node("Identity", {"five"}, {"same"});
    builder.Node("BatchNormalization", {"b", "five", "zero", "zero", "same"}, {"y"}, attributes);
    const std::string bytes = builder.Bytes();
    const auto measuring = MeasuringOnnx(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(measuring.ok()) << measuring.status().message();
    ASSERT_EQ(measuring->norms.size(), 2u);
    OnnxBuilder measured;
    ASSERT_TRUE(measured.model().ParseFromString(measuring->onnx));
    const std::vector<Tensor> x = {tests::Floats({4, 1, 2}, {1, 3, 5, 7, 9, 11, 13, 15})};
    const auto outputs = tests::ImportAndRun(measured, x);
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    std::map<std::string, Tensor> values;
    for (int i = 0; i < measured.graph().output_size(); ++i) {
      values.emplace(measured.graph().output(i).name(), (*outputs)[static_cast<size_t>(i)]);
    }
    std::map<std::string, Statistics> statistics;
    std::vector<double> found;
    for (const MeasuredNorm& norm : measuring->norms) {
      EXPECT_EQ(norm.epsilon, 4);
      EXPECT_EQ(ToInt64s(values.at(norm.shape)), (std::vector<int64_t>{4, 1, 2}));
      statistics[norm.y] = {values.at(norm.mean), values.at(norm.variance)};
      found.push_back(ToDoubles(values.at(norm.mean))[0]);
      found.push_back(ToDoubles(values.at(norm.variance))[0]);
    }
    EXPECT_EQ(found, (std::vector<double>{8, 21, 2, 6.5})) << opset;
    EXPECT_TRUE(std::isnan(ToDoubles(values.at(measuring->norms[0].stored_variance))[0]));
    EXPECT_EQ(ToDoubles(values.at(measuring->norms[1].stored_variance))[0], 5);
    const auto repaired = WithStatistics(std::as_bytes(std::span(bytes)), "", statistics);
    ASSERT_TRUE(repaired.ok()) << repaired.status().message();
    OnnxBuilder again;
    ASSERT_TRUE(again.model().ParseFromString(*repaired));
    const std::vector<double> y = tests::Answer(again, x);
    ASSERT_EQ(y.size(), 8u);
    for (size_t i = 0; i < 8; ++i) {
      const double relu = std::max(2.0 * static_cast<double>(i) - 7, 0.0);
      EXPECT_NEAR(y[i], (relu - 2) / std::sqrt(6.5 + 4) * 5, 1e-5) << opset;
    }
  }
  OnnxBuilder none;
  none.Input("x", {1}).Node("Relu", {"x"}, {"y"}).Output("y");
  const std::string bytes = none.Bytes();
  EXPECT_EQ(MeasuringOnnx(std::as_bytes(std::span(bytes))).status().code(),
            StatusCode::kUnsupported);
}

}  // namespace
}  // namespace pleat::converter
