#include "tools/npy.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/tools/temp_folder.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;

Result<Tensor> Parse(const std::string& bytes) { return ParseNpy(std::as_bytes(std::span(bytes))); }

// A file of version 1.0 with this header and these bytes behind it.
std::string File(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

std::string Header(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

TEST(NpyTest, EveryElementTypeSurvivesARoundTrip) {
  for (const ElementType element :
       {ElementType::kFloat32, ElementType::kFloat64, ElementType::kInt64, ElementType::kInt32,
        ElementType::kInt16, ElementType::kInt8, ElementType::kUint8, ElementType::kUint16,
        ElementType::kUint32, ElementType::kUint64, ElementType::kBool, ElementType::kFloat16}) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{0, 3}, Shape{2, 3, 4}}) {
      Tensor tensor = Tensor::Make(element, shape);
      for (size_t i = 0; i < tensor.bytes(); ++i) {
        static_cast<uint8_t*>(tensor.mutable_raw())[i] =
            static_cast<uint8_t>(element == ElementType::kBool ? i % 2 : i * 7 % 64);
      }
      const std::string bytes = SerializeNpy(tensor);
      EXPECT_EQ(bytes.find('\n') % 64, 63u) << "numbers begin at a multiple of 64";
      const Result<Tensor> back = Parse(bytes);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(back->type(), tensor.type());
      EXPECT_EQ(SerializeNpy(*back), bytes);
    }
  }
}

TEST(NpyTest, TheHeaderIsPaddedToAMultipleOf64) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  header.resize(127 - 10, ' ');
  EXPECT_EQ(SerializeNpy(Tensor::Vector<float>({1, 2})),
            File(header + '\n', std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
}

TEST(NpyTest, FortranOrderIsTurned) {
  const std::string columns("\1\4\2\5\3\6", 6);
  const Result<Tensor> tensor = Parse(File(Header("|u1", "True", "(2, 3)"), columns));
  ASSERT_TRUE(tensor.ok()) << tensor.status().message();
  const std::span<const uint8_t> data = tensor->data<uint8_t>();
  EXPECT_EQ(std::vector<uint8_t>(data.begin(), data.end()),
            (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(NpyTest, NewerVersionsHaveLongerLengths) {
  const std::string header = Header("|i1", "False", "(1,)");
  for (const char version : {2, 3}) {
    std::string bytes("\x93NUMPY", 6);
    bytes += version;
    bytes += '\0';
    bytes += static_cast<char>(header.size());
    bytes += std::string(3, '\0') + header + '\x05';
    const Result<Tensor> tensor = Parse(bytes);
    ASSERT_TRUE(tensor.ok()) << tensor.status().message();
    EXPECT_EQ(tensor->data<int8_t>()[0], 5);
  }
}

TEST(NpyTest, BooleansBecomeZeroOrOne) {
  const Result<Tensor> tensor = Parse(File(Header("|b1", "False", "(3,)"), {'\0', '\1', '\xff'}));
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(static_cast<const uint8_t*>(tensor->raw())[2], 1);
}

TEST(NpyTest, EveryPrefixIsRefused) {
  const std::string whole = SerializeNpy(Tensor::Vector<double>({1, 2, 3}));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(Parse(whole.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(Parse(whole + "x").ok());
}

TEST(NpyTest, HostileHeadersAreRefused) {
  const std::string big = "9223372036854775807";
  for (const std::string& header :
       {Header(">f4", "False", "(1,)"), Header("|O", "False", "(1,)"),
        Header("<c8", "False", "(1,)"), Header("<f4", "False", "(" + big + ", 2)"),
        Header("<f4", "False", "(" + big + "0,)"), Header("<f4", "False", "(-1,)"),
        Header("<f4", "False", "(1,"), Header("<f4", "Maybe", "(1,)"),
        Header("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), Header("<f4", "False", "(0, " + big + ")"),
        Header("[('a', '<f4')]", "False", "(1,)"), std::string("{}"), std::string(),
        std::string("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"),
        Header("<f4", "False", "(1,)") + "x", std::string("{'descr': '<f4")}) {
    EXPECT_FALSE(Parse(File(header, std::string(4, '\0'))).ok()) << header;
  }
}

TEST(NpyTest, MissingFilesAreIoErrorsThatNameThePath) {
  const Result<Tensor> tensor = ReadNpy("no/such/file.npy");
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.status().code(), StatusCode::kIo);
  EXPECT_NE(tensor.status().message().find("no/such/file.npy"), std::string::npos);
}

TEST(NpyTest, FilesSurviveARoundTrip) {
  const TempFolder folder;
  const Tensor tensor = Tensor::Vector<int64_t>({-1, 1LL << 62});
  ASSERT_TRUE(WriteNpy(folder / "x.npy", tensor).ok());
  EXPECT_EQ(folder.Files(), "x.npy");
  const Result<Tensor> back = ReadNpy(folder / "x.npy");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->data<int64_t>()[1], 1LL << 62);
  EXPECT_EQ(WriteNpy(folder / "no/x.npy", tensor).code(), StatusCode::kIo);
}

}  // namespace
}  // namespace pleat::tools
