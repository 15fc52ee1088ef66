// Attention and what models with it use. The numbers are those of ONNX's reference evaluator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::Shape;
using runtime::Tensor;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;

void ExpectNear(const Doubles& got, const Doubles& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 1e-5 * std::max(1.0, std::abs(expected[i]))) << i;
  }
}

const Tensor kQuery = Floats({1, 1, 2, 2}, {1, 0, 0.5f, -1});
const Tensor kKey = Floats({1, 1, 3, 2}, {0.5f, 1, 2, 0, -1, 1});
const Tensor kValue = Floats({1, 1, 3, 2}, {1, 2, 3, 4, 5, 6});

OnnxBuilder Attention(const std::vector<std::string>& more, const Attributes& attributes,
                      int64_t opset = 23) {
  OnnxBuilder builder(opset);
  builder.Input("q", {1, 1, -1, 2}).Input("k", {1, 1, -1, 2}).Input("v", {1, 1, -1, 2});
  std::vector<std::string> inputs = {"q", "k", "v"};
  inputs.insert(inputs.end(), more.begin(), more.end());
  builder.Node("Attention", inputs, {"y"}, attributes).Output("y");
  return builder;
}

TEST(ImportAttentionTest, WeighsValuesByKeys) {
  ExpectNear(Answer(Attention({}, {}), {kQuery, kKey, kValue}),
             {2.69122, 3.69122, 2.83651, 3.83651});
  ExpectNear(Answer(Attention({}, {{"is_causal", int64_t{1}}}), {kQuery, kKey, kValue}),
             {1, 2, 2.55024, 3.55024});
}

TEST(ImportAttentionTest, AQueryThatNoKeyIsLeftForAttendsToNothing) {
  OnnxBuilder builder = Attention({"m"}, {{"scale", 0.5f}});
  TensorProto* mask = builder.graph().add_initializer();
  mask->set_name("m");
  mask->set_data_type(TensorProto::BOOL);
  mask->add_dims(2);
  mask->add_dims(3);
  mask->set_raw_data(std::string("\1\0\0\0\0\0", 6));
  ExpectNear(Answer(builder, {kQuery, kKey, kValue}), {1, 2, 0, 0});
}

TEST(ImportAttentionTest, AMaskMayCoverTheFirstKeysOnly) {
  OnnxBuilder builder = Attention({"m"}, {}, 24);
  builder.Weight("m", {1, 1}, {0});
  ExpectNear(Answer(builder, {kQuery, kKey, kValue}), {1, 2, 1, 2});
}

TEST(ImportAttentionTest, WindowsAndCachesThatAreNotFull) {
  const Attributes window = {{"left_window_size", int64_t{0}}, {"right_window_size", int64_t{1}}};
  ExpectNear(Answer(Attention({}, window, 25), {kQuery, kKey, kValue}),
             {2.48563, 3.48563, 3.29164, 4.29164});
  OnnxBuilder builder = Attention({"", "", "", "n"}, {{"is_causal", int64_t{1}}}, 24);
  builder.Int64s("n", {2});
  ExpectNear(Answer(builder, {kQuery, kKey, kValue}), {1, 2, 2.55024, 3.55024});
}

TEST(ImportAttentionTest, GroupsOfHeadsAfterAPastWithASoftCap) {
  OnnxBuilder builder(23);
  builder.Input("q", {1, 2, 4}).Input("k", {1, 2, 2}).Input("v", {1, 2, 2});
  builder.Weight("pk", {1, 1, 1, 2}, {1, 1}).Weight("pv", {1, 1, 1, 2}, {7, 8});
  builder.Node("Attention", {"q", "k", "v", "", "pk", "pv"}, {"y", "nk", "nv", "s"},
               {{"q_num_heads", int64_t{2}},
                {"kv_num_heads", int64_t{1}},
                {"softcap", 2.0f},
                {"is_causal", int64_t{1}},
                {"qk_matmul_output_mode", int64_t{1}}});
  for (const char* name : {"y", "nk", "nv", "s"}) builder.Output(name);
  const auto outputs = tests::ImportAndRun(
      builder, {Floats({1, 2, 4}, {1, 0, 0.5f, -1, 0.5f, 0.5f, 1, 2}),
                Floats({1, 2, 2}, {0.5f, 1, 2, 0}), Floats({1, 2, 2}, {1, 2, 3, 4})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  ExpectNear(runtime::ToDoubles((*outputs)[0]),
             {4.48929, 5.48929, 4.25189, 5.25189, 3.80558, 4.80558, 3.89416, 4.89416});
  ExpectNear(runtime::ToDoubles((*outputs)[1]), {1, 1, 0.5, 1, 2, 0});
  ExpectNear(runtime::ToDoubles((*outputs)[2]), {7, 8, 1, 2, 3, 4});
  ExpectNear(runtime::ToDoubles((*outputs)[3]),
             {0.679046, 0.349916, 1.21772, 0.679046, 0.51824, 0.679046, -0.349916, -0.51824,
              0.679046, 1.57183, 1.41672, 1.21772});
  EXPECT_EQ((*outputs)[3].shape(), (runtime::Shape{1, 2, 2, 3}));
}

TEST(ImportAttentionTest, RotaryEmbeddingTurnsPairs) {
  const auto rotary = [](const Attributes& attributes) {
    OnnxBuilder builder(23);
    builder.Input("x", {1, 1, 2, 4}).Weight("c", {2, 2}, {1, 0.5f, 0.25f, 0});
    builder.Weight("s", {2, 2}, {0, 0.5f, 1, 2});
    *builder.graph().add_initializer() = tests::Int64Proto({1, 2}, {1, 0});
    builder.graph().mutable_initializer(2)->set_name("p");
    builder.Node("RotaryEmbedding", {"x", "c", "s", "p"}, {"y"}, attributes).Output("y");
    return builder;
  };
  const Tensor x = Floats({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  ExpectNear(Answer(rotary({}), {x}), {-2.75, -8, 1.75, 4, 5, -1, 7, 7});
  ExpectNear(Answer(rotary({{"interleaved", int64_t{1}}}), {x}),
             {-1.75, 1.5, -8, 6, 5, 6, -0.5, 7.5});
  OnnxBuilder part(23);
  part.Input("x", {1, 2, 4}).Weight("c", {1, 2, 1}, {1, 0.5f}).Weight("s", {1, 2, 1}, {2, 0.25f});
  part.Node("RotaryEmbedding", {"x", "c", "s"}, {"y"},
            {{"num_heads", int64_t{1}}, {"rotary_embedding_dim", int64_t{2}}});
  part.Output("y");
  ExpectNear(Answer(part, {x.Reshaped({1, 2, 4})}), {-3, 4, 3, 4, 1, 4.25, 7, 8});
}

TEST(ImportAttentionTest, SwiGluIsAGate) {
  OnnxBuilder builder(28);
  builder.Input("a", {2}).Input("b", {2}).Output("y");
  builder.Node("SwiGLU", {"a", "b"}, {"y"}, {{"alpha", 0.5f}});
  ExpectNear(Answer(builder, {Floats({2}, {1, -2}), Floats({2}, {3, 4})}), {1.86738, -2.15153});
}

TEST(ImportAttentionTest, TensorScatterWritesIntoACache) {
  const auto scatter = [](const std::string& mode) {
    OnnxBuilder builder(24);
    builder.Input("c", {2, 3, 1}).Input("u", {2, 2, 1}).Int64s("w", {1, 2}).Output("y");
    builder.Node("TensorScatter", {"c", "u", "w"}, {"y"}, {{"mode", mode}});
    return builder;
  };
  EXPECT_EQ(Answer(scatter("circular"),
                   {Floats({2, 3, 1}, {1, 2, 3, 4, 5, 6}), Floats({2, 2, 1}, {7, 8, 9, 10})}),
            (Doubles{1, 7, 8, 10, 5, 9}));
}

TEST(ImportAttentionTest, CausalConvKeepsWhatTheNextCallNeeds) {
  OnnxBuilder builder(27);
  builder.Input("x", {1, 2, 3}).Weight("w", {2, 1, 2}, {1, 2, 3, -1}).Weight("b", {2}, {0.5f, 0});
  builder.Weight("p", {1, 2, 1}, {9, 8}).Output("y").Output("n");
  builder.Node("CausalConvWithState", {"x", "w", "b", "p"}, {"y", "n"},
               {{"activation", std::string("silu")}});
  const auto outputs = tests::ImportAndRun(builder, {Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  ExpectNear(runtime::ToDoubles((*outputs)[0]),
             {11.4999, 5.47761, 8.49827, 20, 6.99362, 8.99889});
  ExpectNear(runtime::ToDoubles((*outputs)[1]), {3, 6});
}

TEST(ImportAttentionTest, LinearAttentionIsARecurrence) {
  const std::vector<float> q = {1, 2, -1}, k = {0.5f, 1, 2}, v = {3, -1, 0.25f};
  const std::vector<float> decay = {-0.5f, -1, 0.25f}, beta = {0.5f, 1, 0.75f};
  OnnxBuilder builder(27, 10);
  for (const char* name : {"q", "k", "v"}) builder.Input(name, {1, 3, 1});
  builder.Input("past", {1, 1, 1, 1}).Input("g", {1, 3, 1}).Input("b", {1, 3, 1}).Output("y");
  builder.Node("LinearAttention", {"q", "k", "v", "past", "g", "b"}, {"y"},
               {{"q_num_heads", int64_t{1}}, {"kv_num_heads", int64_t{1}}, {"scale", 2.0f}});
  std::vector<double> expected;
  double state = 4;
  for (size_t i = 0; i < 3; ++i) {
    state *= std::exp(double{decay[i]});
    state += k[i] * beta[i] * (v[i] - state * k[i]);
    expected.push_back(2 * q[i] * state);
  }
  const Shape steps = {1, 3, 1};
  const std::vector<double> y =
      Answer(builder, {Floats(steps, q), Floats(steps, k), Floats(steps, v),
                       Floats({1, 1, 1, 1}, {4}), Floats(steps, decay), Floats(steps, beta)});
  ASSERT_EQ(y.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(y[i], expected[i], 1e-5) << i;
}

}  // namespace
}  // namespace pleat::converter
