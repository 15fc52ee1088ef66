// One line of a grouped convolution's output, for as many channels as a vector has lanes; the loops
// under conv_grouped.cc.
#ifndef PLEAT_KERNELS_GROUPED_H_
#define PLEAT_KERNELS_GROUPED_H_

#include <cstddef>
#include <cstdint>

namespace pleat::kernels {

// Taps along a line, and output pixels that are computed together, at most.
inline constexpr size_t kGroupedTaps = 3;
inline constexpr size_t kGroupedPixels = 8;

struct GroupedLine {
  // Lines of the image that the window's rows fall on, without those outside: pixels from the first
  // that an output reads, [line_count][columns].
  const float* const* pixels;
  size_t columns;
  const size_t* rows;  // of the window, for each line
  size_t line_count;
  const float* weights;  // [row][input of the group][kGroupedTaps][lanes]
  size_t width;          // channels of a group
  size_t channel;        // first that is computed
  size_t out_width;
  const float* bias;           // of `channel` on, or null
  const size_t* bias_offsets;  // of each output pixel's bias from `bias`; null: all have the same
  float* y;                    // of `channel` on
  size_t y_step;
  const float* residual;  // of `channel` on, or null
  size_t residual_step;
  float low, high;
};

// For the best instruction set in use. Every output is one chain of fused multiply-adds, line by
// line, then input by input, then along the window's row.
struct Grouped {
  // For groups narrower than a vector, of which it holds a whole number, or a whole number of
  // vectors wide; for a stride of 1 or 2. Null where vectors are too short to gain anything.
  void (*line)(const GroupedLine& line);
  size_t lanes;
};
Grouped BestGrouped(size_t width, int64_t stride);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_GROUPED_H_
