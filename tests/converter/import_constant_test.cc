// Weights in every storage form, and what is computed from constants during import.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "converter/import/tensor_proto.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using kernels::ElementType;
using onnx::TensorProto;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

TensorProto Raw(int type, std::vector<int64_t> dims, const std::string& bytes) {
  TensorProto proto;
  proto.set_data_type(type);
  for (const int64_t dim : dims) proto.add_dims(dim);
  proto.set_raw_data(bytes);
  return proto;
}

Status Refusal(const TensorProto& proto) { return TensorOfProto(proto, nullptr).status(); }

TEST(TensorProtoTest, RawAndTypedFieldsOfEveryType) {
  const struct {
    int onnx;
    ElementType element;
  } kTypes[] = {
      {TensorProto::INT8, ElementType::kInt8},
      {TensorProto::UINT8, ElementType::kUint8},
      {TensorProto::INT16, ElementType::kInt16},
      {TensorProto::UINT16, ElementType::kUint16},
      {TensorProto::INT32, ElementType::kInt32},
      {TensorProto::BOOL, ElementType::kBool},
      {TensorProto::FLOAT16, ElementType::kFloat16},
      {TensorProto::BFLOAT16, ElementType::kBFloat16},
  };
  for (const auto& [onnx, element] : kTypes) {
    TensorProto typed = Raw(onnx, {2}, "");
    typed.clear_raw_data();
    typed.add_int32_data(1);
    typed.add_int32_data(0);
    const Result<Tensor> from_typed = TensorOfProto(typed, nullptr);
    ASSERT_TRUE(from_typed.ok()) << from_typed.status().message();
    EXPECT_EQ(from_typed->element(), element);
    const size_t size = kernels::ElementSize(element);
    std::string raw(2 * size, '\0');
    raw[0] = 1;
    const Result<Tensor> from_raw = TensorOfProto(Raw(onnx, {2}, raw), nullptr);
    ASSERT_TRUE(from_raw.ok()) << from_raw.status().message();
    EXPECT_EQ(runtime::ToDoubles(*from_raw), runtime::ToDoubles(*from_typed));
  }
  TensorProto wide = Raw(TensorProto::UINT64, {1}, "");
  wide.add_uint64_data(uint64_t{1} << 63);
  EXPECT_EQ(TensorOfProto(wide, nullptr)->data<uint64_t>()[0], uint64_t{1} << 63);
}

TEST(TensorProtoTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {2}, "1234567")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {2}, "123456789")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {-1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {1}, "")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(0, {1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(99, {1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::STRING, {1}, "1234")).code(), StatusCode::kUnsupported);
  EXPECT_EQ(Refusal(Raw(TensorProto::COMPLEX64, {1}, "12345678")).code(), StatusCode::kUnsupported);
  const int64_t huge = int64_t{1} << 32;
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {huge, huge}, "1")).code(), StatusCode::kLimitExceeded);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, std::vector<int64_t>(9, 1), "1234")).code(),
            StatusCode::kLimitExceeded);
  TensorProto two_fields = Raw(TensorProto::FLOAT, {1}, "1234");
  two_fields.add_float_data(1);
  EXPECT_EQ(Refusal(two_fields).code(), StatusCode::kInvalidModel);
  TensorProto small = Raw(TensorProto::INT8, {1}, "");
  small.add_int32_data(128);
  EXPECT_EQ(Refusal(small).code(), StatusCode::kInvalidModel);
  TensorProto bomb = Raw(TensorProto::FLOAT, {int64_t{1} << 39}, "");
  bomb.add_float_data(1);
  EXPECT_EQ(Refusal(bomb).code(), StatusCode::kInvalidModel);
}

TEST(TensorProtoTest, RefusesSegments) {
  TensorProto part = Raw(TensorProto::FLOAT, {1}, "1234");
  part.mutable_segment()->set_begin(0);
  EXPECT_EQ(Refusal(part).code(), StatusCode::kUnsupported);
}

TEST(TensorProtoTest, EmptyTensorsAndScalars) {
  EXPECT_EQ(TensorOfProto(Raw(TensorProto::FLOAT, {0, 3}, ""), nullptr)->count(), 0);
  EXPECT_EQ(TensorOfProto(Raw(TensorProto::FLOAT, {}, std::string(4, '\0')), nullptr)->count(), 1);
}

TEST(ImportConstantTest, EveryFormOfConstant) {
  const auto constant = [](const std::string& attribute, const tests::Attribute& value, int type) {
    OnnxBuilder builder(13);
    builder.Node("Constant", {}, {"y"}, {{attribute, value}}).Output("y", type);
    return builder;
  };
  EXPECT_EQ(Answer(constant("value", tests::FloatProto({2}, {1, 2}), TensorProto::FLOAT), {}),
            (std::vector<double>{1, 2}));
  EXPECT_EQ(Answer(constant("value_float", 0.5f, TensorProto::FLOAT), {}),
            (std::vector<double>{0.5}));
  EXPECT_EQ(Answer(constant("value_int", int64_t{7}, TensorProto::INT64), {}),
            (std::vector<double>{7}));
  EXPECT_EQ(Answer(constant("value_floats", std::vector<float>{1, 2}, TensorProto::FLOAT), {}),
            (std::vector<double>{1, 2}));
  EXPECT_EQ(Answer(constant("value_ints", std::vector<int64_t>{3, 4}, TensorProto::INT64), {}),
            (std::vector<double>{3, 4}));
  EXPECT_EQ(constant("value_string", "s", TensorProto::STRING).Import().status().code(),
            StatusCode::kUnsupported);
}

TEST(ImportConstantTest, ShapesKnownAtImportLeaveNoNodes) {
  OnnxBuilder builder;
  builder.Input("x", {2, 3, 4}).Int64s("one", {1}).Int64s("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "one"}, {"g"}, {{"axis", int64_t{0}}});
  builder.Node("Concat", {"g", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"x", "target"}, {"y"}).Output("y");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Reshape");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.shape,
            (runtime::Shape{3, 8}));
}

TEST(ImportConstantTest, ShapesUnknownAtImportAreComputed) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 3, 4}).Int64s("zero", {0}).Int64s("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "zero"}, {"g"}, {{"axis", int64_t{0}}});
  builder.Node("Concat", {"g", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"x", "target"}, {"y"}).Output("y");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "ShapeOf Gather Concat Reshape");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.rank(), 2);
}

TEST(ImportConstantTest, HugeConstantsStayNodes) {
  OnnxBuilder builder(17);
  builder.Input("x", {1}).Int64s("size", {int64_t{1} << 36});
  builder.Node("ConstantOfShape", {"size"}, {"big"}).Node("Add", {"x", "big"}, {"y"}).Output("y");
  EXPECT_EQ(Ops(builder.Import()), "ConstantOfShape Binary");
}

TEST(ImportConstantTest, ConstantConditionTakesItsBranch) {
  for (const bool condition : {false, true}) {
    const auto branch = [](const std::string& op) {
      onnx::GraphProto graph;
      *graph.add_node() = tests::NodeProtoOf(op, {"h"}, {"out"});
      graph.add_output()->set_name("out");
      return graph;
    };
    OnnxBuilder builder;
    TensorProto* tensor = builder.graph().add_initializer();
    *tensor = Raw(TensorProto::BOOL, {}, std::string(1, static_cast<char>(condition)));
    tensor->set_name("c");
    builder.Input("x", {2}).Node("Abs", {"x"}, {"h"});
    builder.Node("If", {"c"}, {"y"},
                 {{"then_branch", branch("Neg")}, {"else_branch", branch("Exp")}});
    builder.Output("y");
    EXPECT_EQ(Answer(builder, {Floats({2}, {0, 0})}),
              (condition ? std::vector<double>{-0.0, -0.0} : std::vector<double>{1, 1}));
  }
}

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/external_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ + "/model/sub");
    const float values[] = {0, 1, 2, 3};
    for (const char* name : {"/model/w.bin", "/model/sub/w.bin", "/outside.bin"}) {
      std::ofstream(folder_ + name, std::ios::binary)
          .write(reinterpret_cast<const char*>(values), sizeof(values));
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Graph> Import(const std::vector<std::pair<std::string, std::string>>& entries,
                       bool with_folder = true) {
    OnnxBuilder builder;
    builder.Input("x", {2}).Node("Add", {"x", "w"}, {"y"}).Output("y");
    TensorProto* tensor = builder.graph().add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(TensorProto::FLOAT);
    tensor->add_dims(2);
    tensor->set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    return builder.Import({.folder = with_folder ? folder_ + "/model" : ""});
  }

  std::string folder_;
};

TEST_F(ExternalDataTest, ReadsInsideTheFolder) {
  for (const char* location : {"w.bin", "./w.bin", "sub/w.bin", "sub//w.bin"}) {
    const Result<Graph> graph = Import({{"location", location}, {"offset", "4"}, {"length", "8"}});
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(ToDoubles(*graph->ConstantOf(graph->nodes[0].input(1))), (std::vector<double>{1, 2}));
  }
  EXPECT_TRUE(Import({{"location", "w.bin"}}).ok());
}

TEST_F(ExternalDataTest, NeverLeavesTheFolder) {
  ASSERT_EQ(symlink("../outside.bin", (folder_ + "/model/link.bin").c_str()), 0);
  ASSERT_EQ(symlink("w.bin", (folder_ + "/model/near.bin").c_str()), 0);
  ASSERT_EQ(symlink("sub", (folder_ + "/model/folder_link").c_str()), 0);
  const std::string absolute = folder_ + "/outside.bin";
  for (const std::string& location :
       {std::string("../outside.bin"), std::string("sub/../../outside.bin"), absolute,
        std::string("link.bin"), std::string("near.bin"), std::string("folder_link/w.bin"),
        std::string(""), std::string("."), std::string("sub"), std::string("sub/"),
        std::string("w.bin\0x", 7), std::string("C:\\w.bin"), std::string("file:w.bin"),
        std::string(5000, 'a')}) {
    const Status status = Import({{"location", location}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << location << ": " << status.message();
  }
  EXPECT_EQ(Import({{"location", "w.bin"}}, /*with_folder=*/false).status().code(),
            StatusCode::kInvalidModel);
  EXPECT_EQ(Import({{"location", "absent.bin"}}).status().code(), StatusCode::kIo);
}

TEST_F(ExternalDataTest, SaysWhatIsWrongWithALocationOrLength) {
  const auto expect = [](const Status& status, StatusCode code, const std::string& words) {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  };
  for (const char* location : {"sub\\w.bin", "sub/../w.bin", "w.bin/", "/w.bin", "file:w.bin", "", "."}) {
    expect(Import({{"location", location}}).status(), StatusCode::kInvalidModel,
           "is not a path inside the model's folder");
  }
  expect(Import({{"location", "w.bin"}, {"length", "x"}}).status(), StatusCode::kInvalidModel,
         "external data length 'x' is not a number");
  std::ofstream(folder_ + "/model/short.bin", std::ios::binary).write("abcd", 4);
  expect(Import({{"location", "short.bin"}}).status(), StatusCode::kInvalidModel,
         "external data ends at byte 0 + 8");
  std::filesystem::remove_all(folder_ + "/model");
  expect(Import({{"location", "w.bin"}}).status(), StatusCode::kIo, "cannot open " + folder_);
}

TEST_F(ExternalDataTest, PipesDoNotHang) {
  ASSERT_EQ(mkfifo((folder_ + "/model/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Import({{"location", "pipe"}}).status().code(), StatusCode::kInvalidModel);
}

TEST_F(ExternalDataTest, ChecksOffsetAndLength) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"offset", "12"},
                                                        {"offset", "-4"},
                                                        {"offset", "1e1"},
                                                        {"offset", " 4"},
                                                        {"offset", "18446744073709551615"},
                                                        {"offset", "9223372036854775807"},
                                                        {"length", "4"},
                                                        {"length", "16"},
                                                        {"length", "x"},
                                                        {"length", "99999999999999999999999"}}) {
    const Status status = Import({{"location", "w.bin"}, {key, value}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << key << value << status.message();
    EXPECT_NE(status.message().find("'w'"), std::string::npos) << status.message();
  }
  EXPECT_EQ(Import({}).status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Import({{"location", "w.bin"}, {"location", "w.bin"}}).status().code(),
            StatusCode::kInvalidModel);
}

// An initializer, or the value of a Constant, of two floats in w.bin.
TensorProto External(const std::string& name, const std::string& location = "w.bin") {
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(2);
  tensor.set_data_location(TensorProto::EXTERNAL);
  auto* entry = tensor.add_external_data();
  entry->set_key("location");
  entry->set_value(location);
  return tensor;
}

TEST_F(ExternalDataTest, KeysGivenTwiceAreRefused) {
  for (const char* key : {"location", "offset", "length", "anything"}) {
    const std::string value = key == std::string("location") ? "w.bin" : "8";
    const Status status = Import({{"location", "w.bin"}, {key, value}, {key, value}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << key;
    EXPECT_NE(status.message().find("twice"), std::string::npos) << status.message();
  }
  // Keys that nobody knows are passed over; an address of ONNX Runtime's is a name like any other.
  EXPECT_TRUE(Import({{"location", "w.bin"}, {"note", "hello"}}).ok());
  EXPECT_EQ(Import({{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "140000000"}}).status().code(),
            StatusCode::kIo);
}

TEST_F(ExternalDataTest, TensorsThatReadTheSameBytesOverAndOverAreRefused) {
  const int64_t elements = 1 << 20;
  std::filesystem::resize_file(folder_ + "/model/w.bin", elements * sizeof(float));
  const auto import = [&](int tensors) {
    OnnxBuilder builder;
    builder.Input("x", {elements});
    for (int i = 0; i < tensors; ++i) {
      const std::string name = "w" + std::to_string(i), from = i == 0 ? "x" : "y" + std::to_string(i);
      TensorProto* tensor = builder.graph().add_initializer();
      *tensor = External(name);
      tensor->set_dims(0, elements);
      builder.Node("Add", {from, name}, {"y" + std::to_string(i + 1)});
    }
    builder.Output("y" + std::to_string(tensors));
    return builder.Import({.folder = folder_ + "/model"}).status();
  };
  EXPECT_TRUE(import(4).ok()) << import(4).message();
  EXPECT_EQ(import(64).code(), StatusCode::kLimitExceeded) << import(64).message();
}

TEST_F(ExternalDataTest, ConstantsInNodesUseTheSameDoor) {
  const auto import = [&](const std::string& location) {
    OnnxBuilder builder;
    builder.Input("x", {2}).Node("Constant", {}, {"w"}, {{"value", External("", location)}});
    builder.Node("Add", {"x", "w"}, {"y"}).Output("y");
    return builder.Import({.folder = folder_ + "/model"}).status().code();
  };
  const auto inside = [&](const std::string& location) {
    onnx::GraphProto branch;
    *branch.add_initializer() = External("w", location);
    *branch.add_node() = tests::NodeProtoOf("Add", {"x", "w"}, {"z"});
    branch.add_output()->set_name("z");
    OnnxBuilder builder;
    builder.Input("x", {2}).Input("c", {}, TensorProto::BOOL);
    builder.Node("If", {"c"}, {"y"}, {{"then_branch", branch}, {"else_branch", branch}});
    return builder.Output("y").Import({.folder = folder_ + "/model"}).status().code();
  };
  EXPECT_EQ(import("../outside.bin"), StatusCode::kInvalidModel);
  EXPECT_EQ(inside("../outside.bin"), StatusCode::kInvalidModel);
  EXPECT_EQ(inside("w.bin"), StatusCode::kOk);
  EXPECT_TRUE(import("w.bin") == StatusCode::kOk || import("w.bin") == StatusCode::kInvalidModel);
}

TEST_F(ExternalDataTest, WhatNobodyReadsIsNotOpened) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Neg", {"x"}, {"y"}).Output("y");
  *builder.graph().add_initializer() = External("unused", "absent.bin");
  builder.graph().mutable_initializer(0)->set_dims(0, int64_t{1} << 29);
  const auto graph = builder.Import({.folder = folder_ + "/model"});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
}

}  // namespace
}  // namespace pleat::converter
