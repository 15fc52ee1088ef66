#include "kernels/grouped.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/grouped.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/bounds-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<Tag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());

// Each input of a group is spread over the group's lanes: out of the vector its pixel fills where
// groups are narrower (kNarrow), else from memory. Neighbouring windows share it.
template <size_t kStride, size_t kPixels, bool kNarrow>
HWY_INLINE void Window(const GroupedLine& line, size_t first) {
  constexpr size_t kTaps = kGroupedTaps;
  constexpr size_t kColumns = (kPixels - 1) * kStride + kTaps;
  const Tag d;
  V sums[kPixels];
  const V bias = line.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, line.bias);
  HWY_UNROLL(8)
  for (size_t i = 0; i < kPixels; ++i) sums[i] = bias;
  const size_t exist = HWY_MIN(kPixels, line.out_width - first);
  if (line.bias_offsets != nullptr) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < kPixels; ++i) {
      if (i < exist) sums[i] = hn::LoadU(d, line.bias + line.bias_offsets[first + i]);
    }
  }
  const hn::RebindToSigned<Tag> di;
  const auto group = hn::AndNot(hn::Set(di, static_cast<int32_t>(line.width) - 1), hn::Iota(di, 0));
  const size_t channel = kNarrow ? line.channel : line.channel / line.width * line.width;
  for (size_t r = 0; r < line.line_count; ++r) {
    const float* weights = line.weights + line.rows[r] * line.width * kTaps * kLanes;
    const float* const* pixels = line.pixels + r * line.columns + first * kStride;
    for (size_t c = 0; c < line.width; ++c, weights += kTaps * kLanes) {
      V w[kTaps];
      HWY_UNROLL(3)
      for (size_t k = 0; k < kTaps; ++k) w[k] = hn::LoadU(d, weights + k * kLanes);
      const auto place = hn::Add(group, hn::Set(di, kNarrow ? static_cast<int32_t>(c) : 0));
      HWY_UNROLL(20)
      for (size_t j = 0; j < kColumns; ++j) {
        const float* from = pixels[j] + channel;
        V x;
        if constexpr (kNarrow) {
          x = hn::TableLookupLanes(hn::LoadU(d, from), hn::IndicesFromVec(d, place));
        } else {
          x = hn::Set(d, from[c]);
        }
        HWY_UNROLL(8)
        for (size_t i = 0; i < kPixels; ++i) {
          if (j >= i * kStride && j - i * kStride < kTaps) {
            sums[i] = hn::MulAdd(x, w[j - i * kStride], sums[i]);
          }
        }
      }
    }
  }
  const V low = hn::Set(d, line.low), high = hn::Set(d, line.high);
  float* to = line.y + first * line.y_step;
  const float* residual = line.residual;
  if (residual != nullptr) residual += first * line.residual_step;
  HWY_UNROLL(8)
  for (size_t i = 0; i < kPixels; ++i) {
    if (i >= exist) continue;
    V sum = sums[i];
    if (residual != nullptr) sum = hn::Add(sum, hn::LoadU(d, residual + i * line.residual_step));
    hn::StoreU(Bounded(sum, low, high), d, to + i * line.y_step);
  }
}

// Windows side by side; the last overlap their neighbours where there are enough.
template <size_t kStride, size_t kPixels, bool kNarrow>
void Windows(const GroupedLine& line) {
  for (size_t o = 0; o < line.out_width; o += kPixels) {
    const size_t last = line.out_width < kPixels ? 0 : line.out_width - kPixels;
    Window<kStride, kPixels, kNarrow>(line, HWY_MIN(o, last));
  }
}

// So many windows at a time that the fewest are computed in vain.
template <size_t kStride, bool kNarrow>
void Line(const GroupedLine& line) {
  const auto computed = [&](size_t pixels) {
    return (line.out_width + pixels - 1) / pixels * pixels;
  };
  if (computed(4) < std::min(computed(7), computed(8))) {
    return Windows<kStride, 4, kNarrow>(line);
  }
  if (computed(7) < computed(8)) return Windows<kStride, 7, kNarrow>(line);
  Windows<kStride, 8, kNarrow>(line);
}

Grouped ChooseGrouped(size_t width, int64_t stride) {
  if constexpr (kLanes >= 8 || (kLanes >= 4 && HWY_ARCH_ARM_A64)) {
    const bool narrow = width < kLanes;
    if (stride == 1) return {narrow ? Line<1, true> : Line<1, false>, kLanes};
    return {narrow ? Line<2, true> : Line<2, false>, kLanes};
  }
  return {nullptr, kLanes};
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseGrouped);

Grouped BestGrouped(size_t width, int64_t stride) {
  return HWY_DYNAMIC_DISPATCH(ChooseGrouped)(width, stride);
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
