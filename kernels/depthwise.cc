#include "kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<Tag>;
constexpr size_t kPixels = kDepthwisePixels;

template <bool kWhole>
HWY_INLINE V LoadSome(const float* from, size_t count) {
  return kWhole ? hn::LoadU(Tag(), from) : LoadFirst(Tag(), from, count);
}

// The output of one group of pixels, for the vector of channels at `c`.
struct Place {
  const DepthwiseLine& line;
  size_t pixels;  // that exist
  int64_t first;  // output pixel
};

template <bool kWhole>
HWY_INLINE void Finish(const Place& place, size_t c, size_t count, V (&sums)[kPixels]) {
  const Tag d;
  const DepthwiseLine& line = place.line;
  const V low = hn::Set(d, line.low), high = hn::Set(d, line.high);
  const auto first = static_cast<size_t>(place.first);
  for (size_t i = 0; i < place.pixels; ++i) {
    V sum = sums[i];
    if (line.residual != nullptr) {
      sum = hn::Add(sum,
                    LoadSome<kWhole>(line.residual + (first + i) * line.residual_step + c, count));
    }
    // Operands in the order that lets a NaN through.
    sum = hn::Min(high, hn::Max(low, sum));
    float* to = line.y + (first + i) * line.y_step + c;
    if (kWhole) {
      hn::StoreU(sum, d, to);
    } else {
      StoreFirst(sum, d, to, count);
    }
  }
}

template <bool kWhole>
HWY_INLINE V Bias(const DepthwiseLine& line, size_t c, size_t count) {
  return line.bias == nullptr ? hn::Zero(Tag()) : LoadSome<kWhole>(line.bias + c, count);
}

// Windows of any width: `pointers` are [line][kernel][kPixels] pixels.
template <bool kWhole>
HWY_INLINE void AnyWindow(const Place& place, size_t c, size_t count) {
  const DepthwiseLine& line = place.line;
  V sums[kPixels];
  for (size_t i = 0; i < kPixels; ++i) sums[i] = Bias<kWhole>(line, c, count);
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
  Finish<kWhole>(place, c, count, sums);
}

// Windows kKernel wide: neighbouring windows share the pixels they load. With kEdge `pointers` are
// [line][columns], else the columns lie side by side from `column` on.
template <size_t kKernel, size_t kStride, bool kEdge, bool kWhole>
HWY_INLINE void SharedWindow(const Place& place, int64_t column, size_t c, size_t count) {
  constexpr size_t kColumns = (kPixels - 1) * kStride + kKernel;
  const DepthwiseLine& line = place.line;
  V sums[kPixels];
  HWY_UNROLL(4)
  for (size_t i = 0; i < kPixels; ++i) sums[i] = Bias<kWhole>(line, c, count);
  for (size_t r = 0; r < line.line_count; ++r) {
    V w[kKernel];
    HWY_UNROLL(5)
    for (size_t k = 0; k < kKernel; ++k) {
      w[k] = LoadSome<kWhole>(line.weights[r] + k * line.weight_step + c, count);
    }
    const float* from = line.lines[r] + column * line.x_step + c;
    const float* const* columns = line.pointers + r * kColumns;
    HWY_UNROLL(11)
    for (size_t j = 0; j < kColumns; ++j) {
      const V x = LoadSome<kWhole>(kEdge ? columns[j] + c : from, count);
      from += line.x_step;
      HWY_UNROLL(4)
      for (size_t i = 0; i < kPixels; ++i) {
        if (j >= i * kStride && j - i * kStride < kKernel) {
          sums[i] = hn::MulAdd(x, w[j - i * kStride], sums[i]);
        }
      }
    }
  }
  Finish<kWhole>(place, c, count, sums);
}

const float* PixelOrZeros(const DepthwiseLine& line, size_t r, int64_t column) {
  return column >= 0 && column < line.width ? line.lines[r] + column * line.x_step : line.zeros;
}

// Groups of pixels along the line; the last one overlaps its neighbour where there are enough.
template <class F>
HWY_INLINE void ForGroups(const DepthwiseLine& line, const F& group) {
  constexpr int64_t kGroup = kDepthwisePixels;
  for (int64_t o = 0; o < line.out_width; o += kGroup) {
    const int64_t first = std::max<int64_t>(0, std::min(o, line.out_width - kGroup));
    group(Place{line, static_cast<size_t>(std::min(kGroup, line.out_width - first)), first});
  }
}

template <size_t kKernel, size_t kStride>
struct SharedGroup {
  template <bool kEdge>
  static HWY_INLINE void Channels(const Place& place, int64_t column) {
    constexpr size_t L = hn::MaxLanes(Tag());
    const size_t channels = place.line.channels;
    size_t c = 0;
    for (; c + L <= channels; c += L) {
      SharedWindow<kKernel, kStride, kEdge, true>(place, column, c, L);
    }
    if (c < channels) {
      SharedWindow<kKernel, kStride, kEdge, false>(place, column, c, channels - c);
    }
  }

  HWY_INLINE void operator()(const Place& place) const {
    constexpr int64_t kColumns = (kPixels - 1) * kStride + kKernel;
    const DepthwiseLine& line = place.line;
    const int64_t column = place.first * static_cast<int64_t>(kStride) - line.pad;
    if (column >= 0 && column + kColumns <= line.width) {
      Channels<false>(place, column);
      return;
    }
    const float** to = line.pointers;
    for (size_t r = 0; r < line.line_count; ++r) {
      for (int64_t j = 0; j < kColumns; ++j) *to++ = PixelOrZeros(line, r, column + j);
    }
    Channels<true>(place, 0);
  }
};

struct AnyGroup {
  HWY_INLINE void operator()(const Place& place) const {
    constexpr size_t L = hn::MaxLanes(Tag());
    const DepthwiseLine& line = place.line;
    const float** to = line.pointers;
    for (size_t r = 0; r < line.line_count; ++r) {
      for (int64_t k = 0; k < line.kernel; ++k) {
        for (int64_t i = 0; i < kDepthwisePixels; ++i) {
          *to++ =
              PixelOrZeros(line, r, (place.first + i) * line.stride - line.pad + k * line.dilation);
        }
      }
    }
    size_t c = 0;
    for (; c + L <= line.channels; c += L) AnyWindow<true>(place, c, L);
    if (c < line.channels) AnyWindow<false>(place, c, line.channels - c);
  }
};

template <size_t kKernel, size_t kStride>
void SharedLine(const DepthwiseLine& line) {
  ForGroups(line, SharedGroup<kKernel, kStride>());
}
void AnyLine(const DepthwiseLine& line) { ForGroups(line, AnyGroup()); }

DepthwiseFunction ChooseDepthwise(int64_t kernel, int64_t stride, int64_t dilation) {
  if (dilation == 1 && kernel == 3 && stride == 1) return SharedLine<3, 1>;
  if (dilation == 1 && kernel == 3 && stride == 2) return SharedLine<3, 2>;
  if (dilation == 1 && kernel == 5 && stride == 1) return SharedLine<5, 1>;
  if (dilation == 1 && kernel == 5 && stride == 2) return SharedLine<5, 2>;
  return AnyLine;
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
