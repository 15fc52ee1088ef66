// Convolutions and pools.
#include <gtest/gtest.h>

#include <complex>
#include <numbers>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::StatusCode;
using runtime::fb::AutoPad;
using tests::Answer;
using tests::Attributes;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

using Int64s = std::vector<int64_t>;

OnnxBuilder Conv(const Attributes& attributes, std::vector<int64_t> weight_dims = {1, 1, 2, 2}) {
  OnnxBuilder builder;
  int64_t count = 1;
  for (const int64_t dim : weight_dims) count *= dim;
  builder.Input("x", {1, 1, 3, 3}).Output("y");
  builder.Weight("w", weight_dims, std::vector<float>(static_cast<size_t>(count), 1));
  builder.Node("Conv", {"x", "w"}, {"y"}, attributes);
  return builder;
}

const std::vector<float> kImage = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(ImportWindowTest, ConvReadsItsWindow) {
  const Result<Graph> graph = Conv({{"strides", Int64s{2, 1}},
                                    {"pads", Int64s{0, 1, 2, 3}},
                                    {"dilations", Int64s{1, 2}},
                                    {"group", int64_t{1}}})
                                  .Import();
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const auto* conv = graph->nodes[0].As<runtime::fb::ConvT>();
  EXPECT_EQ(conv->window->kernel, (Int64s{2, 2}));
  EXPECT_EQ(conv->window->strides, (Int64s{2, 1}));
  EXPECT_EQ(conv->window->pads, (Int64s{0, 1, 2, 3}));
  EXPECT_EQ(conv->window->dilations, (Int64s{1, 2}));
  EXPECT_EQ(Answer(Conv({}), {Floats({1, 1, 3, 3}, kImage)}),
            (std::vector<double>{12, 16, 24, 28}));
}

TEST(ImportWindowTest, AutoPadReplacesPads) {
  const OnnxBuilder same = Conv({{"auto_pad", "SAME_UPPER"}, {"pads", Int64s{0, 0, 0, 0}}});
  const Result<Graph> graph = same.Import();
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const auto* conv = graph->nodes[0].As<runtime::fb::ConvT>();
  EXPECT_EQ(conv->window->auto_pad, AutoPad::SameUpper);
  EXPECT_TRUE(conv->window->pads.empty());
  EXPECT_EQ(Answer(same, {Floats({1, 1, 3, 3}, kImage)}),
            (std::vector<double>{12, 16, 9, 24, 28, 15, 15, 17, 9}));
}

TEST(ImportWindowTest, RefusesBadWindows) {
  const std::vector<std::pair<Attributes, std::string>> cases = {
      {{{"strides", Int64s{0, 1}}}, "strides holds 0"},
      {{{"strides", Int64s{1}}}, "strides has 1 numbers"},
      {{{"strides", Int64s{1, int64_t{1} << 62}}}, "strides holds"},
      {{{"dilations", Int64s{1, -1}}}, "dilations holds -1"},
      {{{"pads", Int64s{1, 1}}}, "pads has 2 numbers"},
      {{{"pads", Int64s{1, 1, -1, 1}}}, "pads holds -1"},
      {{{"kernel_shape", Int64s{3, 3}}}, "kernel_shape is [3,3]"},
      {{{"auto_pad", "SAME"}}, "auto_pad 'SAME'"},
      {{{"group", int64_t{0}}}, "group is 0"},
      {{{"group", int64_t{2}}}, "y_node (Conv)"},
  };
  for (const auto& [attributes, part] : cases) {
    const Status status = Conv(attributes).Import().status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  EXPECT_EQ(Conv({}, {1, 1}).Import().status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Conv({}, {1, 2, 2, 2}).Import().status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Conv({}, {1, 1, 2, 2, 2}).Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportWindowTest, ConvTransposeWithOutputPadding) {
  OnnxBuilder builder;
  builder.Input("x", {1, 1, 2}).Weight("w", {1, 1, 2}, {1, 10}).Weight("b", {1}, {0.5f});
  builder.Node("ConvTranspose", {"x", "w", "b"}, {"y"},
               {{"strides", Int64s{2}}, {"output_padding", Int64s{1}}});
  builder.Output("y");
  EXPECT_EQ(Answer(builder, {Floats({1, 1, 2}, {1, 2})}),
            (std::vector<double>{1.5, 10.5, 2.5, 20.5, 0.5}));
}

TEST(ImportWindowTest, Pools) {
  const auto pool = [](const std::string& op, const Attributes& attributes) {
    OnnxBuilder builder;
    builder.Input("x", {1, 1, 3, 3}).Node(op, {"x"}, {"y"}, attributes).Output("y");
    return builder;
  };
  const auto image = Floats({1, 1, 3, 3}, kImage);
  const Int64s two = {2, 2};
  EXPECT_EQ(Answer(pool("MaxPool", {{"kernel_shape", two}}), {image}),
            (std::vector<double>{5, 6, 8, 9}));
  EXPECT_EQ(Answer(pool("AveragePool",
                        {{"kernel_shape", two}, {"strides", two}, {"ceil_mode", int64_t{1}}}),
                   {image}),
            (std::vector<double>{3, 4.5, 7.5, 9}));
  EXPECT_EQ(Answer(pool("AveragePool", {{"kernel_shape", two},
                                        {"strides", two},
                                        {"pads", Int64s{1, 1, 0, 0}},
                                        {"count_include_pad", int64_t{1}}}),
                   {image}),
            (std::vector<double>{0.25, 1.25, 2.75, 7}));
  EXPECT_EQ(Answer(pool("GlobalAveragePool", {}), {image}), (std::vector<double>{5}));
  EXPECT_EQ(Answer(pool("GlobalMaxPool", {}), {image}), (std::vector<double>{9}));
  EXPECT_EQ(Answer(pool("LpPool", {{"kernel_shape", two}, {"p", int64_t{1}}}), {image}),
            (std::vector<double>{12, 16, 24, 28}));
  EXPECT_EQ(Answer(pool("GlobalLpPool", {{"p", int64_t{1}}}), {image}), (std::vector<double>{45}));
  EXPECT_EQ(pool("MaxPool", {}).Import().status().code(), StatusCode::kInvalidModel);
}

TEST(ImportWindowTest, GlobalPoolKeepsUnknownSizes) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 2, -1, -1}).Node("GlobalAveragePool", {"x"}, {"y"}).Output("y");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Reduce");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.shape, (Shape{-1, 2, 1, 1}));
}

// Bins k of real numbers: sum of x[n] * w[n] * e^(-2 pi i k n / length).
std::vector<double> Spectrum(const std::vector<float>& x, const std::vector<float>& w,
                             size_t length, size_t bins) {
  std::vector<double> spectrum;
  for (size_t k = 0; k < bins; ++k) {
    std::complex<double> sum;
    for (size_t n = 0; n < x.size() && n < length; ++n) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(k * n) /
                           static_cast<double>(length);
      sum += double{x[n]} * double{w[n]} * std::polar(1.0, angle);
    }
    spectrum.insert(spectrum.end(), {sum.real(), sum.imag()});
  }
  return spectrum;
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST(ImportWindowTest, FourierTransformsAreProducts) {
  const std::vector<float> x = {1, -2, 3, 0.5f, 0, 7}, ones(8, 1);
  const auto transform = [&](int64_t length, const Attributes& attributes) {
    OnnxBuilder builder(20);
    builder.Input("x", {1, 6, 1}).Int64s("length", {length}).Int64s("axis", {1}).Output("y");
    builder.Node("DFT", {"x", "length", "axis"}, {"y"}, attributes);
    for (auto& tensor : *builder.graph().mutable_initializer()) tensor.clear_dims();
    return Answer(builder, {Floats({1, 6, 1}, x)});
  };
  ExpectNear(transform(6, {}), Spectrum(x, ones, 6, 6));
  ExpectNear(transform(8, {{"onesided", int64_t{1}}}), Spectrum(x, ones, 8, 5));
  ExpectNear(transform(4, {}), Spectrum(x, ones, 4, 4));
  OnnxBuilder both(17);
  both.Input("x", {-1, 6, 2, 2}).Output("y").Node("DFT", {"x"}, {"s"});
  both.Node("DFT", {"s"}, {"y"}, {{"inverse", int64_t{1}}, {"axis", int64_t{1}}});
  std::vector<float> numbers;
  for (int i = 0; i < 24; ++i) numbers.push_back(static_cast<float>(i * i % 7));
  ExpectNear(Answer(both, {Floats({1, 6, 2, 2}, numbers)}), {numbers.begin(), numbers.end()});
  for (const int64_t length : {6, 7}) {
    OnnxBuilder half(20);
    half.Input("x", {1, 6, 1}).Int64s("n", {length}).Int64s("axis", {1}).Output("y");
    half.Node("DFT", {"x", "n", "axis"}, {"s"}, {{"onesided", int64_t{1}}});
    half.Node("DFT", {"s", "n", "axis"}, {"y"}, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}});
    for (auto& tensor : *half.graph().mutable_initializer()) tensor.clear_dims();
    std::vector<double> expected(x.begin(), x.end());
    expected.resize(static_cast<size_t>(length), 0);
    ExpectNear(Answer(half, {Floats({1, 6, 1}, x)}), expected);
  }
  OnnxBuilder back(17);
  back.Input("x", {1, 4, 2}).Output("y");
  back.Node("DFT", {"x"}, {"y"},
            {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}, {"axis", int64_t{1}}});
  const std::vector<double> spectrum = Spectrum(x, ones, 6, 4);
  ExpectNear(Answer(back, {Floats({1, 4, 2}, {spectrum.begin(), spectrum.end()})}),
             {x.begin(), x.end()});
  OnnxBuilder open(17);
  open.Input("x", {1, -1, 1}).Output("y").Node("DFT", {"x"}, {"y"});
  EXPECT_EQ(open.Import().status().code(), StatusCode::kUnsupported);
}

TEST(ImportWindowTest, ShortTimeFourierTransformsAreConvolutions) {
  const std::vector<float> x = {1, -2, 3, 0.5f, 0, 7, -1, 2}, window = {0.5f, 1, 1, 0.25f};
  OnnxBuilder builder(17);
  builder.Input("x", {1, -1, 1}).Int64s("step", {2}).Weight("w", {4}, window).Output("y");
  builder.Node("STFT", {"x", "step", "w"}, {"y"});
  builder.graph().mutable_initializer(0)->clear_dims();
  EXPECT_EQ(Ops(builder.Import()), "Reshape Conv Transpose Reshape");
  std::vector<double> expected;
  for (const size_t at : {0, 2, 4}) {
    const auto first = x.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<double> frame = Spectrum({first, first + 4}, window, 4, 3);
    expected.insert(expected.end(), frame.begin(), frame.end());
  }
  ExpectNear(Answer(builder, {Floats({1, 8, 1}, x)}), expected);
}

TEST(ImportWindowTest, WindowsOfKnownSizeAreConstants) {
  OnnxBuilder builder(17);
  builder.Input("x", {4}).Int64s("size", {4}).Output("y");
  builder.graph().mutable_initializer(0)->clear_dims();
  builder.Node("HannWindow", {"size"}, {"w"}).Node("Mul", {"x", "w"}, {"y"});
  EXPECT_EQ(Ops(builder.Import()), "Binary");
  ExpectNear(Answer(builder, {Floats({4}, {1, 1, 1, 1})}), {0, 0.5, 1, 0.5});
}

TEST(ImportWindowTest, MelWeightsAreTriangles) {
  OnnxBuilder builder(17);
  builder.Int64s("mels", {2}).Int64s("length", {16}).Int64s("rate", {8000});
  builder.Weight("low", {}, {0}).Weight("high", {}, {4000}).Input("x", {1, 9}).Output("y");
  builder.Node("MelWeightMatrix", {"mels", "length", "rate", "low", "high"}, {"m"});
  builder.Node("MatMul", {"x", "m"}, {"y"});
  EXPECT_EQ(Ops(builder.Import()), "MatMul");
  // Edges at 0, 427, 1114 and 2220 Hz are bins 0, 0, 2 and 4: 17 / 8000 of them a Hz.
  const std::vector<double> third = Answer(builder, {Floats({1, 9}, {0, 0, 0, 1, 0, 0, 0, 0, 0})});
  ASSERT_EQ(third.size(), 2u);
  EXPECT_NEAR(third[0], 0, 1e-6);
  EXPECT_NEAR(third[1], 0.5, 1e-6);
  EXPECT_EQ(Answer(builder, {Floats({1, 9}, {1, 0, 0, 0, 0, 0, 0, 0, 0})}),
            (std::vector<double>{1, 0}));
}

}  // namespace
}  // namespace pleat::converter
