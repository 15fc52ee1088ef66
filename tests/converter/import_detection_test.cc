// Operators of detection and segmentation, losses, and forms that newer operator sets added. Where
// numbers do not speak for themselves they are those of ONNX's reference evaluator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/converter/onnx_builder.h"
#include "tests/support/random.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;

void ExpectNear(const Doubles& got, const Doubles& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

Tensor Counting(runtime::Shape shape) {
  std::vector<float> values(static_cast<size_t>(runtime::ElementCount(shape)));
  std::iota(values.begin(), values.end(), 0.0f);
  return Floats(std::move(shape), values);
}

TEST(ImportDetectionTest, AffineGridPlacesElementsOrCorners) {
  const auto grid = [](int64_t align_corners) {
    OnnxBuilder builder(20);
    builder.Input("t", {1, 2, 3}).Int64s("s", {1, 1, 2, 2}).Output("y");
    builder.Node("AffineGrid", {"t", "s"}, {"y"}, {{"align_corners", align_corners}});
    return builder;
  };
  const Tensor theta = Floats({1, 2, 3}, {1, 0, 0.5f, 0, 2, -1});
  ExpectNear(Answer(grid(0), {theta}), {0, -2, 1, -2, 0, 0, 1, 0});
  ExpectNear(Answer(grid(1), {theta}), {-0.5, -3, 1.5, -3, -0.5, 1, 1.5, 1});
}

TEST(ImportDetectionTest, GridSampleModesUnderBothNames) {
  const auto sample = [](int64_t opset, const Attributes& attributes) {
    OnnxBuilder builder(opset);
    builder.Input("x", {1, 1, 2, 2}).Weight("g", {1, 1, 2, 2}, {0, 0, -1.5f, -0.5f}).Output("y");
    builder.Node("GridSample", {"x", "g"}, {"y"}, attributes);
    return builder;
  };
  const Tensor x = Floats({1, 1, 2, 2}, {1, 2, 3, 4});
  ExpectNear(Answer(sample(16, {}), {x}), {2.5, 0});
  ExpectNear(Answer(sample(20, {{"mode", std::string("linear")}}), {x}), {2.5, 0});
  ExpectNear(Answer(sample(16, {{"padding_mode", std::string("border")}}), {x}), {2.5, 1});
  ExpectNear(Answer(sample(22, {{"mode", std::string("nearest")},
                                {"align_corners", int64_t{1}},
                                {"padding_mode", std::string("reflection")}}),
                    {x}),
             {1, 1});
  EXPECT_EQ(sample(20, {{"mode", std::string("fancy")}}).Import().status().code(),
            StatusCode::kInvalidModel);
}

TEST(ImportDetectionTest, DeformConvMovesItsSamples) {
  OnnxBuilder builder(22);
  std::vector<float> offsets(32, 0), mask(16, 1);
  offsets[0] = 0.5f;
  offsets[21] = -0.1f;
  mask[15] = 0.5f;
  builder.Input("x", {1, 1, 3, 3}).Weight("w", {1, 1, 2, 2}, {1, 1, 1, 1});
  builder.Weight("o", {1, 8, 2, 2}, offsets).Weight("m", {1, 4, 2, 2}, mask).Weight("b", {1}, {1});
  builder.Node("DeformConv", {"x", "w", "o", "b", "m"}, {"y"}, {{"kernel_shape", Int64s{2, 2}}});
  builder.Output("y");
  ExpectNear(Answer(builder, {Counting({1, 1, 3, 3})}), {10.5, 12.9, 21, 21});
}

TEST(ImportDetectionTest, RoiAlignBeforeAndAfterHalfPixels) {
  const auto align = [](int64_t opset) {
    OnnxBuilder builder(opset);
    builder.Input("x", {1, 1, 4, 4}).Weight("r", {1, 4}, {1, 1, 3, 3}).Int64s("i", {0}).Output("y");
    builder.Node("RoiAlign", {"x", "r", "i"}, {"y"}, {{"sampling_ratio", int64_t{1}}});
    return builder;
  };
  ExpectNear(Answer(align(10), {Counting({1, 1, 4, 4})}), {10});
  ExpectNear(Answer(align(16), {Counting({1, 1, 4, 4})}), {7.5});
}

TEST(ImportDetectionTest, NonMaxSuppressionOfKnownBoxes) {
  OnnxBuilder builder(11);
  builder.Weight("b", {1, 3, 4}, {0, 0, 1, 1, 0, 0, 1, 1.1f, 0, 5, 1, 6});
  builder.Weight("s", {1, 1, 3}, {0.5f, 0.9f, 0.3f}).Int64s("n", {3}).Weight("i", {1}, {0.5f});
  builder.Input("x", {1}, TensorProto::INT64).Output("y", TensorProto::INT64);
  builder.Node("NonMaxSuppression", {"b", "s", "n", "i"}, {"c"}).Node("Add", {"c", "x"}, {"y"});
  EXPECT_EQ(Answer(builder, {Tensor::Vector<int64_t>({0})}), (Doubles{0, 0, 1, 0, 0, 2}));
}

TEST(ImportDetectionTest, Col2ImAddsUpWindows) {
  OnnxBuilder builder(18);
  builder.Input("x", {1, 4, 4}).Int64s("p", {3, 3}).Int64s("b", {2, 2}).Output("y");
  builder.Node("Col2Im", {"x", "p", "b"}, {"y"});
  const std::vector<float> ones(16, 1);
  EXPECT_EQ(Answer(builder, {Floats({1, 4, 4}, ones)}), (Doubles{1, 2, 1, 2, 4, 2, 1, 2, 1}));
  OnnxBuilder padded(18);
  padded.Input("x", {1, 2, 3}).Int64s("p", {3}).Int64s("b", {2}).Output("y");
  padded.Node("Col2Im", {"x", "p", "b"}, {"y"},
              {{"pads", Int64s{1, 2}}, {"strides", Int64s{2}}, {"dilations", Int64s{1}}});
  EXPECT_EQ(Answer(padded, {Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6})}), (Doubles{4, 2, 5}));
}

TEST(ImportDetectionTest, CenterCropPadBothWays) {
  OnnxBuilder builder(18);
  builder.Input("x", {4, 2}).Int64s("s", {3, 5}).Node("CenterCropPad", {"x", "s"}, {"y"});
  builder.Output("y");
  EXPECT_EQ(Answer(builder, {Floats({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}),
            (Doubles{0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 5, 6, 0, 0}));
}

TEST(ImportDetectionTest, ReverseSequenceByLength) {
  OnnxBuilder builder(10);
  builder.Input("x", {3, 2}).Int64s("n", {2, 3}).Node("ReverseSequence", {"x", "n"}, {"y"});
  builder.Output("y");
  EXPECT_EQ(Answer(builder, {Floats({3, 2}, {1, 2, 3, 4, 5, 6})}), (Doubles{3, 6, 1, 4, 5, 2}));
}

TEST(ImportDetectionTest, Losses) {
  const auto loss = [](const std::string& op, const Int64s& target, const Attributes& attributes) {
    OnnxBuilder builder(13);
    builder.Input("x", {2, 3}).Int64s("t", target).Weight("w", {3}, {1, 2, 3}).Output("y");
    const bool weighted = target[1] >= 0 && op[0] == 'N';
    builder.Node(op, weighted ? std::vector<std::string>{"x", "t", "w"}
                              : std::vector<std::string>{"x", "t"},
                 {"y"}, attributes);
    return builder;
  };
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  ExpectNear(Answer(loss("NegativeLogLikelihoodLoss", {2, 0}, {}), {x}), {-3.25});
  ExpectNear(Answer(loss("NegativeLogLikelihoodLoss", {2, -1}, {{"ignore_index", int64_t{-1}}}),
                    {x}),
             {-3});
  ExpectNear(Answer(loss("SoftmaxCrossEntropyLoss", {2, 0}, {{"reduction", std::string("none")}}),
                    {Floats({2, 3}, {1, 2, 3, 4, 5, 7})}),
             {0.407606, 3.169846});
}

TEST(ImportDetectionTest, FormsOfNewerOperatorSets) {
  OnnxBuilder shift(28);
  shift.Input("x", {3}, TensorProto::INT32).Input("n", {3}, TensorProto::INT32);
  shift.Node("BitShift", {"x", "n"}, {"y"}, {{"direction", std::string("RIGHT")}});
  shift.Output("y", TensorProto::INT32);
  const Tensor x = Tensor::Vector<int32_t>({-8, -8, 8}), n = Tensor::Vector<int32_t>({1, -1, 40});
  EXPECT_EQ(Answer(shift, {x, n}), (Doubles{-4, -1, 0}));
  OnnxBuilder norm(22);
  norm.Input("x", {2, 2}).Node("LpNormalization", {"x"}, {"y"}).Output("y");
  ExpectNear(Answer(norm, {Floats({2, 2}, {0, 0, 3, 4})}), {0, 0, 0.6, 0.8});
  OnnxBuilder space(28);
  space.Input("x", {1, 2, 2, 2}).Output("y");
  space.Node("SpaceToDepth", {"x"}, {"y"},
             {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}});
  EXPECT_EQ(Answer(space, {Counting({1, 2, 2, 2})}), (Doubles{0, 1, 2, 3, 4, 5, 6, 7}));
  OnnxBuilder product(26);
  product.Input("x", {3}).Int64s("a", {0}).Node("CumProd", {"x", "a"}, {"y"}).Output("y");
  EXPECT_EQ(Answer(product, {Floats({3}, {2, 3, 4})}), (Doubles{2, 6, 24}));
  OnnxBuilder any(20);
  any.Input("x", {2, 2}, TensorProto::BOOL).Output("y", TensorProto::BOOL);
  any.Int64s("a", {1}).Node("ReduceMax", {"x", "a"}, {"y"}, {{"keepdims", int64_t{0}}});
  const bool truths[] = {false, true, false, false};
  EXPECT_EQ(Answer(any, {Tensor::Of<bool>({2, 2}, truths)}), (Doubles{1, 0}));
  OnnxBuilder blocked(21);
  blocked.Input("x", {1, 3}, TensorProto::UINT8).Weight("s", {1, 2}, {2, 3}).Output("y");
  blocked.Node("DequantizeLinear", {"x", "s"}, {"y"}, {{"block_size", int64_t{2}}});
  EXPECT_EQ(Answer(blocked, {Tensor::Of<uint8_t>({1, 3}, std::vector<uint8_t>{1, 2, 3})}),
            (Doubles{2, 4, 9}));
}

TEST(ImportDetectionTest, WhatIsRefusedOnPurposeSaysWhy) {
  OnnxBuilder builder(13);
  builder.Input("x", {2}).Node("RandomUniformLike", {"x"}, {"u"}).Node("Det", {"u"}, {"y"});
  builder.Output("y");
  const auto status = builder.Import().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_STREQ(status.rule(), "REFUSED_OPERATOR");
  EXPECT_NE(status.message().find("random"), std::string::npos) << status.message();
  OnnxBuilder unknown(13);
  unknown.Input("x", {2}).Node("RandomUniformLike", {"x"}, {"u"}).Node("Frob", {"x"}, {"f"});
  unknown.Node("Add", {"u", "f"}, {"y"}).Output("y");
  EXPECT_STREQ(unknown.Import().status().rule(), "UNSUPPORTED");
}

// The definition: a sum over all labels that the output has not.
Doubles SumByDefinition(const std::string& equation, const std::vector<Tensor>& inputs) {
  std::vector<std::string> terms(1);
  const size_t arrow = equation.find("->");
  for (const char c : equation.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  const std::string output = equation.substr(arrow + 2);
  std::map<char, int64_t> size, place;
  for (size_t i = 0; i < terms.size(); ++i) {
    for (size_t d = 0; d < terms[i].size(); ++d) size[terms[i][d]] = inputs[i].shape()[d];
  }
  std::string labels = output;
  int64_t outputs = 1, all = 1;
  for (const char c : output) outputs *= size[c];
  for (const auto& [label, n] : size) {
    all *= n;
    if (output.find(label) == std::string::npos) labels += label;
  }
  Doubles sums(static_cast<size_t>(outputs), 0);
  for (int64_t i = 0; i < all; ++i) {
    int64_t rest = i;
    for (size_t l = labels.size(); l-- > 0;) {
      place[labels[l]] = rest % size[labels[l]];
      rest /= size[labels[l]];
    }
    double product = 1;
    for (size_t k = 0; k < terms.size(); ++k) {
      int64_t at = 0;
      for (const char c : terms[k]) at = at * size[c] + place[c];
      product *= static_cast<double>(inputs[k].data<float>()[static_cast<size_t>(at)]);
    }
    sums[static_cast<size_t>(i / (all / outputs))] += product;
  }
  return sums;
}

TEST(ImportDetectionTest, EinsumIsItsDefinition) {
  tests::Random random(81);
  const std::map<char, int64_t> sizes = {{'a', 2}, {'b', 3}, {'c', 4}, {'d', 2}, {'e', 3}};
  for (const std::string equation :
       {"ab->ba", "ab->a", "ab->", "aab->ab", "aa->", "ab,bc->ac", "ab,bc->ca", "abc,acd->abd",
        "abc,cb->a", "ab,ab->ab", "ab,cd->abcd", "ab,cd->dbca", "abcd,cdae->be", "ab,bc,cd->ad",
        "ab,b,b->a", "a,b->ba", "a,a->", "abc,abc->c", "abd,abc,ade->ec", ",ab->b"}) {
    for (const bool known : {true, false}) {
      OnnxBuilder builder(12);
      std::vector<Tensor> inputs;
      std::vector<std::string> names;
      std::string term;
      for (const char c : equation.substr(0, equation.find("->")) + ",") {
        if (c != ',') {
          term += c;
          continue;
        }
        runtime::Shape shape;
        for (const char label : term) shape.push_back(sizes.at(label));
        const auto count = static_cast<size_t>(runtime::ElementCount(shape));
        inputs.push_back(Floats(shape, random.Values<float>(count)));
        names.push_back("x" + std::to_string(names.size()));
        builder.Input(names.back(), known ? shape : Int64s(shape.size(), -1));
        term.clear();
      }
      builder.Node("Einsum", names, {"y"}, {{"equation", equation}}).Output("y");
      SCOPED_TRACE(equation);
      ExpectNear(Answer(builder, inputs), SumByDefinition(equation, inputs));
    }
  }
}

TEST(ImportDetectionTest, EinsumWithEllipsesBroadcasts) {
  OnnxBuilder builder(12);
  builder.Input("a", {2, 1, 2}).Input("b", {3, 2}).Output("y");
  builder.Node("Einsum", {"a", "b"}, {"y"}, {{"equation", std::string("...i,...i")}});
  EXPECT_EQ(Answer(builder, {Floats({2, 1, 2}, {1, 2, 3, 4}), Floats({3, 2}, {1, 0, 0, 1, 1, 1})}),
            (Doubles{1, 2, 3, 3, 4, 7}));
  OnnxBuilder wrong(12);
  wrong.Input("a", {2, 2}).Output("y");
  wrong.Node("Einsum", {"a"}, {"y"}, {{"equation", std::string("abc->a")}});
  EXPECT_EQ(wrong.Import().status().code(), StatusCode::kInvalidModel);
}

}  // namespace
}  // namespace pleat::converter
