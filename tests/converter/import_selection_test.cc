// Operators composed of finding places and picking them.
#include <gtest/gtest.h>

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
using Int64s = std::vector<int64_t>;

TEST(ImportSelectionTest, HardmaxTakesTheFirstLargest) {
  const Tensor x = Floats({2, 1, 2}, {3, 3, 1, 2});
  OnnxBuilder builder(13);
  builder.Input("x", {2, 1, 2}).Node("Hardmax", {"x"}, {"y"}).Output("y");
  EXPECT_EQ(Answer(builder, {x}), (Doubles{1, 0, 0, 1}));
  OnnxBuilder flattened(11);
  flattened.Input("x", {1, 2, 2}).Node("Hardmax", {"x"}, {"y"}).Output("y");
  EXPECT_EQ(Answer(flattened, {Floats({1, 2, 2}, {3, 3, 1, 4})}), (Doubles{0, 0, 0, 1}));
  OnnxBuilder first(13);
  first.Input("x", {2, 1, 2}).Node("Hardmax", {"x"}, {"y"}, {{"axis", int64_t{0}}}).Output("y");
  EXPECT_EQ(Answer(first, {x}), (Doubles{1, 1, 0, 0}));
}

TEST(ImportSelectionTest, EyeLikeOnADiagonal) {
  OnnxBuilder builder(9);
  builder.Input("x", {2, 3}).Output("y", TensorProto::INT64);
  builder.Node("EyeLike", {"x"}, {"y"},
               {{"k", int64_t{1}}, {"dtype", int64_t{TensorProto::INT64}}});
  EXPECT_EQ(Answer(builder, {Floats({2, 3}, {9, 9, 9, 9, 9, 9})}), (Doubles{0, 1, 0, 0, 0, 1}));
}

TEST(ImportSelectionTest, CompressWithAKnownCondition) {
  const auto compress = [](const tests::Attributes& attributes) {
    OnnxBuilder builder(11);
    TensorProto* condition = builder.graph().add_initializer();
    condition->set_name("c");
    condition->set_data_type(TensorProto::BOOL);
    condition->add_dims(2);
    condition->set_raw_data(std::string("\0\1", 2));
    builder.Input("x", {2, 2}).Node("Compress", {"x", "c"}, {"y"}, attributes).Output("y");
    return builder;
  };
  const Tensor x = Floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(Answer(compress({{"axis", int64_t{0}}}), {x}), (Doubles{3, 4}));
  EXPECT_EQ(Answer(compress({{"axis", int64_t{-1}}}), {x}), (Doubles{2, 4}));
  EXPECT_EQ(Answer(compress({}), {x}), (Doubles{2}));
}

TEST(ImportSelectionTest, MaxUnpoolUndoesMaxPool) {
  OnnxBuilder builder(11);
  builder.Input("x", {1, 1, 4}).Output("y");
  builder.Node("MaxPool", {"x"}, {"p", "i"}, {{"kernel_shape", Int64s{2}}, {"strides", Int64s{2}}});
  builder.Node("MaxUnpool", {"p", "i"}, {"y"},
               {{"kernel_shape", Int64s{2}}, {"strides", Int64s{2}}});
  EXPECT_EQ(Answer(builder, {Floats({1, 1, 4}, {5, 1, 2, 7})}), (Doubles{5, 0, 0, 7}));
  OnnxBuilder wider(11);
  wider.Input("p", {1, 1, 2}).Input("i", {1, 1, 2}, TensorProto::INT64).Output("y");
  wider.Int64s("shape", {1, 1, 5});
  wider.Node("MaxUnpool", {"p", "i", "shape"}, {"y"},
             {{"kernel_shape", Int64s{2}}, {"strides", Int64s{2}}});
  EXPECT_EQ(
      Answer(wider, {Floats({1, 1, 2}, {5, 7}), Tensor::Of<int64_t>({1, 1, 2}, Int64s{0, 3})}),
      (Doubles{5, 0, 0, 7, 0}));
  OnnxBuilder hostile(11);
  hostile.Input("p", {1, 1, 2}).Input("i", {1, 1, 2}, TensorProto::INT64).Output("y");
  hostile.Node("MaxUnpool", {"p", "i"}, {"y"},
               {{"kernel_shape", Int64s{2}}, {"strides", Int64s{INT64_MAX}}});
  EXPECT_NE(hostile.Import().status().code(), StatusCode::kOk);
}

TEST(ImportSelectionTest, RmsNormalization) {
  OnnxBuilder builder(23);
  builder.Input("x", {1, 2}).Weight("s", {2}, {1, 10}).Output("y");
  builder.Node("RMSNormalization", {"x", "s"}, {"y"}, {{"epsilon", 0.0f}});
  const Doubles y = Answer(builder, {Floats({1, 2}, {1, 7})});
  ASSERT_EQ(y.size(), 2u);
  EXPECT_NEAR(y[0], 0.2, 1e-6);
  EXPECT_NEAR(y[1], 14, 1e-5);
}

}  // namespace
}  // namespace pleat::converter
