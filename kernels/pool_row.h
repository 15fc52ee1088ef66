// One row of pooled outputs: what the vector kernel does at a time.
#ifndef PLEAT_KERNELS_POOL_ROW_H_
#define PLEAT_KERNELS_POOL_ROW_H_

#include <cstdint>

namespace pleat::kernels {

// The kernel positions of one output that lie on the image, along the width.
struct PoolColumn {
  int64_t first;  // input column of the first
  int64_t taps;
  double count;  // what an average divides by
};

// Steps are in elements.
struct PoolRow {
  const float* x;        // column `first_column` of the first input row
  int64_t first_column;  // columns before it are not read
  int64_t planes, plane_step;
  int64_t rows, row_step;
  int64_t pixel_step;
  int64_t tap_step;
  const PoolColumn* columns;
  int64_t outputs;
  float* y;
  int64_t y_step;
  int64_t channels;  // done at each output
  double count;      // factor of PoolColumn::count from the other dimensions
  // When the input rows are first combined into one: its length, and memory for it.
  bool combine_rows;
  int64_t row_columns;
  float* scratch;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_POOL_ROW_H_
