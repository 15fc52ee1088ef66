// Dense matrices of 2 to 4 columns or rows go through the CPU's (de)interleaving loads and stores;
// others of 4-byte elements in squares of 4 in registers; what remains one element at a time.
#include "kernels/transpose_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/transpose_tile.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <algorithm>
#include <bit>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void TransposePlain(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
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

// Columns far apart become neighbours. Returns the rows done.
template <class T>
int64_t Interleave(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                   int64_t in_stride) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto load = [&](int64_t column, int64_t r) HWY_ATTR {
    return hn::LoadU(d, reinterpret_cast<const T*>(from + column * in_stride) + r);
  };
  T* out = reinterpret_cast<T*>(to);
  int64_t r = 0;
  for (; r + lanes <= rows; r += lanes) {
    const auto v0 = load(0, r), v1 = load(1, r);
    if (columns == 2) {
      hn::StoreInterleaved2(v0, v1, d, out + 2 * r);
    } else if (columns == 3) {
      hn::StoreInterleaved3(v0, v1, load(2, r), d, out + 3 * r);
    } else {
      hn::StoreInterleaved4(v0, v1, load(2, r), load(3, r), d, out + 4 * r);
    }
  }
  return r;
}

// Neighbours go to rows far apart. Returns the columns done.
template <class T>
int64_t Deinterleave(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                     int64_t out_stride) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto store = [&](V v, int64_t row, int64_t c) HWY_ATTR {
    hn::StoreU(v, d, reinterpret_cast<T*>(to + row * out_stride) + c);
  };
  const T* in = reinterpret_cast<const T*>(from);
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes) {
    V v0, v1, v2, v3;
    if (rows == 2) {
      hn::LoadInterleaved2(d, in + 2 * c, v0, v1);
    } else if (rows == 3) {
      hn::LoadInterleaved3(d, in + 3 * c, v0, v1, v2);
      store(v2, 2, c);
    } else {
      hn::LoadInterleaved4(d, in + 4 * c, v0, v1, v2, v3);
      store(v2, 2, c);
      store(v3, 3, c);
    }
    store(v0, 0, c);
    store(v1, 1, c);
  }
  return c;
}

// One square of 4 by 4. Interleave* are found by their arguments: targets without vectors lack them
// and never come here.
template <class D>
HWY_INLINE void TransposeSquare(D d, std::byte* to, const std::byte* from, int64_t in_stride,
                                int64_t out_stride) {
  using T = hn::TFromD<D>;
  const hn::RepartitionToWide<D> wide;
  const auto load = [&](int64_t i) HWY_ATTR {
    return hn::LoadU(d, reinterpret_cast<const T*>(from + i * in_stride));
  };
  const auto store = [&](auto vector, int64_t i) HWY_ATTR {
    hn::StoreU(hn::BitCast(d, vector), d, reinterpret_cast<T*>(to + i * out_stride));
  };
  const auto v0 = load(0), v1 = load(1), v2 = load(2), v3 = load(3);
  const auto low01 = hn::BitCast(wide, InterleaveLower(d, v0, v1));
  const auto low23 = hn::BitCast(wide, InterleaveLower(d, v2, v3));
  const auto high01 = hn::BitCast(wide, InterleaveUpper(d, v0, v1));
  const auto high23 = hn::BitCast(wide, InterleaveUpper(d, v2, v3));
  store(InterleaveLower(wide, low01, low23), 0);
  store(InterleaveUpper(wide, low01, low23), 1);
  store(InterleaveLower(wide, high01, high23), 2);
  store(InterleaveUpper(wide, high01, high23), 3);
}

// Whole squares; rows and columns are multiples of 4. The inner loop runs along the side whose
// stride is less of a power of two, so that its lines do not compete for one place in the cache.
template <class D>
void TransposeSquares(D d, std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                      int64_t in_stride, int64_t out_stride) {
  if (std::countr_zero(static_cast<uint64_t>(out_stride)) >
      std::countr_zero(static_cast<uint64_t>(in_stride))) {
    for (int64_t r = 0; r < rows; r += 4) {
      for (int64_t c = 0; c < columns; c += 4) {
        TransposeSquare(d, to + r * out_stride + c * 4, from + c * in_stride + r * 4, in_stride,
                        out_stride);
      }
    }
  } else {
    for (int64_t c = 0; c < columns; c += 4) {
      for (int64_t r = 0; r < rows; r += 4) {
        TransposeSquare(d, to + r * out_stride + c * 4, from + c * in_stride + r * 4, in_stride,
                        out_stride);
      }
    }
  }
}

template <class T>
void Transpose(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
               int64_t in_stride, int64_t out_stride) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  using D = hn::CappedTag<T, 4>;
  int64_t done_rows = 0, done_columns = columns;
  if (columns > 1 && columns <= kInterleaved && out_stride == columns * kSize) {
    done_rows = Interleave<T>(to, from, rows, columns, in_stride);
  } else if (rows > 1 && rows <= kInterleaved && in_stride == rows * kSize) {
    done_rows = rows;
    done_columns = Deinterleave<T>(to, from, rows, columns, out_stride);
  } else if constexpr (sizeof(T) == 4 && hn::MaxLanes(D()) == 4) {
    done_rows = rows / 4 * 4;
    done_columns = columns / 4 * 4;
    TransposeSquares(D(), to, from, done_rows, done_columns, in_stride, out_stride);
  }
  TransposePlain<T>(to + done_columns * kSize, from + done_columns * in_stride, done_rows,
                    columns - done_columns, in_stride, out_stride);
  TransposePlain<T>(to + done_rows * out_stride, from + done_rows * kSize, rows - done_rows,
                    columns, in_stride, out_stride);
}

void Transpose1(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                int64_t in_stride, int64_t out_stride) {
  Transpose<uint8_t>(to, from, rows, columns, in_stride, out_stride);
}

void Transpose2(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                int64_t in_stride, int64_t out_stride) {
  Transpose<uint16_t>(to, from, rows, columns, in_stride, out_stride);
}

void Transpose4(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                int64_t in_stride, int64_t out_stride) {
  Transpose<uint32_t>(to, from, rows, columns, in_stride, out_stride);
}

void Transpose8(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                int64_t in_stride, int64_t out_stride) {
  Transpose<uint64_t>(to, from, rows, columns, in_stride, out_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {

HWY_EXPORT(Transpose1);
HWY_EXPORT(Transpose2);
HWY_EXPORT(Transpose4);
HWY_EXPORT(Transpose8);

TransposeTile TransposeTileFor(size_t size) {
  switch (size) {
    case 1:
      return HWY_DYNAMIC_DISPATCH(Transpose1);
    case 2:
      return HWY_DYNAMIC_DISPATCH(Transpose2);
    case 4:
      return HWY_DYNAMIC_DISPATCH(Transpose4);
    default:
      return HWY_DYNAMIC_DISPATCH(Transpose8);
  }
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
