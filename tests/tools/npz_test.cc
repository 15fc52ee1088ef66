#include "tools/npz.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <vector>

#include "tests/tools/temp_folder.h"
#include "tools/npy.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;

Result<std::vector<NamedArray>> Parse(const std::string& bytes) {
  return ParseNpz(std::as_bytes(std::span(bytes)));
}

std::string Little(uint32_t value, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text += static_cast<char>(value & 0xff);
  return text;
}

std::string Deflated(const std::string& data) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

struct Zip {
  std::string name = "x.npy";
  std::string packed;       // what lies in the file
  uint32_t size = 0;        // what it becomes
  uint32_t checksum = 0, method = 8, flags = 0;
  std::string local_extra;  // NumPy writes one of 20 bytes
  std::string comment;

  std::string Bytes() const {
    const std::string common = Little(20, 2) + Little(flags, 2) + Little(method, 2) +
                               Little(0, 4) + Little(checksum, 4) +
                               Little(static_cast<uint32_t>(packed.size()), 4) + Little(size, 4) +
                               Little(static_cast<uint32_t>(name.size()), 2);
    const std::string local = "PK\x03\x04" + common +
                              Little(static_cast<uint32_t>(local_extra.size()), 2) + name +
                              local_extra + packed;
    const std::string central = "PK\x01\x02" + Little(20, 2) + common + Little(0, 14) + Little(0, 2) +
                                name;
    return local + central + "PK\x05\x06" + Little(0, 4) + Little(1, 2) + Little(1, 2) +
           Little(static_cast<uint32_t>(central.size()), 4) +
           Little(static_cast<uint32_t>(local.size()), 4) +
           Little(static_cast<uint32_t>(comment.size()), 2) + comment;
  }
};

Zip Compressed(const std::string& data) {
  const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
  return {.packed = Deflated(data),
          .size = static_cast<uint32_t>(data.size()),
          .checksum = static_cast<uint32_t>(sum)};
}

TEST(NpzTest, ArraysSurviveARoundTrip) {
  const std::vector<NamedArray> arrays = {{"image", Tensor::Vector<float>({1, 2, 3})},
                                          {"n", Tensor::Vector<int64_t>({7}).Reshaped({})},
                                          {"nothing", Tensor::Make(ElementType::kUint8, {0, 4})}};
  const auto bytes = SerializeNpz(arrays);
  ASSERT_TRUE(bytes.ok());
  const auto read = Parse(*bytes);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].name, "image");
  EXPECT_EQ((*read)[0].tensor.data<float>()[2], 3);
  EXPECT_EQ((*read)[1].tensor.data<int64_t>()[0], 7);
  EXPECT_EQ((*read)[1].tensor.shape(), (Shape{}));
  EXPECT_EQ((*read)[2].tensor.shape(), (Shape{0, 4}));
  EXPECT_TRUE(Parse(*SerializeNpz({}))->empty());
}

TEST(NpzTest, DeflatedArraysAreRead) {
  const Tensor tensor = Tensor::Make(ElementType::kFloat32, {100, 100});
  Zip zip = Compressed(SerializeNpy(tensor));
  EXPECT_LT(zip.packed.size(), 500u);
  zip.local_extra = std::string(20, 'e');
  zip.comment = "PK\x05\x06 is no end";
  const auto read = Parse(zip.Bytes());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ((*read)[0].name, "x");
  EXPECT_EQ((*read)[0].tensor.shape(), (Shape{100, 100}));
}

TEST(NpzTest, EveryPrefixAndEveryFlippedBitIsRefusedOrHarmless) {
  const std::string bytes = Compressed(SerializeNpy(Tensor::Vector<float>({1, 2}))).Bytes();
  ASSERT_TRUE(Parse(bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Parse(bytes.substr(0, size)).status().code(), StatusCode::kInvalidArgument) << size;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    const auto read = Parse(damaged);
    if (!read.ok() || read->empty()) continue;
    EXPECT_EQ((*read)[0].tensor.data<float>()[1], 2) << "bit " << bit << " changed the numbers";
  }
}

TEST(NpzTest, HostileArchivesAreRefused) {
  const std::string data = SerializeNpy(Tensor::Vector<float>({1, 2}));
  const auto error = [](const Zip& zip) { return Parse(zip.Bytes()).status().message(); };
  Zip zip = Compressed(data);
  zip.size = 0xfffffff0;
  EXPECT_NE(error(zip).find("cannot be that large"), std::string::npos);
  zip = Compressed(data);
  zip.size -= 1;
  EXPECT_NE(error(zip).find("does not inflate to its size"), std::string::npos);
  zip = Compressed(data);
  zip.checksum ^= 1;
  EXPECT_NE(error(zip).find("checksum"), std::string::npos);
  zip = Compressed(data);
  zip.method = 12;
  EXPECT_NE(error(zip).find("x.npy: is compressed by method 12"), std::string::npos);
  zip = Compressed(data);
  zip.flags = 1;
  EXPECT_NE(error(zip).find("encrypted"), std::string::npos);
  zip = Compressed(data);
  zip.size = 0xffffffff;
  EXPECT_NE(error(zip).find("ZIP64"), std::string::npos);
  EXPECT_NE(error(Compressed("not an array")).find("not a .npy file"), std::string::npos);

  const NamedArray array{"twice", Tensor::Vector<float>({1})};
  EXPECT_NE(Parse(*SerializeNpz({array, array})).status().message().find("there twice"),
            std::string::npos);
  EXPECT_EQ(ReadNpz("/no/such.npz").status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace pleat::tools
