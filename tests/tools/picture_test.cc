#include "tools/picture.h"

#include <gtest/gtest.h>

#include "tests/tools/temp_folder.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::kUnknownDim;
using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::Type;

std::string Encoded(int width, int height, int channels, const std::vector<uint8_t>& pixels,
                    bool jpeg = false) {
  std::string bytes;
  const auto append = [](void* to, void* data, int size) {
    static_cast<std::string*>(to)->append(static_cast<char*>(data), static_cast<size_t>(size));
  };
  if (jpeg) {
    stbi_write_jpg_to_func(append, &bytes, width, height, channels, pixels.data(), 95);
  } else {
    stbi_write_png_to_func(append, &bytes, width, height, channels, pixels.data(), 0);
  }
  return bytes;
}

Result<Tensor> Parse(const std::string& bytes, const Type& type, const PictureOptions& options) {
  return ParsePicture(std::as_bytes(std::span(bytes)), type, options);
}

std::vector<float> Numbers(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status().message();
  if (!tensor.ok()) return {};
  const std::vector<double> values = ToDoubles(*tensor);
  return {values.begin(), values.end()};
}

// Two pixels side by side.
const std::string kTwo = Encoded(2, 1, 3, {255, 0, 51, 0, 102, 255});

TEST(PictureTest, TheDeclaredShapeSaysWhereChannelsGo) {
  const Result<Tensor> first = Parse(kTwo, {.shape = {kUnknownDim, 3, 1, 2}}, {});
  EXPECT_EQ(Numbers(first), (std::vector<float>{1, 0, 0, 0.4f, 0.2f, 1}));
  EXPECT_EQ(first->shape(), (Shape{1, 3, 1, 2}));
  const Result<Tensor> last = Parse(kTwo, {.shape = {1, 1, 2, 3}}, {});
  EXPECT_FALSE(last.ok()) << "channels first: one channel, 2x3 pixels";
  const Result<Tensor> nhwc = Parse(kTwo, {.shape = {1, kUnknownDim, 2, 3}}, {});
  EXPECT_EQ(nhwc->shape(), (Shape{1, 1, 2, 3}));
  EXPECT_EQ(Numbers(nhwc), (std::vector<float>{1, 0, 0.2f, 0, 0.4f, 1}));
  EXPECT_EQ(Parse(kTwo, {.shape = {3, kUnknownDim, kUnknownDim}}, {})->shape(), (Shape{3, 1, 2}));
  EXPECT_EQ(Parse(kTwo, {.shape = {1, 6}}, {})->shape(), (Shape{1, 6}));
  EXPECT_EQ(Parse(kTwo, {.shape = {1, 2}}, {})->shape(), (Shape{1, 2}));
  EXPECT_FALSE(Parse(kTwo, {.shape = {1, 5}}, {}).ok());
  EXPECT_FALSE(Parse(kTwo, {.shape = {1, 4, 5, 2}}, {}).ok());
}

TEST(PictureTest, TheCallerMaySayWhereChannelsGo) {
  const PictureOptions first{.layout = PictureLayout::kChannelsFirst};
  const PictureOptions last{.layout = PictureLayout::kChannelsLast};
  EXPECT_EQ(Parse(kTwo, {.shape = {1, 1, 2, 3}}, last)->shape(), (Shape{1, 1, 2, 3}));
  EXPECT_FALSE(Parse(kTwo, {.shape = {1, 1, 2, 3}}, first).ok());
  const runtime::Type open{.shape = {1, kUnknownDim, kUnknownDim, kUnknownDim}};
  EXPECT_EQ(Parse(kTwo, open, first)->shape(), (Shape{1, 3, 1, 2}));
  EXPECT_EQ(Parse(kTwo, open, last)->shape(), (Shape{1, 1, 2, 3}));
  EXPECT_NE(Parse(kTwo, {.shape = {1, 3, 1, 2}}, last).status().message().find("NHWC"),
            std::string::npos);
}

TEST(PictureTest, MeanAndStdApplyToPixelsFromZeroToOne) {
  const Type type{.shape = {1, 3, 1, 2}};
  const PictureOptions options{.mean = {0.5, 0, 0.2}, .std = {0.5, 1, 2}};
  EXPECT_EQ(Numbers(Parse(kTwo, type, options)), (std::vector<float>{1, -1, 0, 0.4f, 0, 0.4f}));
  EXPECT_EQ(Numbers(Parse(kTwo, type, {.std = {1 / 255.0}})),
            (std::vector<float>{255, 0, 0, 102, 51, 255}));
  EXPECT_FALSE(Parse(kTwo, type, {.mean = {1, 2}}).ok());
  EXPECT_FALSE(Parse(kTwo, type, {.std = {0}}).ok());
}

TEST(PictureTest, BytesStayBytes) {
  const Type type{.element = ElementType::kUint8, .shape = {1, 3, 1, 2}};
  EXPECT_EQ(Numbers(Parse(kTwo, type, {})), (std::vector<float>{255, 0, 0, 102, 51, 255}));
  EXPECT_FALSE(Parse(kTwo, type, {.mean = {1}}).ok());
  EXPECT_FALSE(Parse(kTwo, {.element = ElementType::kInt64, .shape = {1, 3, 1, 2}}, {}).ok());
}

TEST(PictureTest, OtherSizesAskForResize) {
  const std::string ramp = Encoded(4, 1, 1, {0, 100, 200, 250});
  const Result<Tensor> refused = Parse(ramp, {.shape = {1, 1, 1, 2}}, {});
  EXPECT_EQ(refused.status().message(),
            "the picture is 4x1 pixels, the input takes 2x1; --resize scales it");
  const std::vector<float> half =
      Numbers(Parse(ramp, {.shape = {1, 1, 1, 2}}, {.std = {1 / 255.0}, .resize = true}));
  ASSERT_EQ(half.size(), 2u);
  EXPECT_NEAR(half[0], (0 * 1 + 0 * 3 + 100 * 3 + 200 * 1) / 8.0, 0.5);
  const std::vector<float> twice =
      Numbers(Parse(ramp, {.shape = {1, 1, 1, 8}}, {.std = {1 / 255.0}, .resize = true}));
  ASSERT_EQ(twice.size(), 8u);
  EXPECT_NEAR(twice[1], 25, 0.5);
  EXPECT_NEAR(twice[2], 75, 0.5);
}

TEST(PictureTest, JpegAndGreyAreRead) {
  const std::string jpeg = Encoded(8, 8, 3, std::vector<uint8_t>(192, 128), true);
  for (const float value : Numbers(Parse(jpeg, {.shape = {1, 1, 8, 8}}, {}))) {
    EXPECT_NEAR(value, 128 / 255.0, 0.01);
  }
}

TEST(PictureTest, DamagedPicturesAreRefused) {
  std::vector<uint8_t> noise(3 * 32 * 32);
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * i * 31 >> 3);
  const std::string whole = Encoded(32, 32, 3, noise);
  const Type type{.shape = {1, 3, 32, 32}};
  for (size_t length = 0; length + 40 < whole.size(); length += 7) {
    EXPECT_EQ(Parse(whole.substr(0, length), type, {}).status().code(),
              StatusCode::kInvalidArgument)
        << length;
  }
  std::string huge =
      whole.substr(0, 16) + std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8) + whole.substr(24);
  EXPECT_FALSE(Parse(huge, type, {}).ok());
}

TEST(PictureTest, HuffmanTablesThatAreTooLongAreRefused) {
  const std::string jpeg = Encoded(8, 8, 3, std::vector<uint8_t>(192, 128), true);
  const Type type{.shape = {1, 3, 8, 8}};
  const size_t table = jpeg.find("\xff\xc4");
  ASSERT_NE(table, std::string::npos);
  std::string damaged = jpeg;
  damaged.replace(table + 5, 16, 16, '\xff');
  EXPECT_EQ(Parse(damaged, type, {}).status().message(),
            "damaged picture: a Huffman table is too long");
  std::string commented = jpeg;
  commented.insert(2, std::string("\xff\xfe\x00\x18\xff\xc4\x00\x15", 8) + std::string(18, '\xff'));
  EXPECT_TRUE(Parse(commented, type, {}).ok()) << "a comment is no table";
}

}  // namespace
}  // namespace pleat::tools
