#include "converter/tensor_file.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

namespace pleat::converter {
namespace {

using kernels::ElementType;
using runtime::Result;
using runtime::StatusCode;

Result<NamedTensor> Parse(const onnx::TensorProto& proto) {
  const std::string bytes = proto.SerializeAsString();
  return ParseTensor(std::as_bytes(std::span(bytes)));
}

onnx::TensorProto Proto(int data_type, std::vector<int64_t> dims) {
  onnx::TensorProto proto;
  proto.set_name("x");
  proto.set_data_type(data_type);
  for (const int64_t dim : dims) proto.add_dims(dim);
  return proto;
}

std::vector<double> Numbers(const onnx::TensorProto& proto) {
  const Result<NamedTensor> named = Parse(proto);
  EXPECT_TRUE(named.ok()) << named.status().message();
  return named.ok() ? ToDoubles(named->tensor) : std::vector<double>();
}

TEST(TensorFileTest, TypedFieldsOfEveryType) {
  using P = onnx::TensorProto;
  onnx::TensorProto proto = Proto(P::FLOAT, {2});
  proto.add_float_data(0.5f);
  proto.add_float_data(-2);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{0.5, -2}));
  proto = Proto(P::DOUBLE, {1});
  proto.add_double_data(1e300);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{1e300}));
  proto = Proto(P::INT64, {1});
  proto.add_int64_data(-5);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{-5}));
  for (const int type : {P::UINT32, P::UINT64}) {
    proto = Proto(type, {1});
    proto.add_uint64_data(4'000'000'000);
    EXPECT_EQ(Numbers(proto), (std::vector<double>{4e9}));
  }
  for (const int type : {P::INT32, P::INT16, P::INT8, P::UINT8, P::UINT16}) {
    proto = Proto(type, {1, 1});
    proto.add_int32_data(100);
    EXPECT_EQ(Numbers(proto), (std::vector<double>{100})) << type;
  }
  proto = Proto(P::FLOAT16, {});
  proto.add_int32_data(0x3e00);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{1.5}));
  proto = Proto(P::BFLOAT16, {});
  proto.add_int32_data(0x3fc0);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{1.5}));
  proto = Proto(P::BOOL, {2});
  proto.add_int32_data(0);
  proto.add_int32_data(1);
  EXPECT_EQ(Numbers(proto), (std::vector<double>{0, 1}));
}

TEST(TensorFileTest, RawDataAndName) {
  onnx::TensorProto proto = Proto(onnx::TensorProto::INT16, {1, 2});
  proto.set_raw_data(std::string("\x01\x00\xff\xff", 4));
  EXPECT_EQ(Numbers(proto), (std::vector<double>{1, -1}));
  EXPECT_EQ(Parse(proto)->name, "x");
  EXPECT_EQ(Parse(proto)->tensor.shape(), (runtime::Shape{1, 2}));
  proto = Proto(onnx::TensorProto::BOOL, {2});
  proto.set_raw_data(std::string("\x00\x02", 2));
  EXPECT_EQ(Numbers(proto), (std::vector<double>{0, 1}));
  proto = Proto(onnx::TensorProto::FLOAT, {0, 4});
  proto.set_raw_data("");
  EXPECT_EQ(Numbers(proto), (std::vector<double>{}));
}

TEST(TensorFileTest, SizesMustFitTheData) {
  onnx::TensorProto proto = Proto(onnx::TensorProto::FLOAT, {2});
  proto.add_float_data(1);
  EXPECT_EQ(Parse(proto).status().code(), StatusCode::kInvalidArgument);
  proto.add_float_data(1);
  proto.add_float_data(1);
  EXPECT_EQ(Parse(proto).status().message(), "float32[2] needs 2 elements, found 3");
  proto = Proto(onnx::TensorProto::FLOAT, {2});
  proto.set_raw_data("1234567");
  EXPECT_EQ(Parse(proto).status().message(), "float32[2] needs 8 bytes, found 7");
}

TEST(TensorFileTest, EveryTypeCountsAndRangesItsNumbers) {
  using P = onnx::TensorProto;
  struct Case {
    int type;
    const char* name;
    int64_t least, most;  // the nearest numbers that it does not hold, 0 when its field holds none
  };
  for (const auto& [type, name, least, most] : std::vector<Case>{
           {P::FLOAT, "float32", 0, 0}, {P::DOUBLE, "float64", 0, 0}, {P::INT64, "int64", 0, 0},
           {P::INT32, "int32", 0, 0}, {P::INT16, "int16", -32769, 32768}, {P::INT8, "int8", -129, 128},
           {P::UINT8, "uint8", -1, 256}, {P::UINT16, "uint16", -1, 65536}, {P::FLOAT16, "float16", -1, 65536},
           {P::BFLOAT16, "bfloat16", -1, 65536}, {P::UINT32, "uint32", 0, int64_t{1} << 32},
           {P::UINT64, "uint64", 0, 0}, {P::BOOL, "bool", 0, 0}}) {
    EXPECT_EQ(Parse(Proto(type, {2})).status().message(),
              std::string(name) + "[2] needs 2 elements, found 0");
    for (const int64_t number : {least, most}) {
      if (number == 0) continue;
      onnx::TensorProto proto = Proto(type, {1});
      if (type == P::UINT32) {
        proto.add_uint64_data(static_cast<uint64_t>(number));
      } else {
        proto.add_int32_data(static_cast<int32_t>(number));
      }
      const runtime::Status status = Parse(proto).status();
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_EQ(status.message(), std::to_string(number) + " does not fit " + name);
    }
  }
}

TEST(TensorFileTest, HostileTensorsAreRefused) {
  using P = onnx::TensorProto;
  const int64_t big = int64_t{1} << 40;
  EXPECT_FALSE(Parse(Proto(P::FLOAT, {big})).ok()) << "no data for 2^40 elements";
  EXPECT_EQ(Parse(Proto(P::FLOAT, {big, big})).status().code(), StatusCode::kLimitExceeded);
  EXPECT_EQ(Parse(Proto(P::FLOAT, {-1})).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(Proto(P::STRING, {})).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(Parse(Proto(99, {})).status().code(), StatusCode::kInvalidArgument);
  onnx::TensorProto external = Proto(P::FLOAT, {});
  external.set_data_location(P::EXTERNAL);
  EXPECT_EQ(Parse(external).status().code(), StatusCode::kInvalidArgument);

  onnx::TensorProto proto = Proto(P::INT64, {3});
  proto.clear_name();
  for (int i = 0; i < 3; ++i) proto.add_int64_data(i);
  const std::string whole = proto.SerializeAsString();
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string part = whole.substr(0, length);
    const Result<NamedTensor> tensor = ParseTensor(std::as_bytes(std::span(part)));
    EXPECT_TRUE(!tensor.ok() || tensor->tensor.shape() != runtime::Shape{3}) << length;
  }
}

TEST(TensorFileTest, MissingFilesAreIoErrors) {
  EXPECT_EQ(ReadTensorFile("no/such/file.pb").status().code(), StatusCode::kIo);
  const runtime::Status text = ReadTensorFile(PLEAT_SOURCE_DIR "/README.md").status();
  EXPECT_EQ(text.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(text.message(), PLEAT_SOURCE_DIR "/README.md: not a serialised ONNX TensorProto");
}

}  // namespace
}  // namespace pleat::converter
