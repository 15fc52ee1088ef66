// Pictures (PNG, JPEG) as network inputs.
#ifndef PLEAT_TOOLS_PICTURE_H_
#define PLEAT_TOOLS_PICTURE_H_

#include <span>
#include <string>
#include <vector>

#include "runtime/tensor.h"

namespace pleat::tools {

// Which axis of an input holds the channels.
enum class PictureLayout { kBySizes, kChannelsFirst, kChannelsLast };

struct PictureOptions {
  // Per channel, or one value for all: (pixel / 255 - mean) / std. Empty: 0 and 1.
  std::vector<double> mean;
  std::vector<double> std;
  bool resize = false;  // bilinear, to the height and width the input fixes
  PictureLayout layout = PictureLayout::kBySizes;
};

// One picture as a batch of one for an input of `type`: [1,C,H,W] or [1,H,W,C], C being 1 or 3, as
// the declared sizes or `layout` say (channels first where both could be meant), without the batch when the
// rank is 3, and flattened to [1, C*H*W] when it is 2. Sizes the type leaves open become the
// picture's. Element types: floats, and uint8 for the bytes as they are.
runtime::Result<runtime::Tensor> ParsePicture(std::span<const std::byte> bytes,
                                              const runtime::Type& type,
                                              const PictureOptions& options);

// ParsePicture of a file's contents; failures name the path.
runtime::Result<runtime::Tensor> ReadPicture(const std::string& path, const runtime::Type& type,
                                             const PictureOptions& options);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_PICTURE_H_
