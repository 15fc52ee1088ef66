// Elements moved from one strided place to another. What Transpose, Slice, Expand, Tile, Concat,
// Split, Pad and DepthToSpace do is a list of pieces, each a box of elements with its own strides:
//   out[out_offset + sum_d i_d * out_stride_d] = in[in_offset + sum_d i_d * in_stride_d]
// for every 0 <= i_d < size_d. Elements are opaque: only their size matters.
#ifndef PLEAT_KERNELS_COPY_H_
#define PLEAT_KERNELS_COPY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel.h"

namespace pleat::kernels {

struct CopyDim {
  int64_t size;
  int64_t in_stride;  // in elements; 0 repeats, negative reverses
  int64_t out_stride;

  bool operator==(const CopyDim&) const = default;
};

// The `input` of a piece that writes zero bytes.
inline constexpr int kZeros = -1;

struct CopyPiece {
  int input = 0;   // which operand is read, or kZeros
  int output = 0;  // which output is written
  int64_t in_offset = 0;
  int64_t out_offset = 0;
  std::vector<CopyDim> dims;  // none: one element
};

// No element of an output is written twice; an output no piece covers keeps its contents there.
struct CopyProblem {
  size_t element_size = 4;  // 1, 2, 4 or 8 bytes
  std::vector<CopyPiece> pieces;
};

// Operands: as the pieces count them. Inputs and outputs do not overlap.
std::span<const Candidate<CopyProblem>> CopyCandidates();

// The same elements in an equivalent order with fewer dimensions: sizes of 1 dropped, neighbours
// merged that walk memory as one. No dimensions are left of a piece of one element.
std::vector<CopyDim> MergeDims(std::span<const CopyDim> dims);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_COPY_H_
