// Nearest neighbours of any type: rows of whole pixels, copied; a row like the one before it is
// copied from there.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/resize_plane.h"
#include "kernels/split.h"

namespace pleat::kernels {
namespace {

template <class T>
void CopyPixels(const std::byte* x, const std::vector<int64_t>& columns, std::byte* y) {
  for (const int64_t column : columns) {
    std::memcpy(y, x + column * static_cast<int64_t>(sizeof(T)), sizeof(T));
    y += sizeof(T);
  }
}

void CopyPixels(const std::byte* x, const std::vector<int64_t>& columns, size_t pixel_bytes,
                std::byte* y) {
  struct Rgb {
    float channels[3];
  };
  switch (pixel_bytes) {
    case 1:
      return CopyPixels<uint8_t>(x, columns, y);
    case 4:
      return CopyPixels<uint32_t>(x, columns, y);
    case 8:
      return CopyPixels<uint64_t>(x, columns, y);
    case sizeof(Rgb):
      return CopyPixels<Rgb>(x, columns, y);
    default:
      for (const int64_t column : columns) {
        std::memcpy(y, x + static_cast<size_t>(column) * pixel_bytes, pixel_bytes);
        y += pixel_bytes;
      }
  }
}

class ResizeCopy final : public Kernel {
 public:
  ResizeCopy(const ResizeProblem& problem, const ResizePlane& plane)
      : images_(plane.images),
        in_height_(plane.height.in),
        in_width_(plane.width.in),
        same_columns_(problem.Leaves(plane.width)),
        pixel_bytes_(static_cast<size_t>(plane.channels) * ElementSize(problem.type)),
        rows_(MakeResizeTable(problem, plane.height).positions),
        columns_(MakeResizeTable(problem, plane.width).positions) {}

  size_t packed_bytes() const override {
    return (rows_.size() + columns_.size()) * sizeof(int64_t);
  }

  void Run(const Operands& operands) const override {
    const std::byte* x = static_cast<const std::byte*>(operands.inputs[0]);
    std::byte* y = static_cast<std::byte*>(operands.outputs[0]);
    const int64_t height = static_cast<int64_t>(rows_.size());
    const size_t in_bytes = static_cast<size_t>(in_width_) * pixel_bytes_;
    const size_t out_bytes = columns_.size() * pixel_bytes_;
    if (out_bytes == 0) return;
    ForRanges(*operands.threads, images_ * height, kGrainBytes / static_cast<int64_t>(out_bytes),
              [&](int64_t begin, int64_t end, size_t) {
                for (int64_t i = begin; i < end; ++i) {
                  const int64_t row = rows_[static_cast<size_t>(i % height)];
                  std::byte* to = y + static_cast<size_t>(i) * out_bytes;
                  const std::byte* from =
                      x + static_cast<size_t>(i / height * in_height_ + row) * in_bytes;
                  const bool again = i > begin && i % height > 0 &&
                                     row == rows_[static_cast<size_t>(i % height - 1)];
                  if (again || same_columns_) {
                    std::memcpy(to, again ? to - out_bytes : from, out_bytes);
                  } else {
                    CopyPixels(from, columns_, pixel_bytes_, to);
                  }
                }
              });
  }

 private:
  static constexpr int64_t kGrainBytes = 1 << 16;
  const int64_t images_;
  const int64_t in_height_;
  const int64_t in_width_;
  const bool same_columns_;
  const size_t pixel_bytes_;
  const std::vector<int64_t> rows_;
  const std::vector<int64_t> columns_;
};

Refusal Refuse(const ResizeProblem& problem) {
  if (problem.mode != ResizeMode::kNearest) return "nearest neighbours only";
  if (problem.coordinates == CoordinateMode::kTfCropAndResize) return "no cropping";
  if (!PlaneOf(problem)) return "more than two neighbouring axes change";
  return {};
}

std::unique_ptr<Kernel> Make(const ResizeProblem& problem) {
  return std::make_unique<ResizeCopy>(problem, *PlaneOf(problem));
}

}  // namespace

extern const Candidate<ResizeProblem> kResizeCopy = {"copy", Refuse, Make};

}  // namespace pleat::kernels
