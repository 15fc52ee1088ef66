// .pleat files that only an attacker writes: valid FlatBuffers with right checksums, and wrong.
#include <gtest/gtest.h>

#include "runtime/session.h"
#include "tests/runtime/hostile_nodes.h"
#include "tests/support/model_bytes.h"

namespace pleat::tests {
namespace {

using runtime::ElementType;
using runtime::Graph;
using runtime::kNoValue;
using runtime::MakeNode;
using runtime::Model;
using runtime::Node;
using runtime::Shape;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;
namespace fb = runtime::fb;

Status Load(const FileBytes& file) { return Model::FromBytes(file).status(); }

// A graph of one node on inputs of float32; its output y may be unwanted.
template <class T>
Status LoadNode(T fields, const std::vector<Shape>& inputs, size_t outputs = 1,
                bool wanted = true) {
  Graph graph;
  std::vector<ValueId> in;
  for (const Shape& shape : inputs) {
    const std::string name = "x" + std::to_string(in.size());
    in.push_back(graph.AddValue(name, {ElementType::kFloat32, true, shape}));
    graph.inputs.push_back(in.back());
  }
  Node node = MakeNode("node", std::move(fields), in, {});
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(wanted ? graph.AddValue("y" + std::to_string(i)) : kNoValue);
  }
  graph.outputs = {wanted ? node.outputs[0] : graph.AddConstant("c", Tensor::Vector<float>({1}))};
  graph.nodes.push_back(std::move(node));
  return Load(BytesOf(SerializeGraph(graph)));
}

TEST(HostileFile, ANodeWithoutItsOperandsIsRefused) {
  EXPECT_EQ(LoadNode(fb::ReduceT(), {}).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::ArgReduceT(), {}).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::CumSumT(), {}).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::ResizeT(), {}).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::TopKT(), {}).code(), StatusCode::kInvalidModel);
  fb::PoolT pool;
  pool.window = std::make_unique<fb::WindowT>();
  EXPECT_EQ(LoadNode(std::move(pool), {}).code(), StatusCode::kInvalidModel);
}

TEST(HostileFile, ANodeWithMoreOutputsThanItsKernelWritesIsRefused) {
  fb::ConvT conv;
  conv.window = std::make_unique<fb::WindowT>();
  EXPECT_EQ(LoadNode(std::move(conv), {{1, 1, 4}, {1, 1, 2}}, 2).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::MatMulT(), {{2, 2}, {2, 2}}, 2).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::ReduceT(), {{2, 2}}, 2).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::ArgReduceT(), {{2, 2}}, 2).code(), StatusCode::kInvalidModel);
}

TEST(HostileFile, ANodeWhoseOutputsNobodyWantsIsRefused) {
  EXPECT_EQ(LoadNode(fb::IdentityT(), {{2}}, 1, false).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::SoftmaxT(), {{2}}, 1, false).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadNode(fb::SplitT(), {{2}}, 1, false).code(), StatusCode::kInvalidModel);
}

TEST(HostileFile, ATranspositionNamesEveryAxisOnceFromTheFront) {
  const auto load = [](std::vector<int64_t> perm, const Shape& x) {
    fb::TransposeT fields;
    fields.perm = std::move(perm);
    return LoadNode(std::move(fields), {x}).code();
  };
  EXPECT_EQ(load({1, 0}, {2, 3}), StatusCode::kOk);
  EXPECT_EQ(load({-1, -2}, {2, 3}), StatusCode::kInvalidModel);
  EXPECT_EQ(load({-1, 0}, {2, 3}), StatusCode::kInvalidModel);
  EXPECT_EQ(load({0, 0}, {2, 3}), StatusCode::kInvalidModel);
  EXPECT_EQ(load({0, 2}, {2, 3}), StatusCode::kInvalidModel);
  EXPECT_EQ(load({0}, {2, 3}), StatusCode::kInvalidModel);
}

TEST(HostileFile, AKernelOfMinusOneIsNoKernel) {
  fb::ConvTransposeT transposed;
  transposed.window = std::make_unique<fb::WindowT>();
  transposed.window->kernel = {-1, -1};
  transposed.output_shape = {4, 4};
  EXPECT_EQ(LoadNode(std::move(transposed), {{1, 1, 2, 2}, {1, 1, 2, 2}}).code(),
            StatusCode::kInvalidModel);
  fb::ConvT conv;
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->kernel = {-1, -1};
  EXPECT_EQ(LoadNode(std::move(conv), {{1, 1, 4, 4}, {1, 1, 2, 2}}).code(),
            StatusCode::kInvalidModel);
}

// A graph x -> Identity -> y whose x has its shape [4] at an address of our choice.
FileBytes ShapeAt(bool shifted) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int32_t> words =
      shifted ? std::vector<int32_t>{0, 1, 4, 0} : std::vector<int32_t>{1, 4, 0};
  // The list of longs begins at the word 1, its number of elements.
  const auto list = builder.CreateVector(words);
  const flatbuffers::Offset<flatbuffers::Vector<int64_t>> shape(list.o - (shifted ? 8 : 4));
  const auto x_name = builder.CreateString("x"), y_name = builder.CreateString("y");
  fb::ValueBuilder x(builder);
  x.add_name(x_name);
  x.add_shape(shape);
  const auto x_value = x.Finish();
  fb::ValueBuilder y(builder);
  y.add_name(y_name);
  const auto y_value = y.Finish();
  const auto values = builder.CreateVector(std::vector{x_value, y_value});
  const auto identity = fb::CreateIdentity(builder);
  const auto in = builder.CreateVector(std::vector<int32_t>{0});
  const auto out = builder.CreateVector(std::vector<int32_t>{1});
  const auto node = fb::CreateNode(builder, 0, fb::Op::Identity, identity.Union(), in, out);
  const auto nodes = builder.CreateVector(std::vector{node});
  fb::FinishGraphBuffer(builder, fb::CreateGraph(builder, 0, 0, values, nodes, in, out));
  return FileAround({builder.GetBufferPointer(), builder.GetSize()});
}

TEST(HostileFile, MisalignedListsAreRefused) {
  int refused = 0;
  for (const bool shifted : {false, true}) {
    const auto model = Model::FromBytes(ShapeAt(shifted));
    if (model.ok()) {
      EXPECT_EQ(runtime::TypeText((*model)->graph().values[0].type), "float32[4]");
      continue;
    }
    ++refused;
    EXPECT_NE(model.status().message().find("not aligned"), std::string::npos)
        << model.status().message();
  }
  EXPECT_EQ(refused, 1);
}

TEST(HostileFile, ListsThatShareBytesAreRefused) {
  // 1,000 values with one name of 100,000 bytes would unpack to 100 MB.
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(std::string(100'000, 'n'));
  std::vector<flatbuffers::Offset<fb::Value>> values;
  for (int i = 0; i < 1000; ++i) values.push_back(fb::CreateValue(builder, name));
  const auto list = builder.CreateVector(values);
  fb::FinishGraphBuffer(builder, fb::CreateGraph(builder, 0, 0, list));
  const Status status = Load(FileAround({builder.GetBufferPointer(), builder.GetSize()}));
  EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
  EXPECT_NE(status.message().find("share"), std::string::npos) << status.message();
}

TEST(HostileFile, TablesNamedOverAndOverAreRefused) {
  // One value that a list names a million times.
  flatbuffers::FlatBufferBuilder builder;
  const auto value = fb::CreateValue(builder);
  const auto one = builder.CreateVector(std::vector(1000, value));
  const auto inside = fb::CreateGraph(builder, 0, 0, one);
  const auto graphs = builder.CreateVector(std::vector(1000, inside));
  const auto node = fb::CreateNode(builder, 0, fb::Op::NONE, 0, 0, 0, 0, graphs);
  const auto nodes = builder.CreateVector(std::vector{node});
  fb::FinishGraphBuffer(builder, fb::CreateGraph(builder, 0, 0, 0, nodes));
  const Status status = Load(FileAround({builder.GetBufferPointer(), builder.GetSize()}));
  EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
}

TEST(HostileFile, WhatIsKnownBeforeARunCountsAgainstTheMemoryLimit) {
  Graph graph;
  const ValueId shape = graph.AddConstant("shape", Tensor::Vector<int64_t>({1 << 20}));
  const ValueId x = graph.AddValue("x", {ElementType::kFloat32, true, {1}});
  graph.inputs = {x};
  for (int i = 0; i < 8; ++i) {
    fb::ConstantOfShapeT fill;
    fill.to = static_cast<uint8_t>(ElementType::kFloat32);
    const ValueId y = graph.AddValue("y" + std::to_string(i));
    graph.nodes.push_back(MakeNode("fill", std::move(fill), {shape}, {y}));
    graph.outputs.push_back(y);
  }
  const FileBytes file = BytesOf(SerializeGraph(graph));
  const auto model = Model::FromBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<Shape> shapes = {{1}};
  runtime::Session small(*model, {.max_arena_bytes = 8 << 20});
  EXPECT_EQ(small.Prepare(shapes).status().code(), StatusCode::kLimitExceeded);
  runtime::Session large(*model, {.max_arena_bytes = 64 << 20});
  EXPECT_TRUE(large.Prepare(shapes).ok());
}

}  // namespace
}  // namespace pleat::tests
