#include "runtime/model_file.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>

#include "kernels/instruction_set.h"
#include "tests/support/random.h"

namespace pleat::runtime {
namespace {

namespace fs = std::filesystem;

// Every element type as a constant, unknown sizes, absent inputs, a fold's record.
Graph SmallGraph() {
  Graph graph;
  graph.name = "small";
  const ValueId x = graph.AddValue("x", {ElementType::kFloat32, true, {kUnknownDim, 4}});
  graph.values[0].symbols = {"batch", ""};
  const ValueId w = graph.AddConstant("w", Tensor::Of<float>({4}, std::vector<float>{1, 2, 3, 4}));
  const ValueId y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  fb::UnaryT relu;
  relu.activation = fb::Activation(1, 0, 6);
  const ValueId h = graph.AddValue("h");
  graph.nodes.push_back(MakeNode("add", fb::BinaryT{}, {x, w}, {h}));
  graph.nodes.push_back(MakeNode("relu", std::move(relu), {h}, {y}));
  graph.nodes[0].sources = {"Add_0"};
  fb::BatchNormT record;
  record.node = "bn";
  record.status = fb::FoldStatus::Folded;
  record.kind = "conv";
  graph.batch_norms.push_back(record);
  return graph;
}

std::vector<std::byte> Bytes(const std::string& text) {
  const auto span = std::as_bytes(std::span(text));
  return {span.begin(), span.end()};
}

TEST(ModelFile, RoundTripsAGraph) {
  const Graph graph = SmallGraph();
  const std::string file = SerializeGraph(graph);
  EXPECT_EQ(file, SerializeGraph(graph));
  const auto bytes = Bytes(file);
  const Result<Graph> read = ParseGraph(bytes, nullptr);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(SerializeGraph(*read).size(), file.size());
  EXPECT_EQ(read->name, "small");
  EXPECT_EQ(read->values[0].symbols, (std::vector<std::string>{"batch", ""}));
  EXPECT_EQ(ToDoubles(*read->values[1].constant), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(read->nodes[1].As<fb::UnaryT>()->activation.b(), 6);
  EXPECT_EQ(read->nodes[0].sources, (std::vector<std::string>{"Add_0"}));
  EXPECT_EQ(read->batch_norms[0].kind, "conv");
  EXPECT_EQ(TypeText(read->values[2].type), "float32[?,4]");
}

TEST(ModelFile, RefusesEveryTruncation) {
  const auto bytes = Bytes(SerializeGraph(SmallGraph()));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Result<Graph> read = ParseGraph(std::span(bytes).first(size), nullptr);
    ASSERT_FALSE(read.ok()) << size;
    ASSERT_EQ(read.status().code(), StatusCode::kInvalidModel) << size;
  }
}

TEST(ModelFile, RefusesEveryBitFlip) {
  auto bytes = Bytes(SerializeGraph(SmallGraph()));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_FALSE(ParseGraph(bytes, nullptr).ok()) << "bit " << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(ModelFile, RefusesTrailingBytes) {
  auto bytes = Bytes(SerializeGraph(SmallGraph()));
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(ParseGraph(bytes, nullptr).ok());
}

class WriteFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("pleat_file_test_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(WriteFile, ReplacesTheTargetAndLeavesNothingElse) {
  const std::string path = folder_ / "out.pleat";
  const std::string first = "first", second = "second version";
  ASSERT_TRUE(WriteFileAtomically(path, std::as_bytes(std::span(first))).ok());
  ASSERT_TRUE(WriteFileAtomically(path, std::as_bytes(std::span(second))).ok());
  std::ifstream in(path);
  std::string content((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(content, second);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(WriteFile, FailsCleanly) {
  const std::string bytes = "x";
  const auto span = std::as_bytes(std::span(bytes));
  EXPECT_EQ(WriteFileAtomically(folder_ / "no" / "out", span).code(), StatusCode::kIo);
  EXPECT_NE(WriteFileAtomically(folder_, span).message().find("is not a regular file"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder_));
  fs::create_symlink("nowhere", fs::path(folder_) / "link");
  EXPECT_EQ(WriteFileAtomically(folder_ / "link", span).code(), StatusCode::kIo);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(WriteFile, MapsRegularFilesOnly) {
  EXPECT_EQ(MapFile(folder_ / "absent").status().code(), StatusCode::kIo);
  EXPECT_EQ(MapFile(folder_).status().code(), StatusCode::kIo);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(MapFile(fifo).status().code(), StatusCode::kIo);
  EXPECT_EQ(WriteFileAtomically(fifo, {}).code(), StatusCode::kIo);
  EXPECT_TRUE(fs::is_fifo(fifo));
}

// By every instruction set, around what ends a stripe, a block and the short ones.
TEST(ModelFile, HashIsXxh3) {
  tests::Random random(8);
  std::vector<std::byte> bytes(70'000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Below(256));
  for (const std::string& set : kernels::InstructionSets()) {
    kernels::UseInstructionSet(set);
    for (const size_t size : {0u, 1u, 241u, 65535u, 65536u, 65537u, 65599u, 65600u, 65601u, 66500u,
                              66559u, 66560u, 66561u, 69000u}) {
      const auto part = std::span(bytes).subspan(size % 7, size);
      EXPECT_EQ(HashBytes(part), XXH3_64bits(part.data(), size)) << set << " " << size;
    }
  }
  kernels::UseInstructionSet(kernels::InstructionSets().front());
}

}  // namespace
}  // namespace pleat::runtime
