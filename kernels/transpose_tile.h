// A small matrix turned: in squares of 4 in registers where elements have 4 bytes, else in squares
// of 8 through memory.
#ifndef PLEAT_KERNELS_TRANSPOSE_TILE_H_
#define PLEAT_KERNELS_TRANSPOSE_TILE_H_

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// to[r * out_stride + c * sizeof(T)] = from[c * in_stride + r * sizeof(T)] for r < rows and
// c < columns; strides in bytes.
template <class T>
HWY_ATTR void TransposePlain(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                             int64_t in_stride, int64_t out_stride) {
  constexpr int64_t kSide = 8;
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t r0 = 0; r0 < rows; r0 += kSide) {
    const int64_t r1 = std::min(rows, r0 + kSide);
    for (int64_t c0 = 0; c0 < columns; c0 += kSide) {
      const int64_t c1 = std::min(columns, c0 + kSide);
      for (int64_t r = r0; r < r1; ++r) {
        for (int64_t c = c0; c < c1; ++c) {
          std::memcpy(to + r * out_stride + c * kSize, from + c * in_stride + r * kSize, kSize);
        }
      }
    }
  }
}

template <class T>
HWY_ATTR void TransposeTile(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                            int64_t in_stride, int64_t out_stride) {
  using D = hn::CappedTag<T, 4>;
  if constexpr (sizeof(T) == 4 && hn::MaxLanes(D()) == 4) {
    const D d;
    const hn::RepartitionToWide<D> wide;
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4) {
      for (int64_t c = 0; c < whole_columns; c += 4) {
        const auto load = [&](int64_t i) HWY_ATTR {
          return hn::LoadU(d, reinterpret_cast<const T*>(from + (c + i) * in_stride + r * 4));
        };
        const auto store = [&](auto vector, int64_t i) HWY_ATTR {
          hn::StoreU(hn::BitCast(d, vector), d,
                     reinterpret_cast<T*>(to + (r + i) * out_stride + c * 4));
        };
        const auto v0 = load(0), v1 = load(1), v2 = load(2), v3 = load(3);
        const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, v0, v1));
        const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, v2, v3));
        const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, v0, v1));
        const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, v2, v3));
        store(hn::InterleaveLower(wide, low01, low23), 0);
        store(hn::InterleaveUpper(wide, low01, low23), 1);
        store(hn::InterleaveLower(wide, high01, high23), 2);
        store(hn::InterleaveUpper(wide, high01, high23), 3);
      }
    }
    TransposePlain<T>(to + whole_columns * 4, from + whole_columns * in_stride, whole_rows,
                      columns - whole_columns, in_stride, out_stride);
    TransposePlain<T>(to + whole_rows * out_stride, from + whole_rows * 4, rows - whole_rows,
                      columns, in_stride, out_stride);
  } else {
    TransposePlain<T>(to, from, rows, columns, in_stride, out_stride);
  }
}

}  // namespace pleat::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // PLEAT_KERNELS_TRANSPOSE_TILE_H_
