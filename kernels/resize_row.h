// One row of a resampled plane: what the vector kernel does at a time.
#ifndef PLEAT_KERNELS_RESIZE_ROW_H_
#define PLEAT_KERNELS_RESIZE_ROW_H_

#include <cstdint>
#include <vector>

namespace pleat::kernels {

// A ResizeTable in float32. Of every output's taps the first `count` have weights other than 0.
struct ResizeWeights {
  int64_t taps = 1;
  std::vector<int32_t> positions;  // [out][taps]
  std::vector<float> weights;      // [out][taps]
  std::vector<int32_t> counts;     // [out]
};

struct ResizeRow {
  const float* x;    // the image
  int64_t row_step;  // elements between its rows: in width * channels
  int64_t channels;
  const ResizeWeights* rows;
  int64_t output_row;
  const ResizeWeights* columns;  // null: the width is left alone
  int64_t width;                 // of the output
  float* y;
  float* scratch;  // row_step numbers
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_RESIZE_ROW_H_
