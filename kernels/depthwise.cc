#include "kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/bounds-inl.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<Tag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());

template <bool kWhole>
HWY_INLINE V LoadSome(const float* from, size_t count) {
  return kWhole ? hn::LoadU(Tag(), from) : LoadFirst(Tag(), from, count);
}

// A group of output pixels that are computed together.
struct Place {
  const DepthwiseLine& line;
  size_t pixels;  // that exist
  int64_t first;  // output pixel
};

template <size_t kPixels, bool kWhole>
HWY_INLINE void Finish(const Place& place, size_t c, size_t count, V (&sums)[kPixels]) {
  const Tag d;
  const DepthwiseLine& line = place.line;
  const V low = hn::Set(d, line.low), high = hn::Set(d, line.high);
  const auto first = static_cast<size_t>(place.first);
  float* to = line.y + first * line.y_step + c;
  const float* residual = line.residual;
  if (residual != nullptr) residual += first * line.residual_step + c;
  // Constant bounds keep the sums in registers.
  HWY_UNROLL(8)
  for (size_t i = 0; i < kPixels; ++i) {
    if (i >= place.pixels) continue;
    V sum = sums[i];
    if (residual != nullptr) {
      sum = hn::Add(sum, LoadSome<kWhole>(residual + i * line.residual_step, count));
    }
    sum = Bounded(sum, low, high);
    if (kWhole) {
      hn::StoreU(sum, d, to + i * line.y_step);
    } else {
      StoreFirst(sum, d, to + i * line.y_step, count);
    }
  }
}

template <size_t kPixels, bool kWhole>
HWY_INLINE void StartFromBias(const Place& place, size_t c, size_t count, V (&sums)[kPixels]) {
  const DepthwiseLine& line = place.line;
  const V bias = line.bias == nullptr ? hn::Zero(Tag()) : LoadSome<kWhole>(line.bias + c, count);
  HWY_UNROLL(8)
  for (size_t i = 0; i < kPixels; ++i) sums[i] = bias;
  if (line.bias_offsets == nullptr) return;
  const size_t* offsets = line.bias_offsets + place.first;
  HWY_UNROLL(8)
  for (size_t i = 0; i < kPixels; ++i) {
    if (i < place.pixels) sums[i] = LoadSome<kWhole>(line.bias + offsets[i] + c, count);
  }
}

const float* PixelOrZeros(const DepthwiseLine& line, size_t r, int64_t column) {
  return column >= 0 && column < line.width ? line.lines[r] + column * line.x_step : line.zeros;
}

// Windows of any width: `pointers` are [line][kernel][kPixels] pixels.
struct AnyGroup {
  static constexpr size_t kPixels = 4;

  template <bool kWhole>
  static HWY_INLINE void Window(const Place& place, size_t c, size_t count) {
    const DepthwiseLine& line = place.line;
    V sums[kPixels];
    StartFromBias<kPixels, kWhole>(place, c, count, sums);
    const float* const* pointers = line.pointers;
    for (size_t r = 0; r < line.line_count; ++r) {
      const float* weights = line.weights[r] + c;
      for (int64_t k = 0; k < line.kernel; ++k, pointers += kPixels, weights += line.weight_step) {
        const V w = LoadSome<kWhole>(weights, count);
        HWY_UNROLL(4)
        for (size_t i = 0; i < kPixels; ++i) {
          sums[i] = hn::MulAdd(LoadSome<kWhole>(pointers[i] + c, count), w, sums[i]);
        }
      }
    }
    Finish<kPixels, kWhole>(place, c, count, sums);
  }

  HWY_INLINE void operator()(const Place& place) const {
    const DepthwiseLine& line = place.line;
    const float** to = line.pointers;
    for (size_t r = 0; r < line.line_count; ++r) {
      for (int64_t k = 0; k < line.kernel; ++k) {
        for (int64_t i = 0; i < static_cast<int64_t>(kPixels); ++i) {
          *to++ =
              PixelOrZeros(line, r, (place.first + i) * line.stride - line.pad + k * line.dilation);
        }
      }
    }
    size_t c = 0;
    for (; c + kLanes <= line.channels; c += kLanes) Window<true>(place, c, kLanes);
    if (c < line.channels) Window<false>(place, c, line.channels - c);
  }
};

// Windows kKernel wide: neighbouring windows share the pixels they load.
template <size_t kKernel, size_t kStride, size_t kGroupPixels>
struct SharedGroup {
  static constexpr size_t kPixels = kGroupPixels;
  static constexpr size_t kColumns = (kPixels - 1) * kStride + kKernel;

  // With kEdge `pointers` are [line][columns], else the columns lie side by side from `column` on.
  template <bool kEdge>
  static HWY_INLINE void Window(const Place& place, int64_t column, size_t c) {
    const DepthwiseLine& line = place.line;
    V sums[kPixels];
    StartFromBias<kPixels, true>(place, c, kLanes, sums);
    for (size_t r = 0; r < line.line_count; ++r) {
      V w[kKernel];
      HWY_UNROLL(7)
      for (size_t k = 0; k < kKernel; ++k) {
        w[k] = hn::LoadU(Tag(), line.weights[r] + k * line.weight_step + c);
      }
      const float* from = kEdge ? nullptr : line.lines[r] + column * line.x_step + c;
      const float* const* columns = line.pointers + r * kColumns;
      HWY_UNROLL(20)
      for (size_t j = 0; j < kColumns; ++j) {
        const V x = hn::LoadU(Tag(), kEdge ? columns[j] + c : from);
        if (!kEdge) from += line.x_step;
        HWY_UNROLL(8)
        for (size_t i = 0; i < kPixels; ++i) {
          if (j >= i * kStride && j - i * kStride < kKernel) {
            sums[i] = hn::MulAdd(x, w[j - i * kStride], sums[i]);
          }
        }
      }
    }
    Finish<kPixels, true>(place, c, kLanes, sums);
  }

  // The last vector overlaps its neighbour: both compute the same.
  template <bool kEdge>
  static HWY_INLINE void Channels(const Place& place, int64_t column) {
    const size_t channels = place.line.channels;
    size_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) Window<kEdge>(place, column, c);
    if (c < channels) Window<kEdge>(place, column, channels - kLanes);
  }

  HWY_INLINE void operator()(const Place& place) const {
    const DepthwiseLine& line = place.line;
    const int64_t column = place.first * static_cast<int64_t>(kStride) - line.pad;
    if (column >= 0 && column + static_cast<int64_t>(kColumns) <= line.width) {
      Channels<false>(place, column);
      return;
    }
    const float** to = line.pointers;
    for (size_t r = 0; r < line.line_count; ++r) {
      for (size_t j = 0; j < kColumns; ++j) {
        *to++ = PixelOrZeros(line, r, column + static_cast<int64_t>(j));
      }
    }
    Channels<true>(place, 0);
  }
};

// Groups of pixels along the line; the last one overlaps its neighbour where there are enough.
template <class Group>
void Line(const DepthwiseLine& line) {
  constexpr auto kGroup = static_cast<int64_t>(Group::kPixels);
  for (int64_t o = 0; o < line.out_width; o += kGroup) {
    const int64_t first = std::max<int64_t>(0, std::min(o, line.out_width - kGroup));
    Group()(Place{line, static_cast<size_t>(std::min(kGroup, line.out_width - first)), first});
  }
}

// The size of groups that computes least beyond the line's end.
template <size_t kKernel, size_t kStride>
void SharedLine(const DepthwiseLine& line) {
  if (line.channels < kLanes) return Line<AnyGroup>(line);
  const auto computed = [&](int64_t group) { return (line.out_width + group - 1) / group * group; };
  if (computed(4) < std::min(computed(7), computed(8))) {
    return Line<SharedGroup<kKernel, kStride, 4>>(line);
  }
  if (computed(7) < computed(8)) return Line<SharedGroup<kKernel, kStride, 7>>(line);
  Line<SharedGroup<kKernel, kStride, 8>>(line);
}

DepthwiseFunction ChooseDepthwise(int64_t kernel, int64_t stride, int64_t dilation) {
  // Without vectors there are too few registers for what windows would share.
  if constexpr (kLanes > 1) {
    if (dilation == 1 && kernel == 3 && stride == 1) return SharedLine<3, 1>;
    if (dilation == 1 && kernel == 3 && stride == 2) return SharedLine<3, 2>;
    if (dilation == 1 && kernel == 5 && stride == 1) return SharedLine<5, 1>;
    if (dilation == 1 && kernel == 5 && stride == 2) return SharedLine<5, 2>;
    if (dilation == 1 && kernel == 7 && stride == 1) return SharedLine<7, 1>;
  }
  return Line<AnyGroup>;
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseDepthwise);

DepthwiseFunction BestDepthwise(int64_t kernel, int64_t stride, int64_t dilation) {
  return HWY_DYNAMIC_DISPATCH(ChooseDepthwise)(kernel, stride, dilation);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
