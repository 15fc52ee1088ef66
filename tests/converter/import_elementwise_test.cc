// Activations and arithmetic, with the differences between operator sets.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::StatusCode;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

using Doubles = std::vector<double>;

std::vector<double> Apply(const std::string& op, const Attributes& attributes,
                          const std::vector<float>& x, int64_t opset = 20) {
  OnnxBuilder builder(opset);
  builder.Input("x", {static_cast<int64_t>(x.size())}).Node(op, {"x"}, {"y"}, attributes);
  builder.Output("y");
  return Answer(builder, {Floats({static_cast<int64_t>(x.size())}, x)});
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(ImportElementwiseTest, ActivationsWithDefaultsAndAttributes) {
  ExpectNear(Apply("Relu", {}, {-1, 2}), {0, 2});
  ExpectNear(Apply("LeakyRelu", {}, {-1, 2}), {-0.01, 2});
  ExpectNear(Apply("LeakyRelu", {{"alpha", 0.5f}}, {-1, 2}), {-0.5, 2});
  ExpectNear(Apply("Elu", {{"alpha", 2.0f}}, {-1, 2}), {2 * std::expm1(-1), 2});
  ExpectNear(Apply("Selu", {}, {-1, 2}),
             {1.05070102 * 1.67326319 * std::expm1(-1), 2 * 1.05070102});
  ExpectNear(Apply("Selu", {}, {-1}, 5), {1.0507 * 1.6732 * std::expm1(-1)});
  ExpectNear(Apply("Celu", {{"alpha", 2.0f}}, {-1}), {2 * std::expm1(-0.5)});
  ExpectNear(Apply("HardSigmoid", {}, {1, 9}), {0.7, 1});
  ExpectNear(Apply("HardSigmoid", {{"alpha", 0.5f}, {"beta", 0.1f}}, {1}), {0.6});
  ExpectNear(Apply("HardSwish", {}, {-4, 1}), {0, 1 * (1.0 / 6 + 0.5)});
  ExpectNear(Apply("ThresholdedRelu", {{"alpha", 2.0f}}, {1.5f, 3}), {0, 3});
  ExpectNear(Apply("Shrink", {{"lambd", 1.5f}, {"bias", 1.0f}}, {-2, 1, 2}), {-1, 0, 1});
  ExpectNear(Apply("Gelu", {}, {1}), {0.5 * (1 + std::erf(std::sqrt(0.5)))});
  ExpectNear(Apply("Gelu", {{"approximate", "tanh"}}, {1}), {0.841191990607});
  ExpectNear(Apply("Softplus", {}, {1}), {std::log1p(std::exp(1))});
  ExpectNear(Apply("Round", {}, {0.5f, 1.5f}), {0, 2});
}

TEST(ImportElementwiseTest, OperatorsBeforeTheirFirstSetAreRefused) {
  OnnxBuilder builder(13);
  builder.Input("x", {1}).Node("Gelu", {"x"}, {"y"}).Output("y");
  EXPECT_EQ(builder.Import().status().code(), StatusCode::kUnsupported);
}

TEST(ImportElementwiseTest, ClipBoundsAsAttributesAndInputs) {
  ExpectNear(Apply("Clip", {{"min", -1.0f}, {"max", 1.0f}}, {-2, 0.5f, 2}, 6), {-1, 0.5, 1});
  ExpectNear(Apply("Clip", {{"max", 1.0f}}, {-2, 2}, 6), {-2, 1});
  OnnxBuilder constant(13);
  constant.Input("x", {3}).Weight("high", {}, {6}).Node("Clip", {"x", "", "high"}, {"y"});
  constant.Output("y");
  EXPECT_EQ(Ops(constant.Import()), "Unary");
  ExpectNear(Answer(constant, {Floats({3}, {-9, 5, 9})}), {-9, 5, 6});
  OnnxBuilder at_run_time(13);
  at_run_time.Input("x", {3}).Input("low", {}).Input("high", {});
  at_run_time.Node("Clip", {"x", "low", "high"}, {"y"}).Output("y");
  EXPECT_EQ(Ops(at_run_time.Import()), "Binary Binary");
  ExpectNear(Answer(at_run_time, {Floats({3}, {-9, 5, 9}), Floats({}, {-1}), Floats({}, {6})}),
             {-1, 5, 6});
}

TEST(ImportElementwiseTest, OldBroadcastStartsAtAnAxis) {
  OnnxBuilder builder(6);
  builder.Input("x", {1, 2, 3}).Weight("b", {2}, {10, 20});
  builder.Node("Add", {"x", "b"}, {"y"}, {{"broadcast", int64_t{1}}, {"axis", int64_t{1}}});
  builder.Output("y");
  ExpectNear(Answer(builder, {Floats({1, 2, 3}, {0, 1, 2, 3, 4, 5})}), {10, 11, 12, 23, 24, 25});
}

TEST(ImportElementwiseTest, PreluSlopes) {
  OnnxBuilder old(6);
  old.Input("x", {1, 2, 2}).Weight("s", {2}, {0.5f, 2}).Node("PRelu", {"x", "s"}, {"y"});
  old.Output("y");
  ExpectNear(Answer(old, {Floats({1, 2, 2}, {-1, 1, -1, 1})}), {-0.5, 1, -2, 1});
  OnnxBuilder numpy(9);
  numpy.Input("x", {1, 2, 2}).Weight("s", {2}, {0.5f, 2}).Node("PRelu", {"x", "s"}, {"y"});
  numpy.Output("y");
  ExpectNear(Answer(numpy, {Floats({1, 2, 2}, {-1, -1, -1, 1})}), {-0.5, -2, -0.5, 1});
}

TEST(ImportElementwiseTest, VariadicOperators) {
  const auto of = [](const std::string& op, std::vector<std::string> inputs) {
    OnnxBuilder builder(13);
    builder.Input("a", {2}).Input("b", {2}).Input("c", {1}).Node(op, inputs, {"y"}).Output("y");
    return Answer(builder, {Floats({2}, {1, 8}), Floats({2}, {4, 2}), Floats({1}, {4})});
  };
  ExpectNear(of("Sum", {"a", "b", "c"}), {9, 14});
  ExpectNear(of("Mean", {"a", "b", "c"}), {3, 14.0 / 3});
  ExpectNear(of("Max", {"a", "b", "c"}), {4, 8});
  ExpectNear(of("Min", {"a", "b", "c"}), {1, 2});
  ExpectNear(of("Mean", {"a"}), {1, 8});
}

TEST(ImportElementwiseTest, GemmAndMatMul) {
  OnnxBuilder gemm(11);
  gemm.Input("x", {1, 2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Weight("c", {2}, {10, 20});
  gemm.Node("Gemm", {"x", "w", "c"}, {"y"},
            {{"transB", int64_t{1}}, {"alpha", 2.0f}, {"beta", 0.5f}});
  gemm.Output("y");
  ExpectNear(Answer(gemm, {Floats({1, 2}, {1, 1})}), {2 * 3 + 5, 2 * 7 + 10});
  OnnxBuilder vector(11);
  vector.Input("x", {2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Node("Gemm", {"x", "w"}, {"y"});
  vector.Output("y");
  EXPECT_EQ(vector.Import().status().code(), StatusCode::kInvalidModel);
  OnnxBuilder matmul(11);
  matmul.Input("x", {2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Node("MatMul", {"x", "w"}, {"y"});
  matmul.Output("y");
  ExpectNear(Answer(matmul, {Floats({2}, {1, 1})}), {4, 6});
}

TEST(ImportElementwiseTest, PowerKeepsTheTypeOfItsBase) {
  OnnxBuilder builder(15);
  builder.Input("x", {2}).Int64s("two", {2}).Node("Pow", {"x", "two"}, {"y"}).Output("y");
  ExpectNear(Answer(builder, {Floats({2}, {1.5f, 3})}), {2.25, 9});
}

TEST(ImportElementwiseTest, DeterminantsOfSmallMatrices) {
  const auto det = [](int64_t size, const std::vector<float>& x) {
    OnnxBuilder builder(11);
    builder.Input("x", {1, size, size}).Node("Det", {"x"}, {"y"}).Output("y");
    return Answer(builder, {Floats({1, size, size}, x)});
  };
  EXPECT_EQ(det(1, {-3}), (Doubles{-3}));
  EXPECT_EQ(det(2, {1, 2, 3, 4}), (Doubles{-2}));
  EXPECT_EQ(det(3, {2, 0, 1, 1, 3, 2, 1, 1, 1}), (Doubles{0}));
  EXPECT_EQ(det(3, {0, 2, 0, 1, 0, 5, 0, 7, 3}), (Doubles{-6}));
  OnnxBuilder large(11);
  large.Input("x", {4, 4}).Node("Det", {"x"}, {"y"}).Output("y");
  EXPECT_EQ(large.Import().status().code(), StatusCode::kUnsupported);
}

// What stands around networks of tables, in a domain of its own.
TEST(ImportElementwiseTest, OperatorsOfTables) {
  const auto answer = [](const std::string& op, const tests::Attributes& attributes,
                         const std::vector<float>& x) {
    OnnxBuilder builder(17);
    const auto columns = static_cast<int64_t>(x.size()) / 2;
    builder.Input("x", {2, columns}).Node(op, {"x"}, {"y"}, attributes).Output("y");
    builder.last_node().set_domain("ai.onnx.ml");
    return Answer(builder, {Floats({2, columns}, x)});
  };
  using Reals = std::vector<float>;
  EXPECT_EQ(answer("Scaler", {{"offset", Reals{1, 2}}, {"scale", Reals{2, 0.5f}}}, {1, 2, 3, 6}),
            (Doubles{0, 0, 4, 2}));
  EXPECT_EQ(answer("Binarizer", {{"threshold", 1.5f}}, {1, 1.5f, 2, 3}), (Doubles{0, 0, 1, 1}));
  EXPECT_EQ(answer("Normalizer", {{"norm", std::string("L1")}}, {1, -3, 0, 0}),
            (Doubles{0.25, -0.75, 0, 0}));
  EXPECT_EQ(answer("Normalizer", {{"norm", std::string("L2")}}, {3, -4, 0, 2}),
            (Doubles{0.6f, -0.8f, 0, 1}));
  EXPECT_EQ(answer("Imputer",
                   {{"imputed_value_floats", Reals{7, 8}}, {"replaced_value_float", NAN}},
                   {NAN, 1, 2, NAN}),
            (Doubles{7, 1, 2, 8}));
  EXPECT_EQ(answer("LinearRegressor",
                   {{"coefficients", Reals{1, 2, 3, 4}}, {"intercepts", Reals{10, 20}},
                    {"targets", int64_t{2}}},
                   {1, 1, 2, 0}),
            (Doubles{13, 27, 12, 26}));
  EXPECT_EQ(answer("OneHotEncoder", {{"cats_int64s", std::vector<int64_t>{4, 5}}}, {5, 6}),
            (Doubles{0, 1, 0, 0}));
  OnnxBuilder pick(17);
  pick.Input("x", {2}).Int64s("i", {1, 1, 0}).Output("y");
  pick.Node("ArrayFeatureExtractor", {"x", "i"}, {"y"}).last_node().set_domain("ai.onnx.ml");
  EXPECT_EQ(Answer(pick, {Floats({2}, {4, 5})}), (Doubles{5, 5, 4}));
  OnnxBuilder tree(17);
  tree.Input("x", {2, 2}).Node("TreeEnsemble", {"x"}, {"y"}).Output("y");
  tree.last_node().set_domain("ai.onnx.ml");
  EXPECT_EQ(tree.Import().status().code(), StatusCode::kUnsupported);
}

TEST(ImportElementwiseTest, LayerNormParametersBroadcast) {
  const double unit = 1 / std::sqrt(1.25);
  for (const bool wide : {false, true}) {
    OnnxBuilder builder(17);
    builder.Input("x", {1, 2, 2}).Weight("scale", {2, 1}, {2, -1}).Output("y");
    builder.Weight("bias", wide ? std::vector<int64_t>{1, 2, 2} : std::vector<int64_t>{2},
                   wide ? std::vector<float>{1, 2, 1, 2} : std::vector<float>{1, 2});
    builder.Node("LayerNormalization", {"x", "scale", "bias"}, {"y", "mean", "deviation"},
                 {{"axis", int64_t{1}}, {"epsilon", 0.0f}});
    ExpectNear(Answer(builder, {Floats({1, 2, 2}, {1, 2, 3, 4})}),
               {1 - 3 * unit, 2 - unit, 1 - 0.5 * unit, 2 - 1.5 * unit});
  }
}

}  // namespace
}  // namespace pleat::converter
