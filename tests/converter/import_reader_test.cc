// Bytes that are no model, or one Pleat does not know.
#include <gtest/gtest.h>

#include "converter/convert.h"
#include "converter/onnx_reader.h"
#include "converter/wire_scan.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::Status;
using runtime::StatusCode;
using tests::OnnxBuilder;

Status Read(const std::string& bytes) { return ReadOnnx(std::as_bytes(std::span(bytes))).status(); }

OnnxBuilder Small(int64_t opset = 17, int64_t ir_version = 8) {
  OnnxBuilder builder(opset, ir_version);
  builder.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("y");
  return builder;
}

void ExpectInvalid(const Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(OnnxReaderTest, ReadsAModel) {
  EXPECT_TRUE(Read(Small().Bytes()).ok()) << Read(Small().Bytes()).message();
}

TEST(OnnxReaderTest, LimitsAreTheCallers) {
  OnnxBuilder two(17, 8);
  two.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Node("Neg", {"y"}, {"z"}).Output("z");
  const std::string bytes = two.Bytes();
  const auto data = std::as_bytes(std::span(bytes));
  ConvertOptions options;
  options.limits = {.file_bytes = std::ssize(bytes), .nodes = 2};
  EXPECT_TRUE(ImportOnnx(data, options).ok());
  options.limits.nodes = 1;
  EXPECT_EQ(ImportOnnx(data, options).status().code(), StatusCode::kLimitExceeded);
  options.limits = {.file_bytes = std::ssize(bytes) - 1};
  const Status status = ImportOnnx(data, options).status();
  EXPECT_EQ(status.code(), StatusCode::kLimitExceeded);
  EXPECT_NE(status.message().find(std::to_string(bytes.size())), std::string::npos)
      << status.message();
}

TEST(OnnxReaderTest, NamesWhatIsNotAModel) {
  ExpectInvalid(Read(""), "empty");
  ExpectInvalid(Read(" \n"), "empty");
  ExpectInvalid(Read("version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "Git LFS");
  ExpectInvalid(Read(std::string("\x7f") + "ELF\x02\x01\x01"), "ELF");
  ExpectInvalid(Read("PK\x03\x04zip"), "zip");
  ExpectInvalid(Read("<!DOCTYPE html><html></html>"), "HTML");
  ExpectInvalid(Read("{\"ir_version\": 8}"), "JSON");
  ExpectInvalid(Read("hello there, this is text"), "not protobuf");
}

TEST(OnnxReaderTest, EveryTruncationIsRefused) {
  const std::string bytes = Small().Bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Status status = Read(bytes.substr(0, length));
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << length << ": " << status.message();
  }
}

TEST(OnnxReaderTest, EveryFlippedByteIsAnswered) {
  const std::string bytes = Small().Bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const auto graph = ImportOnnx(std::as_bytes(std::span(damaged)), {});
      EXPECT_TRUE(graph.ok() || !graph.status().message().empty());
    }
  }
}

TEST(OnnxReaderTest, StatesTheVersionsItKnows) {
  EXPECT_EQ(Read(Small(17, 2).Bytes()).code(), StatusCode::kUnsupported);
  EXPECT_EQ(Read(Small(17, 15).Bytes()).code(), StatusCode::kUnsupported);
  EXPECT_TRUE(Read(Small(17, 3).Bytes()).ok());
  EXPECT_TRUE(Read(Small(17, 14).Bytes()).ok());
  EXPECT_EQ(Read(Small(0).Bytes()).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Read(Small(-3).Bytes()).code(), StatusCode::kInvalidModel);
  const Status newer = Read(Small(kNewestOpset + 1).Bytes());
  EXPECT_EQ(newer.code(), StatusCode::kUnsupported);
  EXPECT_NE(newer.message().find(std::to_string(kNewestOpset + 1)), std::string::npos);
  EXPECT_NE(newer.message().find("1 to " + std::to_string(kNewestOpset)), std::string::npos);
}

TEST(OnnxReaderTest, NeedsAGraphAndOneOperatorSet) {
  OnnxBuilder no_graph = Small();
  no_graph.model().clear_graph();
  ExpectInvalid(Read(no_graph.Bytes()), "no graph");
  OnnxBuilder no_opset = Small();
  no_opset.model().clear_opset_import();
  ExpectInvalid(Read(no_opset.Bytes()), "no operator set");
  OnnxBuilder twice = Small();
  twice.model().add_opset_import()->set_version(16);
  ExpectInvalid(Read(twice.Bytes()), "twice");
}

TEST(WireScanTest, CountsObjectsBeforeTheyAreMade) {
  const std::string bytes = Small().Bytes();
  const auto scan = [&](int64_t objects) {
    return ScanModelWire(std::as_bytes(std::span(bytes)), {.max_objects = objects});
  };
  int64_t needed = 0;
  while (!scan(needed).ok()) {
    EXPECT_EQ(scan(needed).code(), StatusCode::kLimitExceeded);
    ASSERT_LT(++needed, 100);
  }
  // graph, node, two names, input, its type, tensor, shape, size, output with type and tensor type,
  // operator set
  EXPECT_EQ(needed, 13);
}

TEST(WireScanTest, LimitsNesting) {
  onnx::GraphProto graph;
  for (int i = 0; i < 30; ++i) {
    onnx::GraphProto outer;
    *outer.add_node() = tests::NodeProtoOf("If", {"c"}, {"y"}, {{"then_branch", graph}});
    graph = outer;
  }
  OnnxBuilder builder;
  builder.graph() = graph;
  const std::string bytes = builder.Bytes();
  EXPECT_TRUE(ScanModelWire(std::as_bytes(std::span(bytes)), {}).ok());
  const Status status = ScanModelWire(std::as_bytes(std::span(bytes)), {.max_depth = 50});
  EXPECT_EQ(status.code(), StatusCode::kLimitExceeded);
}

}  // namespace
}  // namespace pleat::converter
