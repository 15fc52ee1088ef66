// Bad inputs of tests/catalogue.txt: bytes that are no model (A) and graphs that are no network (B).
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "converter/onnx_reader.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Status;
using runtime::StatusCode;
using tests::OnnxBuilder;

Status Import(const std::string& bytes) {
  return ImportOnnx(std::as_bytes(std::span(bytes)), {}).status();
}

void ExpectStatus(const Status& status, StatusCode code, const std::string& part = "") {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  EXPECT_LT(status.message().size(), 2000u);
}

OnnxBuilder Small() {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("y");
  return builder;
}

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string Tag(uint64_t number, uint64_t wire) { return Varint(number << 3 | wire); }
std::string Field(uint64_t number, const std::string& content) {
  return Tag(number, 2) + Varint(content.size()) + content;
}

TEST(Catalogue, A1_AlmostNothing) {
  for (const char* bytes : {"", " ", "\n\n\t", "x"}) {
    ExpectStatus(Import(bytes), StatusCode::kInvalidModel, "not an ONNX model");
  }
  ExpectStatus(Import(std::string(1, '\0')), StatusCode::kInvalidModel);
}

TEST(Catalogue, A3_PleatsOwnFileSaysWhatItIs) {
  ExpectStatus(Import("\x89PLEAT\r\n and more"), StatusCode::kInvalidModel, "Pleat file");
}

TEST(Catalogue, A4_AKnownFieldOfAnotherWireType) {
  // Protobuf takes it for a field nobody knows: the graph is not there.
  const std::string bytes = Tag(1, 0) + Varint(8) + Tag(7, 0) + Varint(1);
  ExpectStatus(Import(bytes), StatusCode::kInvalidModel, "no graph");
}

TEST(Catalogue, A5_Varints) {
  const std::string rest = Small().Bytes();
  const std::string negative = Tag(5, 0) + std::string(9, '\xff') + "\x01";  // model_version -1
  EXPECT_TRUE(Import(rest + negative).ok()) << Import(rest + negative).message();
  ExpectStatus(Import(rest + Tag(5, 0) + std::string(11, '\x80') + '\0'),
               StatusCode::kInvalidModel);
  ExpectStatus(Import(rest + Tag(5, 0) + std::string(3, '\xff')), StatusCode::kInvalidModel);
}

TEST(Catalogue, A6_LengthsPastTheEnd) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 31, uint64_t{1} << 32,
                                (uint64_t{1} << 63) - 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    ExpectStatus(Import(Tag(7, 2) + Varint(length) + "ab"), StatusCode::kInvalidModel, "byte");
    // Inside: the node says it is longer than the graph that holds it.
    const std::string node = Tag(1, 2) + Varint(length) + "ab";
    ExpectStatus(Import(Field(7, node) + Small().Bytes()), StatusCode::kInvalidModel, "byte");
  }
}

TEST(Catalogue, A7_TagsThatAreNone) {
  for (const uint64_t wire : {3, 4, 6, 7}) {
    ExpectStatus(Import(Small().Bytes() + Tag(30, wire)), StatusCode::kInvalidModel, "byte");
  }
  ExpectStatus(Import(Small().Bytes() + Tag(0, 0) + "\x01"), StatusCode::kInvalidModel);
  ExpectStatus(Import(Small().Bytes() + Tag(uint64_t{1} << 29, 0) + "\x01"),
               StatusCode::kInvalidModel);
}

TEST(Catalogue, A8_UnknownFieldsAreSkippedAndGroupsRefused) {
  const std::string unknown = Field(999, "content") + Tag(998, 0) + Varint(7) + Tag(997, 5) +
                              "1234" + Tag(996, 1) + "12345678";
  EXPECT_TRUE(Import(Small().Bytes() + unknown).ok());
  ExpectStatus(Import(Small().Bytes() + Tag(999, 3) + Tag(999, 4)), StatusCode::kInvalidModel);
}

TEST(Catalogue, A9_NestingIsCountedNotFollowed) {
  const auto nested = [](int levels) {
    // Graph -> node -> attribute -> graph ..., from the inside out and back to front.
    std::string reversed;
    constexpr uint64_t kNumbers[] = {6, 5, 1};
    for (int i = 0; i < levels; ++i) {
      std::string head = Tag(kNumbers[i % 3], 2) + Varint(reversed.size());
      reversed.append(head.rbegin(), head.rend());
    }
    std::reverse(reversed.begin(), reversed.end());
    return Field(7, reversed);
  };
  EXPECT_NE(Import(nested(96)).code(), StatusCode::kLimitExceeded);
  ExpectStatus(Import(nested(102)), StatusCode::kLimitExceeded, "nested");
  ExpectStatus(Import(nested(300'000)), StatusCode::kLimitExceeded, "nested");
}

TEST(Catalogue, A10_FieldsGivenTwiceAreMergedAsProtobufSays) {
  OnnxBuilder tail;
  tail.model().Clear();
  tail.Node("Neg", {"y"}, {"z"}).Output("z");
  const std::string bytes = Small().Bytes() + tail.Bytes();
  const auto graph = ImportOnnx(std::as_bytes(std::span(bytes)), {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->outputs.size(), 2u);
  // The same model twice makes each value twice.
  ExpectStatus(Import(Small().Bytes() + Small().Bytes()), StatusCode::kInvalidModel);
}

TEST(Catalogue, A11_ManyEmptyMessagesAreCountedBeforeTheyAreMade) {
  std::string nodes;
  for (int i = 0; i < 4'000'000; ++i) nodes += std::string("\x0a\x00", 2);
  ExpectStatus(Import(Field(7, nodes)), StatusCode::kLimitExceeded, "messages");
}

TEST(Catalogue, A12_PackedAndUnpackedLists) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Add", {"x", "w"}, {"y"}).Output("y");
  const std::string one("\x00\x00\x80\x3f", 4), two("\x00\x00\x00\x40", 4);
  const std::string head = Tag(1, 0) + Varint(2) + Tag(2, 0) + Varint(1) + Field(8, "w");
  const std::vector<std::string> forms = {Field(4, one + two), Tag(4, 5) + one + Tag(4, 5) + two,
                                          Field(4, one) + Tag(4, 5) + two};
  for (const std::string& data : forms) {
    const std::string bytes = builder.Bytes() + Field(7, Field(5, head + data));
    const auto graph = ImportOnnx(std::as_bytes(std::span(bytes)), {});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(ToDoubles(*graph->ConstantOf(graph->nodes[0].input(1))),
              (std::vector<double>{1, 2}));
  }
}

TEST(Catalogue, A14_WhatFollowsTheModelIsRefused) {
  for (const std::string& tail : {std::string("garbage"), std::string(64, '\0'),
                                  std::string("\xff\xff\xff\xff", 4)}) {
    ExpectStatus(Import(Small().Bytes() + tail), StatusCode::kInvalidModel, "byte");
  }
}

class CatalogueFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/catalogue_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Status Read(const std::string& name) { return ReadModelFile(folder_ + "/" + name).status(); }
  std::string folder_;
};

TEST_F(CatalogueFiles, A15_AFileOverTwoGibibytesIsRefusedBeforeItIsRead) {
  std::ofstream(folder_ + "/huge.onnx") << Small().Bytes();
  std::filesystem::resize_file(folder_ + "/huge.onnx", uint64_t{3} << 30);
  ExpectStatus(Read("huge.onnx"), StatusCode::kLimitExceeded, "external data");
}

TEST_F(CatalogueFiles, A16_OnlyRegularFilesAreRead) {
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(folder_ + "/folder");
  for (const char* name : {"pipe", "folder"}) {
    ExpectStatus(Read(name), StatusCode::kIo, "regular file");
  }
  ExpectStatus(ReadModelFile("/dev/zero").status(), StatusCode::kIo, "regular file");
  ExpectStatus(Read("absent"), StatusCode::kIo, "absent");
  // A hole of 100 GiB takes no memory and no time.
  std::ofstream(folder_ + "/hole");
  std::filesystem::resize_file(folder_ + "/hole", uint64_t{100} << 30);
  ExpectStatus(Read("hole"), StatusCode::kLimitExceeded);
}

TEST(Catalogue, A18_OtherFormsOfModels) {
  ExpectStatus(Import(std::string("\x18\0\0\0ORTM\0\0\0\0", 12)), StatusCode::kInvalidModel,
               "ONNX Runtime");
  ExpectStatus(Import("ir_version: 8\ngraph {}"), StatusCode::kInvalidModel, "ONNX text");
  ExpectStatus(Import("\x1f\x8b\x08 rest"), StatusCode::kInvalidModel, "gzip");
}

TEST(Catalogue, B2_VersionsNobodyKnows) {
  for (const int64_t version : {INT64_MIN, int64_t{-1}, int64_t{0}}) {
    OnnxBuilder builder = Small();
    builder.model().set_ir_version(version);
    ExpectStatus(Import(builder.Bytes()), StatusCode::kInvalidModel, "IR version");
  }
  for (const int64_t version : {int64_t{1'000'000'000}, INT64_MAX}) {
    OnnxBuilder builder = Small();
    builder.model().set_ir_version(version);
    ExpectStatus(Import(builder.Bytes()), StatusCode::kUnsupported, "IR version");
  }
}

TEST(Catalogue, B3_OperatorSetsNobodyKnows) {
  for (const int64_t version : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1'000'000'000},
                                INT64_MAX}) {
    OnnxBuilder builder(version);
    builder.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("y");
    ExpectStatus(Import(builder.Bytes()),
                 version <= 0 ? StatusCode::kInvalidModel : StatusCode::kUnsupported,
                 "operator set");
  }
}

TEST(Catalogue, B5_ACycleOfTenThousandNodes) {
  OnnxBuilder builder;
  builder.Input("x", {2});
  constexpr int kNodes = 10'000;
  for (int i = 0; i < kNodes; ++i) {
    const std::string from = "v" + std::to_string((i + kNodes - 1) % kNodes);
    builder.Node("Add", {"x", from}, {"v" + std::to_string(i)});
  }
  builder.Output("v0");
  ExpectStatus(Import(builder.Bytes()), StatusCode::kInvalidModel, "cycle");
}

TEST(Catalogue, B7_AValueOfTheOtherBranchIsNotSeen) {
  const auto branch = [](const std::string& makes, const std::string& gives) {
    onnx::GraphProto graph;
    *graph.add_node() = tests::NodeProtoOf("Neg", {"x"}, {makes});
    graph.add_output()->set_name(gives);
    return graph;
  };
  OnnxBuilder builder;
  builder.Input("x", {2}).Input("c", {}, onnx::TensorProto::BOOL);
  builder.Node("If", {"c"}, {"y"}, {{"then_branch", branch("a", "a")},
                                    {"else_branch", branch("b", "a")}});
  builder.Output("y");
  ExpectStatus(Import(builder.Bytes()), StatusCode::kInvalidModel, "'a'");
}

TEST(Catalogue, B11_LeftOutOperandsInEveryPosition) {
  for (int gap = 0; gap < 3; ++gap) {
    OnnxBuilder builder;
    builder.Input("x", {1, 1, 4}).Weight("w", {1, 1, 2}, {1, 1}).Weight("b", {1}, {1});
    std::vector<std::string> inputs = {"x", "w", "b"};
    inputs[static_cast<size_t>(gap)] = "";
    builder.Node("Conv", inputs, {"y"}).Output("y");
    const Status status = Import(builder.Bytes());
    EXPECT_EQ(status.code(), gap == 2 ? StatusCode::kOk : StatusCode::kInvalidModel)
        << gap << status.message();
  }
  OnnxBuilder outputs;
  outputs.Input("x", {2}).Node("Relu", {"x"}, {"y", "z"}).Output("y");
  EXPECT_EQ(Import(outputs.Bytes()).code(), StatusCode::kInvalidModel);
  OnnxBuilder nothing;
  nothing.Input("x", {2}).Node("Relu", {"x"}, {""}).Node("Neg", {"x"}, {"y"}).Output("y");
  EXPECT_TRUE(Import(nothing.Bytes()).ok()) << Import(nothing.Bytes()).message();
}

TEST(Catalogue, B14_ABodysInputThatIsAnInitializerToo) {
  onnx::GraphProto body;
  for (const char* name : {"i", "c", "v"}) body.add_input()->set_name(name);
  body.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(7);
  body.mutable_input(1)->mutable_type()->mutable_tensor_type()->set_elem_type(9);
  body.mutable_input(2)->mutable_type()->mutable_tensor_type()->set_elem_type(1);
  *body.add_initializer() = tests::FloatProto({2}, {1, 2});
  body.mutable_initializer(0)->set_name("v");
  *body.add_node() = tests::NodeProtoOf("Neg", {"v"}, {"w"});
  *body.add_node() = tests::NodeProtoOf("Identity", {"c"}, {"d"});
  body.add_output()->set_name("d");
  body.add_output()->set_name("w");
  OnnxBuilder builder;
  builder.Input("x", {2}).Int64s("n", {3}).Node("Loop", {"n", "", "x"}, {"y"}, {{"body", body}});
  builder.Output("y");
  // The input is the loop's; no number of the initializer is used for it.
  const Status status = Import(builder.Bytes());
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidModel) << status.message();
}

TEST(Catalogue, B15_ASubgraphWhereNoneBelongs) {
  OnnxBuilder builder;
  builder.Input("x", {2});
  builder.Node("Relu", {"x"}, {"y"}, {{"body", onnx::GraphProto()}}).Output("y");
  const Status status = Import(builder.Bytes());
  EXPECT_TRUE(status.code() == StatusCode::kInvalidModel ||
              status.code() == StatusCode::kUnsupported);
}

TEST(Catalogue, B15_BranchesDeeperThanTheLimit) {
  onnx::GraphProto flat;
  *flat.add_node() = tests::NodeProtoOf("Neg", {"x"}, {"inner"});
  flat.add_output()->set_name("inner");
  onnx::GraphProto graph = flat;
  for (int i = 0; i < 32; ++i) {
    onnx::GraphProto outer;
    const std::string name = "v" + std::to_string(i);
    *outer.add_node() = tests::NodeProtoOf(
        "If", {"c"}, {name}, {{"then_branch", graph}, {"else_branch", flat}});
    outer.add_output()->set_name(name);
    graph = outer;
  }
  OnnxBuilder builder;
  builder.Input("x", {2}).Input("c", {}, onnx::TensorProto::BOOL);
  builder.Node("If", {"c"}, {"y"}, {{"then_branch", graph}, {"else_branch", flat}}).Output("y");
  ExpectStatus(Import(builder.Bytes()), StatusCode::kLimitExceeded);
}

TEST(Catalogue, B18_NamesThatHashAlikeStayLinear) {
  // Names of one length with shared prefixes and suffixes; the time of 4 n is not that of 16 n.
  const auto seconds = [](int nodes) {
    OnnxBuilder builder;
    builder.Input("x", {2});
    std::string from = "x";
    for (int i = 0; i < nodes; ++i) {
      const std::string number = std::to_string(1'000'000 + i);
      const std::string to = std::string(64, 'a') + number + std::string(64, 'b');
      builder.Node("Relu", {from}, {to});
      from = to;
    }
    builder.Output(from);
    const std::string bytes = builder.Bytes();
    double best = 1e9;
    for (int run = 0; run < 3; ++run) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_TRUE(Import(bytes).ok());
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      best = std::min(best, took.count());
    }
    return best;
  };
  const double small = std::max(seconds(2000), 0.002);
  EXPECT_LT(seconds(8000), 12 * small);
}

TEST(Catalogue, B19_SizesBelowZeroAndConflictingNames) {
  OnnxBuilder negative;
  negative.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("y");
  auto* shape = negative.graph().mutable_input(0)->mutable_type()->mutable_tensor_type();
  shape->mutable_shape()->mutable_dim(0)->set_dim_value(-7);
  const Status status = Import(negative.Bytes());
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidModel) << status.message();
  shape->mutable_shape()->mutable_dim(0)->set_dim_value(INT64_MAX);
  ExpectStatus(Import(negative.Bytes()), StatusCode::kLimitExceeded, "'x'");
}

TEST(Catalogue, B20_DeclaredShapesAreNotBelieved) {
  OnnxBuilder builder;
  builder.Input("x", {2, 3}).Node("Relu", {"x"}, {"y"}).Output("y");
  auto* type = builder.graph().mutable_output(0)->mutable_type()->mutable_tensor_type();
  type->mutable_shape()->add_dim()->set_dim_value(1'000'000);
  const auto graph = builder.Import();
  if (graph.ok()) {
    EXPECT_EQ(runtime::TypeText(graph->values[static_cast<size_t>(graph->outputs[0])].type),
              "float32[2,3]");
  } else {
    EXPECT_EQ(graph.status().code(), StatusCode::kInvalidModel);
  }
}

}  // namespace
}  // namespace pleat::converter
