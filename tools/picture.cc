#include "tools/picture.h"

#include <memory>
#include <optional>

#include "runtime/model_file.h"

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb/stb_image_resize.h>

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::InvalidArgument;
using runtime::kUnknownDim;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;

constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr int64_t kMaxPixels = int64_t{1} << 26;

// Which axis holds what; -1: none. Sizes are those the input declares, kUnknownDim where open.
struct Layout {
  int channel_axis = -1, height_axis = -1, width_axis = -1;
  int64_t channels = kUnknownDim, height = kUnknownDim, width = kUnknownDim;
};

bool IsChannels(int64_t size) { return size == 1 || size == 3; }

Result<Layout> LayoutOf(const Type& type, PictureLayout wanted) {
  const int rank = type.rank();
  if (!type.ranked || rank < 2 || rank > 4) {
    return InvalidArgument("a picture cannot be an input of type " + runtime::TypeText(type) +
                           ": 2 to 4 axes are needed");
  }
  if (rank == 2) return Layout{};
  Layout layout;
  const int first = rank - 3;
  const auto may_be = [&](int axis) {
    return IsChannels(type.shape[axis]) || type.shape[axis] == kUnknownDim;
  };
  const bool last = wanted == PictureLayout::kBySizes
                        ? !IsChannels(type.shape[first]) && IsChannels(type.shape[rank - 1])
                        : wanted == PictureLayout::kChannelsLast;
  if (last && may_be(rank - 1)) {
    layout = {rank - 1, first, first + 1};
  } else if (!last && may_be(first)) {
    layout = {first, first + 1, first + 2};
  } else {
    return InvalidArgument("a picture has 1 or 3 channels, the input " + runtime::TypeText(type) +
                           (wanted == PictureLayout::kBySizes ? " has neither"
                            : last                            ? " has neither last (NHWC)"
                                                              : " has neither first (NCHW)"));
  }
  layout.channels = type.shape[layout.channel_axis];
  layout.height = type.shape[layout.height_axis];
  layout.width = type.shape[layout.width_axis];
  return layout;
}

struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<float> values;  // [height, width, channels], 0 to 255
};

Result<Pixels> Decode(std::span<const std::byte> bytes, int64_t channels) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int length = static_cast<int>(bytes.size());
  int width = 0, height = 0, stored = 0;
  if (!stbi_info_from_memory(data, length, &width, &height, &stored)) {
    return InvalidArgument(std::string("not a PNG or JPEG picture: ") + stbi_failure_reason());
  }
  if (int64_t{width} * height > kMaxPixels) {
    return runtime::LimitExceeded("a picture of " + std::to_string(width) + "x" +
                                  std::to_string(height) + " pixels is above 2^26");
  }
  if (channels == kUnknownDim) channels = stored < 3 ? 1 : 3;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> image(
      stbi_load_from_memory(data, length, &width, &height, &stored, static_cast<int>(channels)),
      &stbi_image_free);
  if (image == nullptr) {
    return InvalidArgument(std::string("damaged picture: ") + stbi_failure_reason());
  }
  Pixels pixels{height, width, channels, {}};
  pixels.values.assign(image.get(), image.get() + height * int64_t{width} * channels);
  return pixels;
}

uint8_t ByteAt(std::span<const std::byte> bytes, size_t i) {
  return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0;
}

size_t WordAt(std::span<const std::byte> bytes, size_t i) {
  return size_t{ByteAt(bytes, i)} << 8 | ByteAt(bytes, i + 1);
}

// Refuses a JPEG with a Huffman table of more than the 256 codes the decoder has room for
// (ITU-T T.81, B.2.4.2). Past the application segments at its head, every place where a table
// segment could be found is looked at.
Status CheckHuffmanTables(std::span<const std::byte> bytes) {
  if (ByteAt(bytes, 0) != 0xff) return Status::Ok();
  size_t at = 2;
  const auto is_application = [&] {
    const uint8_t marker = ByteAt(bytes, at + 1);
    return ByteAt(bytes, at) == 0xff && (marker >> 4 == 0xe || marker == 0xfe);
  };
  while (is_application()) at += 2 + std::max<size_t>(WordAt(bytes, at + 2), 2);
  for (; at + 1 < bytes.size(); ++at) {
    if (ByteAt(bytes, at) != 0xff || ByteAt(bytes, at + 1) != 0xc4) continue;
    const size_t end = at + 2 + WordAt(bytes, at + 2);
    for (size_t table = at + 4; table < end;) {
      size_t codes = 0;
      for (size_t i = 1; i <= 16; ++i) codes += ByteAt(bytes, table + i);
      if (codes > 256) return InvalidArgument("damaged picture: a Huffman table is too long");
      table += 17 + codes;
    }
  }
  return Status::Ok();
}

std::string SizeText(int64_t height, int64_t width) {
  return std::to_string(width) + "x" + std::to_string(height);
}

Status FitSize(const Layout& layout, bool resize, Pixels& pixels) {
  const int64_t height = layout.height == kUnknownDim ? pixels.height : layout.height;
  const int64_t width = layout.width == kUnknownDim ? pixels.width : layout.width;
  if (height == pixels.height && width == pixels.width) return Status::Ok();
  if (!resize) {
    return InvalidArgument("the picture is " + SizeText(pixels.height, pixels.width) +
                           " pixels, the input takes " + SizeText(height, width) +
                           "; --resize scales it");
  }
  if (height < 1 || width < 1 || height > kMaxPixels / width) {
    return InvalidArgument("cannot scale a picture to " + SizeText(height, width));
  }
  std::vector<float> scaled(static_cast<size_t>(height * width * pixels.channels));
  const int ok = stbir_resize_float_generic(
      pixels.values.data(), static_cast<int>(pixels.width), static_cast<int>(pixels.height), 0,
      scaled.data(), static_cast<int>(width), static_cast<int>(height), 0,
      static_cast<int>(pixels.channels), STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
      STBIR_FILTER_TRIANGLE, STBIR_COLORSPACE_LINEAR, nullptr);
  if (!ok) return runtime::LimitExceeded("no memory to scale the picture");
  pixels = {height, width, pixels.channels, std::move(scaled)};
  return Status::Ok();
}

Result<double> PerChannel(const std::vector<double>& values, const char* flag, double otherwise,
                          const Pixels& pixels, int64_t channel) {
  if (values.empty()) return otherwise;
  if (values.size() == 1) return values[0];
  if (static_cast<int64_t>(values.size()) == pixels.channels) {
    return values[static_cast<size_t>(channel)];
  }
  return InvalidArgument(std::string(flag) + " has " + std::to_string(values.size()) +
                         " values, the picture " + std::to_string(pixels.channels) + " channels");
}

Status Normalize(const PictureOptions& options, Pixels& pixels) {
  for (int64_t channel = 0; channel < pixels.channels; ++channel) {
    PLEAT_ASSIGN_OR_RETURN(const double mean,
                           PerChannel(options.mean, "--mean", 0, pixels, channel));
    PLEAT_ASSIGN_OR_RETURN(const double std, PerChannel(options.std, "--std", 1, pixels, channel));
    if (!(std != 0)) return InvalidArgument("--std must not be 0");
    for (size_t i = static_cast<size_t>(channel); i < pixels.values.size();
         i += static_cast<size_t>(pixels.channels)) {
      pixels.values[i] = static_cast<float>((pixels.values[i] / 255.0 - mean) / std);
    }
  }
  return Status::Ok();
}

// For an input [batch, features]: which of 1 and 3 channels makes `features` of the picture.
Result<int64_t> ChannelsOfFlat(std::span<const std::byte> bytes, int64_t features) {
  int width = 0, height = 0, stored = 0;
  if (!stbi_info_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                             static_cast<int>(bytes.size()), &width, &height, &stored)) {
    return InvalidArgument(std::string("not a PNG or JPEG picture: ") + stbi_failure_reason());
  }
  const int64_t pixels = int64_t{width} * height;
  if (features == kUnknownDim) return kUnknownDim;
  if (features == pixels) return 1;
  if (features == 3 * pixels) return 3;
  return InvalidArgument("the picture has " + SizeText(height, width) +
                         " pixels, the input takes " + std::to_string(features) + " numbers");
}

Tensor Arrange(const Pixels& pixels, const Layout& layout, int rank) {
  const bool channels_last = layout.channel_axis == rank - 1 && rank > 2;
  Shape shape{pixels.channels, pixels.height, pixels.width};
  if (channels_last) shape = {pixels.height, pixels.width, pixels.channels};
  if (rank == 2) shape = {pixels.channels * pixels.height * pixels.width};
  if (rank != 3) shape.insert(shape.begin(), 1);
  Tensor tensor = Tensor::Make(ElementType::kFloat32, shape);
  const std::span<float> to = tensor.mutable_data<float>();
  const size_t channels = static_cast<size_t>(pixels.channels);
  const size_t area = pixels.values.size() / channels;
  for (size_t i = 0; i < area; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      to[channels_last ? i * channels + c : c * area + i] = pixels.values[i * channels + c];
    }
  }
  return tensor;
}

}  // namespace

Result<Tensor> ParsePicture(std::span<const std::byte> bytes, const Type& type,
                            const PictureOptions& options) {
  if (bytes.size() > kMaxFileBytes) {
    return runtime::LimitExceeded("a picture file of more than 1 GiB");
  }
  PLEAT_RETURN_IF_ERROR(CheckHuffmanTables(bytes));
  const bool raw = type.element == ElementType::kUint8;
  if (!raw && !kernels::IsFloat(type.element)) {
    return InvalidArgument("a picture cannot be an input of " +
                           std::string(kernels::ElementName(type.element)));
  }
  if (raw && !(options.mean.empty() && options.std.empty())) {
    return InvalidArgument("the input takes uint8 pixels as they are: --mean and --std do not fit");
  }
  PLEAT_ASSIGN_OR_RETURN(Layout layout, LayoutOf(type, options.layout));
  if (type.rank() == 2) {
    PLEAT_ASSIGN_OR_RETURN(layout.channels, ChannelsOfFlat(bytes, type.shape[1]));
  }
  PLEAT_ASSIGN_OR_RETURN(Pixels pixels, Decode(bytes, layout.channels));
  PLEAT_RETURN_IF_ERROR(FitSize(layout, options.resize, pixels));
  if (!raw) PLEAT_RETURN_IF_ERROR(Normalize(options, pixels));
  if (raw) {
    for (float& value : pixels.values) value = std::min(std::max(value + 0.5f, 0.0f), 255.0f);
  }
  return runtime::Cast(Arrange(pixels, layout, type.rank()), type.element);
}

Result<Tensor> ReadPicture(const std::string& path, const Type& type,
                           const PictureOptions& options) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  Result<Tensor> tensor = ParsePicture(file.bytes, type, options);
  if (!tensor.ok()) return tensor.status().In(path);
  return tensor;
}

}  // namespace pleat::tools
