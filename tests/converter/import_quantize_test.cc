// Quantised operators.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;

void AddBytes(OnnxBuilder& builder, const std::string& name, int type, std::vector<int64_t> dims,
              const std::vector<int>& values) {
  TensorProto* tensor = builder.graph().add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (const int64_t dim : dims) tensor->add_dims(dim);
  for (const int value : values) tensor->add_int32_data(value);
}

Tensor Uint8s(runtime::Shape shape, const std::vector<uint8_t>& values) {
  return Tensor::Of<uint8_t>(std::move(shape), values);
}

TEST(ImportQuantizeTest, RoundsHalvesToEvenAndSaturates) {
  OnnxBuilder builder(13);
  builder.Input("x", {6}).Weight("scale", {}, {2}).Output("y", TensorProto::UINT8);
  AddBytes(builder, "zero", TensorProto::UINT8, {}, {10});
  builder.Node("QuantizeLinear", {"x", "scale", "zero"}, {"y"});
  EXPECT_EQ(Answer(builder, {Floats({6}, {0, 1, 3, -5, 1000, -1000})}),
            (Doubles{10, 10, 12, 8, 255, 0}));
}

TEST(ImportQuantizeTest, ParametersRunAlongTheAxis) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 2}).Weight("scale", {2}, {1, 10}).Output("y", TensorProto::INT8);
  AddBytes(builder, "zero", TensorProto::INT8, {2}, {0, -3});
  builder.Node("QuantizeLinear", {"x", "scale", "zero"}, {"y"}, {{"axis", int64_t{1}}});
  EXPECT_EQ(Answer(builder, {Floats({1, 2, 2}, {1, 2, 30, -40})}), (Doubles{1, 2, 0, -7}));
}

TEST(ImportQuantizeTest, DequantizedWeightsAreConstants) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 1, 2}).Weight("scale", {2}, {0.5f, 2}).Output("y");
  AddBytes(builder, "w", TensorProto::INT8, {2, 1, 1}, {3, -4});
  AddBytes(builder, "zero", TensorProto::INT8, {2}, {1, 0});
  builder.Node("DequantizeLinear", {"w", "scale", "zero"}, {"wf"}, {{"axis", int64_t{0}}});
  builder.Node("Conv", {"x", "wf"}, {"y"});
  EXPECT_EQ(tests::Ops(builder.Import()), "Conv");
  EXPECT_EQ(Answer(builder, {Floats({1, 1, 2}, {1, 2})}), (Doubles{1, 2, -8, -16}));
}

TEST(ImportQuantizeTest, IntegerProductsAreExactOrRefused) {
  const auto product = [](int64_t terms, int weight) {
    OnnxBuilder builder(13);
    builder.Input("a", {1, terms}, TensorProto::UINT8).Output("y", TensorProto::INT32);
    AddBytes(builder, "b", TensorProto::UINT8, {terms, 1},
             std::vector<int>(static_cast<size_t>(terms), weight));
    AddBytes(builder, "a_zero", TensorProto::UINT8, {}, {5});
    AddBytes(builder, "b_zero", TensorProto::UINT8, {}, {1});
    builder.Node("MatMulInteger", {"a", "b", "a_zero", "b_zero"}, {"y"});
    return builder;
  };
  EXPECT_EQ(Answer(product(2, 4), {Uint8s({1, 2}, {0, 255})}), (Doubles{-15 + 750}));
  // 250 * 254 * 262 is below 2^24, 250 * 254 * 265 above.
  const std::vector<uint8_t> full(262, 255);
  EXPECT_EQ(Answer(product(262, 255), {Uint8s({1, 262}, full)}), (Doubles{250.0 * 254 * 262}));
  EXPECT_EQ(product(265, 255).Import().status().code(), StatusCode::kUnsupported);
  EXPECT_TRUE(product(100000, 1).Import().ok());
}

TEST(ImportQuantizeTest, ConvolutionPadsWithTheZeroPoint) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 1, 2}, TensorProto::UINT8).Output("y", TensorProto::UINT8);
  builder.Weight("xs", {}, {0.5f}).Weight("ws", {2}, {1, 2}).Weight("ys", {}, {0.25f});
  AddBytes(builder, "xz", TensorProto::UINT8, {}, {10});
  AddBytes(builder, "w", TensorProto::INT8, {2, 1, 2}, {1, 1, 1, -1});
  AddBytes(builder, "wz", TensorProto::INT8, {2}, {0, 0});
  AddBytes(builder, "yz", TensorProto::UINT8, {}, {100});
  AddBytes(builder, "bias", TensorProto::INT32, {2}, {1, 0});
  builder.Node("QLinearConv", {"x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "bias"}, {"y"},
               {{"pads", std::vector<int64_t>{1, 0}}});
  // Centred: 0 | 2 5 under [1 1] + 1 and [1 -1]; times 0.5 * scale / 0.25, plus 100.
  EXPECT_EQ(Answer(builder, {Uint8s({1, 1, 2}, {12, 15})}),
            (Doubles{100 + 2 * 3, 100 + 2 * 8, 100 - 4 * 2, 100 - 4 * 3}));
}

TEST(ImportQuantizeTest, DynamicQuantization) {
  OnnxBuilder builder(11);
  builder.Input("x", {3}).Output("y", TensorProto::UINT8).Output("scale");
  builder.Output("zero", TensorProto::UINT8);
  builder.Node("DynamicQuantizeLinear", {"x"}, {"y", "scale", "zero"});
  const auto outputs = tests::ImportAndRun(builder, {Floats({3}, {-51, 0, 204})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ(ToDoubles((*outputs)[0]), (Doubles{0, 51, 255}));
  EXPECT_EQ(ToDoubles((*outputs)[1]), (Doubles{1}));
  EXPECT_EQ(ToDoubles((*outputs)[2]), (Doubles{51}));
}

TEST(ImportQuantizeTest, BlocksShareTheirParameters) {
  const auto quantize = [](int64_t columns) {
    OnnxBuilder builder(21);
    builder.Input("x", {1, columns}).Weight("scale", {1, 2}, {1, 2});
    builder.Node("QuantizeLinear", {"x", "scale"}, {"y"}, {{"block_size", int64_t{2}}});
    builder.Output("y", TensorProto::UINT8);
    return builder;
  };
  EXPECT_EQ(tests::Answer(quantize(3), {Floats({1, 3}, {4, 6, 8})}), (Doubles{4, 6, 4}));
  EXPECT_EQ(quantize(-1).Import().status().code(), StatusCode::kUnsupported);
}

// TensorProto.DataType, which older ONNX headers do not name.
constexpr int kFloat8E4M3 = 17, kFloat8E5M2 = 19, kUint4 = 21, kInt4 = 22;

TensorProto Packed(const std::string& name, int type, int64_t size, const std::string& bytes) {
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type);
  tensor.add_dims(size);
  tensor.set_raw_data(bytes);
  return tensor;
}

TEST(ImportQuantizeTest, WeightsOfFourBitsAreUnpacked) {
  OnnxBuilder builder(21, 10);
  builder.Input("x", {1, 3}).Weight("scale", {}, {0.5f}).Output("y");
  *builder.graph().add_initializer() = Packed("w", kInt4, 3, "\x1f\x08");  // -1 1 -8
  builder.Node("DequantizeLinear", {"w", "scale"}, {"wf"}).Node("Add", {"x", "wf"}, {"y"});
  EXPECT_EQ(tests::Ops(builder.Import()), "Binary");
  EXPECT_EQ(Answer(builder, {Floats({1, 3}, {0, 0, 0})}), (Doubles{-0.5, 0.5, -4}));
  TensorProto* weights = builder.graph().mutable_initializer(1);
  weights->set_raw_data("\x1f");
  EXPECT_EQ(builder.Import().status().code(), StatusCode::kInvalidModel);
  weights->clear_raw_data();
  for (const int byte : {0x1f, 0x08}) weights->add_int32_data(byte);
  EXPECT_EQ(Answer(builder, {Floats({1, 3}, {0, 0, 0})}), (Doubles{-0.5, 0.5, -4}));
  weights->set_int32_data(0, 300);
  EXPECT_EQ(builder.Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportQuantizeTest, FloatsOfEightBitsRoundAndSaturate) {
  OnnxBuilder builder(19, 9);
  builder.Input("x", {6}).Weight("scale", {}, {2}).Output("y");
  *builder.graph().add_initializer() = Packed("zero", kFloat8E4M3, 1, std::string(1, '\0'));
  builder.Node("QuantizeLinear", {"x", "scale", "zero"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "scale", "zero"}, {"y"});
  // Steps of 1/8 from 1 on, of 1/4 from 2 on; the largest number is 448.
  EXPECT_EQ(Answer(builder, {Floats({6}, {2.2f, 2.125f, -4.3f, 1e6f, -1e6f, 0x1p-9f})}),
            (Doubles{2.25, 2, -4.5, 896, -896, 0}));
}

TEST(ImportQuantizeTest, CastsToNarrowTypes) {
  const auto cast = [](int type, int64_t saturate) {
    OnnxBuilder builder(21, 10);
    builder.Input("x", {4}).Output("y", type);
    tests::Attributes attributes = {{"to", int64_t{type}}};
    if (saturate == 0) attributes["saturate"] = saturate;
    builder.Node("Cast", {"x"}, {"y"}, attributes);
    return Answer(builder, {Floats({4}, {-9, 2.7f, 1e5f, 0.3f})});
  };
  EXPECT_EQ(cast(kInt4, 1), (Doubles{7, 2, 0, 0}));
  EXPECT_EQ(cast(kUint4, 1), (Doubles{7, 2, 0, 0}));
  EXPECT_EQ(cast(kFloat8E5M2, 1), (Doubles{-8, 2.5, 57344, 0.3125}));
  EXPECT_EQ(cast(kFloat8E5M2, 0), (Doubles{-8, 2.5, INFINITY, 0.3125}));
  EXPECT_TRUE(std::isnan(cast(kFloat8E4M3, 0)[2]));
}

TEST(ImportQuantizeTest, NarrowTypesAreMovedAndNotComputedWith) {
  OnnxBuilder moved(21, 10);
  moved.Input("x", {2, 2}, kFloat8E4M3).Input("z", {1}).Output("y", kFloat8E4M3);
  moved.Node("Transpose", {"x"}, {"t"}).Node("CastLike", {"z", "t"}, {"y"});
  EXPECT_EQ(Answer(moved, {Floats({2, 2}, {1, 2, 3, 4}), Floats({1}, {17})}), (Doubles{16}));
  OnnxBuilder added(21, 10);
  added.Input("x", {2}, kFloat8E4M3).Output("y").Node("Add", {"x", "x"}, {"y"});
  EXPECT_EQ(added.Import().status().code(), StatusCode::kUnsupported);
  OnnxBuilder cast(21, 10);
  cast.Input("x", {2}, kFloat8E4M3).Output("y");
  cast.Node("Cast", {"x"}, {"f"}, {{"to", int64_t{1}}}).Node("Add", {"f", "f"}, {"y"});
  EXPECT_EQ(Answer(cast, {Floats({2}, {1, 2})}), (Doubles{2, 4}));
}

// ONNX Runtime's own, in which its quantizer writes what lies between convolutions.
TEST(ImportQuantizeTest, OperatorsOfOnnxRuntime) {
  const auto answer = [](const std::string& op, const std::vector<std::string>& inputs,
                         const tests::Attributes& attributes, const Tensor& x) {
    OnnxBuilder builder(13);
    builder.Input("x", x.shape(), TensorProto::UINT8).Output("y", TensorProto::UINT8);
    builder.Weight("s", {}, {0.5f}).Weight("t", {}, {2}).Weight("r", {}, {0.25f});
    AddBytes(builder, "z", TensorProto::UINT8, {}, {10});
    AddBytes(builder, "b", TensorProto::UINT8, {2, 1}, {9, 12});
    AddBytes(builder, "c", TensorProto::INT32, {1}, {-3});
    builder.Node(op, inputs, {"y"}, attributes).last_node().set_domain("com.microsoft");
    return Answer(builder, {x});
  };
  // 1 and -2.5, twice themselves in steps of 1/4 around 10, and squared.
  const Tensor x = Uint8s({1, 1, 2}, {12, 5});
  EXPECT_EQ(answer("QLinearAdd", {"x", "s", "z", "x", "s", "z", "r", "z"}, {}, x), (Doubles{18, 0}));
  EXPECT_EQ(answer("QLinearMul", {"x", "s", "z", "x", "s", "z", "r", "z"}, {}, x),
            (Doubles{14, 35}));
  EXPECT_EQ(answer("QLinearGlobalAveragePool", {"x", "s", "z", "r", "z"}, {}, x), (Doubles{7}));
  EXPECT_EQ(answer("QLinearAveragePool", {"x", "s", "z", "r", "z"},
                   {{"kernel_shape", std::vector<int64_t>{1}}}, x),
            (Doubles{14, 0}));
  EXPECT_EQ(answer("QLinearLeakyRelu", {"x", "s", "z", "r", "z"}, {{"alpha", 0.5f}}, x),
            (Doubles{14, 5}));
  EXPECT_EQ(answer("QLinearConcat", {"r", "z", "x", "s", "z", "x", "r", "z"},
                   {{"axis", int64_t{1}}}, x),
            (Doubles{14, 0, 12, 5}));
  // (2 * -1 + -5 * 2 - 3) * 1/2 * 2 is -15, in steps of 2.
  EXPECT_EQ(answer("QGemm", {"x", "s", "z", "b", "t", "z", "c", "t", "z"}, {},
                   Uint8s({1, 2}, {12, 5})),
            (Doubles{2}));
}

}  // namespace
}  // namespace pleat::converter
