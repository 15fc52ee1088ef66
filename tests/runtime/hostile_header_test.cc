// .pleat files with one thing of their header or graph changed and the checksums put right.
#include <gtest/gtest.h>

#include "runtime/session.h"
#include "tests/support/model_bytes.h"

namespace pleat::tests {
namespace {

using runtime::ElementType;
using runtime::Graph;
using runtime::kNoValue;
using runtime::MakeNode;
using runtime::Model;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::ValueId;
namespace fb = runtime::fb;

StatusCode Load(const FileBytes& file) { return Model::FromBytes(file).status().code(); }

// x + a -> h, h * b -> y: values 0 to 4 are x, a, b, h, y.
FileBytes Small() {
  Graph graph;
  const ValueId x = graph.AddValue("x", {ElementType::kFloat32, true, {4}});
  const ValueId a = graph.AddConstant("a", Tensor::Vector<float>({1, 2, 3, 4}));
  const ValueId b = graph.AddConstant("b", Tensor::Vector<float>({5, 6, 7, 8}));
  const ValueId h = graph.AddValue("h"), y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  fb::BinaryT mul;
  mul.kind = fb::BinaryKind::Mul;
  graph.nodes.push_back(MakeNode("add", fb::BinaryT(), {x, a}, {h}));
  graph.nodes.push_back(MakeNode("mul", std::move(mul), {h, b}, {y}));
  return BytesOf(SerializeGraph(graph));
}

template <class Edit>
StatusCode LoadEdited(Edit&& edit) {
  return Load(Edited(Small(), edit));
}

TEST(HostileHeader, MagicVersionFeaturesAndSizes) {
  const FileBytes file = Small();
  ASSERT_EQ(Load(file), StatusCode::kOk);
  const auto with = [&](size_t at, uint64_t value, size_t bytes = 8) {
    FileBytes changed = file;
    std::memcpy(changed.data() + at, &value, bytes);
    RepairChecksums(changed);
    return Load(changed);
  };
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(with(i, 'x', 1), StatusCode::kInvalidModel);
  // As text editors and FTP's text mode leave it.
  EXPECT_EQ(with(6, '\n', 1), StatusCode::kInvalidModel);
  for (const uint64_t version : {uint64_t{0}, uint64_t{2}, uint64_t{1} << 24, uint64_t{0xffffffff}}) {
    EXPECT_EQ(with(8, version, 4), StatusCode::kUnsupported) << version;
  }
  EXPECT_EQ(with(12, 1, 4), StatusCode::kOk);
  for (int bit = 1; bit < 32; ++bit) {
    EXPECT_EQ(with(12, uint64_t{1} << bit, 4), StatusCode::kUnsupported);
    EXPECT_EQ(with(12, uint64_t{1} << bit | 1, 4), StatusCode::kUnsupported);
  }
  for (const size_t field : {16, 24, 32, 40}) {
    const uint64_t right = HeaderField(file, field);
    for (const uint64_t value :
         {uint64_t{0}, right + 1, right - 1, right + 64, right - 64, uint64_t{1} << 32,
          uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 63, ~right}) {
      // A byte of padding more or less in the graph section harms nobody.
      if (value == right || (field == 24 && value - right + 1 <= 2)) continue;
      EXPECT_EQ(with(field, value), StatusCode::kInvalidModel) << field;
    }
  }
  FileBytes swapped = file;  // the other byte order
  for (const size_t field : {16, 24, 32, 40}) {
    SetHeaderField(swapped, field, __builtin_bswap64(HeaderField(file, field)));
  }
  RepairChecksums(swapped);
  EXPECT_EQ(Load(swapped), StatusCode::kInvalidModel);
  FileBytes noisy = file;  // bytes that must be zero
  noisy[100] = std::byte{1};
  EXPECT_EQ(Load(noisy), StatusCode::kInvalidModel);
}

TEST(HostileHeader, ChecksumsOfZeroAreNoPass) {
  for (const size_t at : {48, 56, 64}) {
    for (const uint64_t value : {uint64_t{0}, ~uint64_t{0}}) {
      FileBytes file = Small();
      SetHeaderField(file, at, value);
      if (at != 64) SetHeaderField(file, 64, runtime::HashBytes(std::span(file).first(64)));
      EXPECT_EQ(Load(file), StatusCode::kInvalidModel) << at;
    }
  }
}

TEST(HostileHeader, ConstantsLieWhereTheyBelong) {
  ASSERT_EQ(LoadEdited([](fb::GraphT&) {}), StatusCode::kOk);
  const auto place = [](uint64_t offset, uint64_t bytes) {
    return LoadEdited([&](fb::GraphT& graph) {
      graph.values[2]->data_offset = offset;
      graph.values[2]->data_bytes = bytes;
    });
  };
  EXPECT_EQ(place(64, 16), StatusCode::kOk);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{16}, uint64_t{63}, uint64_t{128},
                                uint64_t{1} << 32, ~uint64_t{0}, ~uint64_t{0} - 15}) {
    EXPECT_EQ(place(offset, 16), StatusCode::kInvalidModel) << offset;
  }
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{15}, uint64_t{17}, ~uint64_t{0}}) {
    EXPECT_EQ(place(64, bytes), StatusCode::kInvalidModel) << bytes;
  }
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) { graph.values[2]->shape = {-1}; }),
            StatusCode::kInvalidModel);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) { graph.values[2]->constant = false; }),
            StatusCode::kInvalidModel);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) { graph.values[0]->element = 200; }),
            StatusCode::kInvalidModel);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) {
              graph.values[0]->shape = {int64_t{1} << 40, int64_t{1} << 40};
            }),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) { graph.values[0]->shape.assign(9, 1); }),
            StatusCode::kLimitExceeded);
}

TEST(HostileHeader, ValuesAreMadeOnceBeforeTheyAreRead) {
  const auto refused = [](auto edit) { return LoadEdited(edit) == StatusCode::kInvalidModel; };
  EXPECT_TRUE(refused([](fb::GraphT& g) { std::swap(g.nodes[0], g.nodes[1]); }));
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[0]->inputs[0] = 3; }));  // its own output
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[0]->inputs[0] = 4; }));  // a cycle
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[1]->outputs[0] = 1; }));  // a constant
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[1]->outputs[0] = 0; }));  // an input
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[1]->outputs[0] = 3; }));  // made already
  for (const int index : {-3, -2, 5, 1 << 30, -(1 << 30)}) {
    EXPECT_TRUE(refused([&](fb::GraphT& g) { g.nodes[0]->inputs[0] = index; }));
    EXPECT_TRUE(refused([&](fb::GraphT& g) { g.nodes[1]->outputs[0] = index; }));
    EXPECT_TRUE(refused([&](fb::GraphT& g) { g.inputs[0] = index; }));
    EXPECT_TRUE(refused([&](fb::GraphT& g) { g.outputs[0] = index; }));
  }
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.outputs[0] = kNoValue; }));
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.inputs[0] = kNoValue; }));
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.outputs.clear(); }));
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[0]->op.Reset(); }));
  EXPECT_TRUE(refused([](fb::GraphT& g) { g.nodes[0]->outputs.clear(); }));
  EXPECT_TRUE(refused([](fb::GraphT& g) {
    g.nodes[0]->subgraphs.push_back(std::make_unique<fb::GraphT>());
  }));
}

TEST(HostileHeader, StoredShapesOfResultsAreNotRead) {
  const FileBytes file = Edited(Small(), [](fb::GraphT& graph) {
    graph.values[3]->ranked = graph.values[4]->ranked = true;
    graph.values[3]->shape = {1'000'000};
    graph.values[4]->shape = {1, 1, 1};
    graph.values[4]->element = static_cast<uint8_t>(ElementType::kInt8);
  });
  const auto model = Model::FromBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(runtime::TypeText((*model)->graph().values[4].type), "float32[4]");
  runtime::Session session(*model, {});
  const auto outputs = session.Run({Tensor::Vector<float>({0, 0, 0, 1})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ(ToDoubles((*outputs)[0]), (std::vector<double>{5, 12, 21, 40}));
}

TEST(HostileHeader, NamesOfInputsAreDifferent) {
  const auto two_inputs = [](const std::string& second) {
    return LoadEdited([&](fb::GraphT& graph) {
      graph.values.push_back(std::make_unique<fb::ValueT>());
      graph.values.back()->name = second;
      graph.inputs.push_back(5);
    });
  };
  EXPECT_EQ(two_inputs("z"), StatusCode::kOk);
  EXPECT_EQ(two_inputs("x"), StatusCode::kInvalidModel);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) { graph.values[0]->symbols.assign(3, "n"); }),
            StatusCode::kInvalidModel);
  EXPECT_EQ(LoadEdited([](fb::GraphT& graph) {
              graph.values[0]->name = std::string("\xff\x1b[31m\0\n", 8);
            }),
            StatusCode::kOk);
}

}  // namespace
}  // namespace pleat::tests
