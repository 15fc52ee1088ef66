// A small matrix turned, one function per element size.
#ifndef PLEAT_KERNELS_TRANSPOSE_TILE_H_
#define PLEAT_KERNELS_TRANSPOSE_TILE_H_

#include <cstddef>
#include <cstdint>

namespace pleat::kernels {

// to[r * out_stride + c * size] = from[c * in_stride + r * size] for r < rows and c < columns;
// strides in bytes.
using TransposeTile = void (*)(std::byte* to, const std::byte* from, int64_t rows, int64_t columns,
                               int64_t in_stride, int64_t out_stride);

// The function for elements of `size` bytes: 1, 2, 4 or 8.
TransposeTile TransposeTileFor(size_t size);

// The widest matrix, and the lowest, that is turned in long runs when it is dense.
inline constexpr int64_t kInterleaved = 4;

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_TRANSPOSE_TILE_H_
