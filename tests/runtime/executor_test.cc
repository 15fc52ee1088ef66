// Sessions where values share bytes, come only with the run, or find no memory.
#include <gtest/gtest.h>

#include "kernels/activation.h"
#include "runtime/memory_account.h"
#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/runtime/movement_support.h"

namespace pleat::runtime {
namespace {

using tests::Counting;
using tests::Doubles;
using tests::FloatType;
using tests::Longs;
using tests::LongType;

// Grows a network of float vectors.
struct Net {
  Graph graph;

  ValueId Input(const std::string& name, Shape shape) {
    graph.inputs.push_back(graph.AddValue(name, FloatType(std::move(shape))));
    return graph.inputs.back();
  }
  ValueId Add(auto fields, std::vector<ValueId> inputs, size_t outputs = 1) {
    std::vector<ValueId> made;
    for (size_t i = 0; i < outputs; ++i) {
      made.push_back(graph.AddValue("v" + std::to_string(graph.values.size())));
    }
    const std::string name = "node" + std::to_string(graph.nodes.size());
    graph.nodes.push_back(MakeNode(name, std::move(fields), std::move(inputs), made));
    return made.back();
  }
  ValueId Neg(ValueId x) {
    fb::UnaryT fields;
    fields.activation = {static_cast<uint8_t>(kernels::UnaryKind::kNeg), 0, 0};
    return Add(std::move(fields), {x});
  }
  ValueId Numbers(const std::vector<int64_t>& numbers) {
    return graph.AddConstant("numbers", Longs(numbers));
  }
  std::shared_ptr<const Model> Make(std::vector<ValueId> outputs) {
    graph.outputs = std::move(outputs);
    const Status inferred = InferGraph(graph, /*evaluate=*/false);
    EXPECT_TRUE(inferred.ok()) << inferred.message();
    auto model = Model::FromGraph(graph);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *model : nullptr;
  }
};

Doubles Output(Session& session, const std::vector<Tensor>& inputs, size_t index = 0) {
  const auto outputs = session.Run(inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  return outputs.ok() ? ToDoubles((*outputs)[index]) : Doubles{};
}

// One output is a view of another: each buffer gets its numbers, whichever there are.
TEST(Executor, OutputsThatShareTheirBytes) {
  const Tensor x = Counting({2, 3});
  const std::vector<float> expected = {0, -1, -2, -3, -4, -5};
  for (const bool view_first : {false, true}) {
    Net net;
    const ValueId y = net.Neg(net.Input("x", {2, 3}));
    const ValueId view = net.Add(fb::ReshapeT(), {y, net.Numbers({6})});
    Session session(net.Make(view_first ? std::vector{view, y} : std::vector{y, view}), {});
    const TensorView in{x.element(), x.shape(), x.raw()};
    for (const int given : {1, 2, 3}) {
      std::vector<float> first(6), second(6);
      const std::vector<OutputBuffer> buffers = {{given & 1 ? first.data() : nullptr, 24},
                                                 {given & 2 ? second.data() : nullptr, 24}};
      ASSERT_TRUE(session.RunInto({&in, 1}, buffers).ok());
      for (size_t o = 0; o < 2; ++o) {
        const auto* numbers = static_cast<const float*>(session.Output(o).data);
        EXPECT_EQ(std::vector<float>(numbers, numbers + 6), expected) << given << " " << o;
      }
      if (given & 1) EXPECT_EQ(first, expected);
      if (given & 2) EXPECT_EQ(second, expected);
    }
  }
}

TEST(Executor, WhatIsNotThere) {
  Net net;
  const ValueId x = net.Input("x", {2}), y = net.Neg(x);
  const ValueId stray = net.graph.AddValue("stray", FloatType({2}));
  Session session(net.Make({y}), {});
  EXPECT_TRUE(session.ValueAfterRun(y).empty());
  EXPECT_EQ(session.Output(0).data, nullptr);
  EXPECT_EQ(Output(session, {Counting({2})}), (Doubles{0, -1}));
  EXPECT_EQ(ToDoubles(session.ValueAfterRun(x)), (Doubles{0, 1}));
  EXPECT_TRUE(session.ValueAfterRun(stray).empty());
  EXPECT_NE(session.Output(0).data, nullptr);
  EXPECT_EQ(session.Output(1).data, nullptr);
}

TEST(Executor, MemoryThatIsNotThere) {
  Net net;
  const ValueId x = net.Input("x", {2});
  const ValueId c = net.graph.AddConstant("c", Counting({2}));
  const ValueId y = net.Add(fb::BinaryT(), {x, net.Neg(c)});
  Session session(net.Make({y}), {});
  const Tensor in = Counting({2});
  {
    const MemoryAccount none(0);
    const auto prepared = session.Prepare(std::vector<Shape>{{2}});
    EXPECT_EQ(prepared.status().code(), StatusCode::kOutOfMemory);
    EXPECT_EQ(prepared.status().message(), "out of memory while planning");
    const TensorView view{in.element(), in.shape(), in.raw()};
    EXPECT_EQ(session.RunInto({&view, 1}, {}).code(), StatusCode::kOutOfMemory);
    const auto ran = session.Run({in});
    EXPECT_EQ(ran.status().code(), StatusCode::kOutOfMemory);
    EXPECT_EQ(ran.status().message(), "out of memory while running");
  }
  EXPECT_EQ(Output(session, {in}), (Doubles{0, 0}));
}

// How many numbers are not 0 is known only then: kernels are made for each size, and few are kept.
TEST(Executor, SizesThatComeWithTheRun) {
  Net net;
  const ValueId x = net.Input("x", {-1});
  const ValueId places = net.Add(fb::NonZeroT(), {x});
  const ValueId flat = net.Add(fb::ReshapeT(), {places, net.Numbers({-1})});
  fb::CastT fields;
  fields.to = static_cast<uint8_t>(ElementType::kFloat32);
  const ValueId y = net.Neg(net.Add(std::move(fields), {flat}));
  const ValueId largest = net.Add(fb::TopKT(), {flat, net.Numbers({1})}, 2);
  net.graph.nodes.back().outputs[0] = kNoValue;
  Session session(net.Make({y, largest}), {.max_plans = 1});
  for (const auto& [in, expected] : std::vector<std::pair<std::vector<float>, Doubles>>{
           {{1, 0, 2}, {0, -2}}, {{0, 5, 6, 7}, {-1, -2, -3}}, {{1, 0, 2}, {0, -2}}}) {
    const auto outputs = session.Run({Tensor::Vector<float>(in)});
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    EXPECT_EQ(ToDoubles((*outputs)[0]), expected);
    EXPECT_EQ(ToDoubles((*outputs)[1]), Doubles{static_cast<double>(expected.size()) - 1});
    EXPECT_TRUE(session.ValueAfterRun(places).empty()) << "freed once read";
  }
}

TEST(Executor, ViewsOfStepsInShapesThatComeWithTheRun) {
  Net net;
  const ValueId x = net.Input("x", {4});
  const ValueId step = net.Neg(x);
  const ValueId count = net.Add(fb::ShapeOfT(), {net.Add(fb::NonZeroT(), {x})});  // [1, how many]
  fb::BinaryT multiplies;
  multiplies.kind = fb::BinaryKind::Mul;
  const ValueId shape = net.Add(std::move(multiplies), {count, net.Numbers({2, 1})});
  const ValueId view = net.Add(fb::ReshapeT(), {step, shape});
  Session session(net.Make({net.Neg(view)}), {});
  const auto outputs = session.Run({Tensor::Vector<float>(std::vector<float>{1, 0, 0, 5})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ((*outputs)[0].shape(), (Shape{2, 2}));
  EXPECT_EQ(ToDoubles((*outputs)[0]), (Doubles{1, 0, 0, 5}));
  const auto other = session.Run({Tensor::Vector<float>(std::vector<float>{1, 0, 0, 0})});
  EXPECT_EQ(other.status().code(), StatusCode::kInvalidModel);
  EXPECT_NE(other.status().message().find("Reshape"), std::string::npos) << other.status().message();
}

TEST(Infer, EvaluatesWhatIsSmallAndCheap) {
  Net net;
  const ValueId c = net.graph.AddConstant("c", Counting({3})), x = net.Input("x", {3});
  fb::TopKT largest;
  const ValueId places = net.Add(std::move(largest), {net.Neg(c), net.Numbers({2})}, 2);
  const ValueId of_run = net.Add(fb::TopKT(), {x, net.Numbers({2})}, 2);
  net.graph.nodes.back().outputs[0] = kNoValue;
  fb::PoolT wide;  // four billion additions for 4096 numbers
  wide.kind = fb::PoolKind::Average;
  wide.window = std::make_unique<fb::WindowT>();
  wide.window->kernel = {1'000'000};
  wide.window->pads = {999'999, 4095};
  const ValueId pooled = net.Add(std::move(wide), {net.graph.AddConstant("one", Counting({1, 1, 1}))});
  net.graph.outputs = {places, of_run, pooled};
  const Status status = InferGraph(net.graph, /*evaluate=*/true);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(net.graph.nodes.size(), 2u);
  EXPECT_STREQ(net.graph.nodes[0].OpName(), "TopK");
  EXPECT_STREQ(net.graph.nodes[1].OpName(), "Pool");
  EXPECT_EQ(ToDoubles(*net.graph.ConstantOf(places)), (Doubles{0, 1}));
  EXPECT_EQ(net.graph.values[static_cast<size_t>(pooled)].type.shape, (Shape{1, 1, 4096}));
}

TEST(Infer, SaysWhichKnownNumbersDoNotFit) {
  Net beyond;
  const ValueId c = beyond.graph.AddConstant("c", Counting({3}));
  beyond.graph.outputs = {beyond.Add(fb::GatherT(), {c, beyond.Numbers({9})})};
  const Status status = InferGraph(beyond.graph, /*evaluate=*/true);
  EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
  EXPECT_NE(status.message().find("node0 (Gather): "), std::string::npos) << status.message();
  Net vast;
  const int64_t large = int64_t{1} << 40;
  vast.graph.outputs = {vast.Add(fb::ConstantOfShapeT(), {vast.Numbers({large, large})})};
  const Status limit = InferGraph(vast.graph, /*evaluate=*/true);
  EXPECT_EQ(limit.code(), StatusCode::kLimitExceeded) << limit.message();
}

TEST(Infer, PromotesEveryFloatAndNothingElse) {
  Net net;
  const ValueId x = net.Input("x", {2});
  std::vector<ValueId> casts;
  for (const ElementType to : {ElementType::kFloat16, ElementType::kBFloat16, ElementType::kInt32}) {
    fb::CastT fields;
    fields.to = static_cast<uint8_t>(to);
    casts.push_back(net.Add(std::move(fields), {x}));
  }
  fb::ConstantOfShapeT fill;
  fill.to = static_cast<uint8_t>(ElementType::kFloat32);
  casts.push_back(net.Add(std::move(fill), {net.Numbers({2})}));
  net.Make(casts);
  Graph wide = PromoteToDouble(net.graph);
  ASSERT_TRUE(InferGraph(wide, /*evaluate=*/false).ok());
  std::vector<ElementType> types;
  for (const ValueId id : wide.outputs) types.push_back(wide.values[static_cast<size_t>(id)].type.element);
  EXPECT_EQ(types, (std::vector{ElementType::kFloat64, ElementType::kFloat64, ElementType::kInt32,
                                ElementType::kFloat64}));
}

}  // namespace
}  // namespace pleat::runtime
