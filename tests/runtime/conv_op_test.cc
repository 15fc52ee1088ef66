#include <gtest/gtest.h>

#include <limits>

#include "kernels/conv.h"
#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using tests::Evaluate;
using tests::Numbers;

Tensor Filled(Shape shape, float first = 1, float step = 1) {
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + step * static_cast<float>(i);
  return Tensor::Of<float>(std::move(shape), values);
}

fb::ConvT Conv(fb::WindowT window = {}) {
  fb::ConvT fields;
  fields.window = std::make_unique<fb::WindowT>(std::move(window));
  return fields;
}

fb::ConvTransposeT ConvTranspose(fb::WindowT window = {}) {
  fb::ConvTransposeT fields;
  fields.window = std::make_unique<fb::WindowT>(std::move(window));
  return fields;
}

template <class T>
Status Failure(T fields, const std::vector<Tensor>& inputs) {
  const auto result = Evaluate(std::move(fields), inputs);
  EXPECT_FALSE(result.ok());
  return result.status();
}

TEST(ConvOp, ComputesInBothLayouts) {
  fb::WindowT window;
  window.pads = {1, 0};
  // y[o] = x[o-1] + 2 x[o], channels 1.
  EXPECT_EQ(Numbers(Evaluate(Conv(window), {Filled({1, 1, 3}), Filled({1, 1, 2})})),
            (std::vector<double>{2, 5, 8}));
  auto last = Conv(window);
  last.channels_last = true;
  const auto y = Evaluate(std::move(last), {Filled({1, 3, 1}), Filled({1, 1, 2})});
  EXPECT_EQ(Numbers(y), (std::vector<double>{2, 5, 8}));
  EXPECT_EQ((*y)[0].shape(), (Shape{1, 3, 1}));
}

TEST(ConvOp, AddsBiasResidualAndActivation) {
  auto fields = Conv();
  fields.activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kClip), 0, 12);
  const std::vector<Tensor> inputs = {Filled({1, 1, 3}), Filled({2, 1, 1}, 1, -3),
                                      Filled({2}, 10, 1), Filled({1, 2, 3}, 0, 1)};
  EXPECT_EQ(Numbers(Evaluate(std::move(fields), inputs)),
            (std::vector<double>{11, 12, 12, 12, 11, 10}));
}

TEST(ConvOp, AddsTapBiasInsideTheImage) {
  fb::WindowT window;
  window.pads = {1, 1};
  const Tensor x = Filled({1, 1, 3}), w = Filled({1, 1, 3}, 0, 0);
  const Tensor taps = Tensor::Of<double>({1, 3}, std::vector<double>{1, 10, 100});
  EXPECT_EQ(Numbers(Evaluate(Conv(window), {x, w, Tensor(), Tensor(), taps})),
            (std::vector<double>{110, 111, 11}));
  fb::WindowT scatter;
  scatter.strides = {2};
  EXPECT_EQ(Numbers(Evaluate(ConvTranspose(scatter), {x, w, Tensor(), taps})),
            (std::vector<double>{1, 10, 101, 10, 101, 10, 100}));
  EXPECT_EQ(Failure(Conv(window), {x, w, Tensor(), Tensor(), Filled({1, 3})}).message(),
            "expected a tap bias of constant float64, got float32[1,3]");
  const Tensor short_taps = Tensor::Of<double>({1, 2}, std::vector<double>{1, 10});
  EXPECT_EQ(Failure(Conv(window), {x, w, Tensor(), Tensor(), short_taps}).message(),
            "tap bias: expected [1,3], got [1,2]");
}

TEST(ConvOp, ReadsThroughThePrologue) {
  fb::WindowT window;
  window.pads = {1, 0};
  const auto fields = Conv(window);
  const Tensor x = Filled({1, 2, 2}), w = Filled({1, 2, 2}, 1, 0), none = Tensor();
  const Tensor scale = Tensor::Vector<float>({2, -1}), shift = Tensor::Vector<float>({3, 3});
  const Tensor bounds = Tensor::Vector<float>({0, 6});
  // x = [[1 2] [3 4]] is read as [[5 6] [0 0]], and 0 in front of it.
  EXPECT_EQ(Numbers(Evaluate(fields, {x, w, none, none, none, scale, shift, bounds})),
            (std::vector<double>{5, 11}));
  EXPECT_EQ(Failure(fields, {x, w, none, none, none, scale}).message(),
            "expected constant shift of float32");
  EXPECT_EQ(Failure(fields, {x, w, none, none, none, scale, Filled({3})}).message(),
            "shift: expected [2], got [3]");
}

TEST(ConvOp, ReadsPackedWeights) {
  kernels::ConvProblem p;
  p.in_channels = 4;
  p.out_channels = 6;
  p.groups = 2;
  p.kernel[2] = 3;
  const Tensor x = Filled({1, 5, 4}, -3, 0.5), w = Filled({6, 2, 3}, 1, 0.25);
  std::vector<float> packed(
      static_cast<size_t>(kernels::ConvWeightElements(p, kernels::WeightLayout::kPanels16)));
  kernels::PackConvWeights(p, kernels::WeightLayout::kPanels16, w.data<float>().data(),
                           packed.data());
  auto plain = Conv();
  plain.group = 2;
  plain.channels_last = true;
  auto fields = plain;
  fields.window->kernel = {3};
  fields.weight_layout = 1;
  fields.out_channels = 6;
  EXPECT_EQ(Numbers(Evaluate(fields, {x, Tensor::Vector(packed)})),
            Numbers(Evaluate(plain, {x, w})));

  packed.pop_back();
  EXPECT_EQ(Failure(fields, {x, Tensor::Vector(packed)}).message(),
            "expected 192 packed weights, got 191");
  packed.push_back(0);
  fields.out_channels = 0;
  EXPECT_FALSE(Evaluate(fields, {x, Tensor::Vector(packed)}).ok());
  fields.out_channels = std::numeric_limits<int64_t>::max() - 1;
  EXPECT_FALSE(Evaluate(fields, {x, Tensor::Vector(packed)}).ok());
  fields.out_channels = 6;
  fields.weight_layout = 2;
  EXPECT_EQ(Failure(fields, {x, Tensor::Vector(packed)}).message(),
            "weight layout 2 does not hold 2 inputs a group");
  fields.weight_layout = 77;
  EXPECT_FALSE(Evaluate(fields, {x, Tensor::Vector(packed)}).ok());
}

TEST(ConvOp, SaysWhatDoesNotFit) {
  const Tensor x = Filled({1, 4, 5, 5});
  EXPECT_EQ(Failure(Conv(), {x, Filled({8, 3, 3, 3})}).message(),
            "weights [8,3,3,3] need 3*1 input channels, got 4");
  EXPECT_EQ(Failure(Conv(), {x, Filled({8, 4, 3})}).message(),
            "expected weights of rank 4, got float32[8,4,3]");
  EXPECT_EQ(Failure(Conv(), {x, Filled({8, 4, 1, 1}), Filled({7})}).message(),
            "bias: expected [8], got [7]");
  EXPECT_EQ(Failure(Conv(), {x, Filled({8, 4, 1, 1}), Tensor(), Filled({1, 8, 5, 4})}).message(),
            "residual: expected [1,8,5,5], got [1,8,5,4]");
  EXPECT_EQ(Failure(Conv(), {x, Tensor::Make(ElementType::kInt32, {8, 4, 1, 1})}).message(),
            "expected weights of float32 or float64, got int32");
  EXPECT_EQ(Failure(Conv(), {x, Tensor::Make(ElementType::kFloat64, {8, 4, 1, 1})}).message(),
            "expected weights of float32 as x, got float64");
  EXPECT_FALSE(Evaluate(Conv(), {x}).ok());
  EXPECT_FALSE(Evaluate(Conv(), {Filled({4, 5}), Filled({8, 4})}).ok());
  fb::WindowT window;
  window.kernel = {2, 2};
  EXPECT_FALSE(Evaluate(Conv(window), {x, Filled({8, 4, 3, 3})}).ok());
}

TEST(ConvOp, SurvivesHostileFields) {
  const int64_t huge = std::numeric_limits<int64_t>::max();
  const Tensor x = Filled({1, 4, 5, 5}), w = Filled({8, 4, 3, 3});
  for (int64_t group : {int64_t{0}, int64_t{-1}, int64_t{3}, huge}) {
    auto fields = Conv();
    fields.group = group;
    EXPECT_FALSE(Evaluate(std::move(fields), {x, w}).ok()) << group;
    auto transposed = ConvTranspose();
    transposed.group = group;
    EXPECT_FALSE(Evaluate(std::move(transposed), {x, w}).ok()) << group;
  }
  for (int64_t value : {int64_t{0}, int64_t{-1}, huge}) {
    fb::WindowT strides, dilations, pads, kernel;
    strides.strides = {value, 1};
    dilations.dilations = {1, value};
    pads.pads = {value == 0 ? -2 : value, 0, 0, 0};
    kernel.kernel = {value, value};
    for (const fb::WindowT& window : {strides, dilations, pads, kernel}) {
      EXPECT_FALSE(Evaluate(Conv(window), {x, w}).ok());
      EXPECT_FALSE(Evaluate(ConvTranspose(window), {x, w}).ok());
    }
  }
  fb::ConvT missing;
  EXPECT_EQ(Failure(std::move(missing), {x, w}).message(), "the window is missing");
  auto activation = Conv();
  activation.activation = fb::Activation(200, 0, 0);
  EXPECT_EQ(Failure(std::move(activation), {x, w}).message(), "unknown activation 200");
}

TEST(ConvOp, KeepsUnknownSizes) {
  const Node node = MakeNode("c", Conv(), {0, 1}, {2});
  std::vector<Type> inputs = {{.shape = {kUnknownDim, 3, kUnknownDim, 7}}, {.shape = {8, 3, 3, 3}}};
  const Tensor* known[] = {nullptr, nullptr};
  std::vector<Type> outputs(1);
  std::vector<Tensor> values(1);
  InferContext context{node, inputs, known, outputs, values};
  ASSERT_TRUE(RuleOf(node.op.type).infer(context).ok());
  EXPECT_EQ(outputs[0].shape, (Shape{kUnknownDim, 8, kUnknownDim, 5}));
  inputs[0].ranked = false;
  inputs[0].shape.clear();
  ASSERT_TRUE(RuleOf(node.op.type).infer(context).ok());
  EXPECT_FALSE(outputs[0].ranked);
}

TEST(ConvTransposeOp, ComputesAndChecks) {
  fb::WindowT window;
  window.strides = {2};
  // Every input adds [1, 2, 3] at twice its place.
  EXPECT_EQ(Numbers(Evaluate(ConvTranspose(window), {Filled({1, 1, 2}), Filled({1, 1, 3})})),
            (std::vector<double>{1, 2, 5, 4, 6}));
  auto shaped = ConvTranspose(window);
  shaped.output_shape = {4};
  EXPECT_EQ(Numbers(Evaluate(std::move(shaped), {Filled({1, 1, 2}), Filled({1, 1, 3})})),
            (std::vector<double>{2, 5, 4, 6}));
  auto grouped = ConvTranspose();
  grouped.group = 2;
  const auto y = Evaluate(std::move(grouped), {Filled({1, 2, 2}), Filled({2, 3, 1})});
  EXPECT_EQ(Numbers(y), (std::vector<double>{1, 2, 2, 4, 3, 6, 12, 16, 15, 20, 18, 24}));
  EXPECT_EQ(Failure(ConvTranspose(), {Filled({1, 4, 5}), Filled({3, 8, 3})}).message(),
            "weights [3,8,3] need 3 input channels, got 4");
  EXPECT_EQ(Failure(ConvTranspose(), {Filled({1, 3, 5}), Filled({3, 8, 3}), Filled({1})}).message(),
            "bias: expected [8], got [1]");
}

}  // namespace
}  // namespace pleat::runtime
