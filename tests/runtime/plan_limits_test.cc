// What planning refuses or leaves to the run, because it would take too much.
#include <gtest/gtest.h>

#include "runtime/plan.h"
#include "runtime/op.h"

namespace pleat::runtime {
namespace {

const Type kVector = {ElementType::kFloat32, true, {1, 1, kUnknownDim}};

// A convolution of three taps, each with a bias of its own, over any length.
Graph TapBiasConvolution() {
  Graph graph;
  const ValueId x = graph.AddValue("x", kVector);
  const ValueId w = graph.AddConstant("w", Tensor::Of<float>({1, 1, 3}, std::vector<float>{1, 2, 3}));
  const ValueId taps = graph.AddConstant("taps", Tensor::Of<double>({1, 3}, std::vector<double>{1, 2, 3}));
  const ValueId y = graph.AddValue("y", kVector);
  graph.inputs = {x};
  graph.outputs = {y};
  fb::ConvT fields;
  fields.window = std::make_unique<fb::WindowT>();
  fields.window->pads = {2, 2};
  graph.nodes.push_back(
      MakeNode("conv", std::move(fields), {x, w, kNoValue, kNoValue, taps}, {y}));
  return graph;
}

TEST(PlanLimits, RefusesAnOutputAboveTheArenasLimitBeforeItMakesAKernelForIt) {
  const std::vector<Shape> shapes = {{1, 1, int64_t{1} << 28}};
  const auto plan = MakePlan(TapBiasConvolution(), shapes, {.max_arena_bytes = 1 << 20});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kLimitExceeded) << plan.status().message();
  EXPECT_NE(plan.status().message().find("conv (Conv)"), std::string::npos);
}

TEST(PlanLimits, MakesNoTableOfBiasesForMillionsOfPixels) {
  const std::vector<Shape> shapes = {{1, 1, int64_t{1} << 28}};
  const auto plan = MakePlan(TapBiasConvolution(), shapes, {});
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_STREQ((*plan)->steps.at(0).kernel_name, "reference");
}

TEST(PlanLimits, LeavesToTheRunWhatTakesLongToCompute) {
  Graph graph;
  const ValueId a = graph.AddConstant("a", Tensor::Make(ElementType::kFloat32, {1024, 2048}));
  const ValueId b = graph.AddConstant("b", Tensor::Make(ElementType::kFloat32, {2048, 1024}));
  const ValueId y = graph.AddValue("y", {ElementType::kFloat32, true, {}});
  graph.outputs = {y};
  graph.nodes.push_back(MakeNode("product", fb::MatMulT{}, {a, b}, {y}));
  const auto plan = MakePlan(graph, {}, {});
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ((*plan)->steps.size(), 1u);
}

}  // namespace
}  // namespace pleat::runtime
