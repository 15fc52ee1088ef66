// The matrix product under convolution, transposed convolution, Winograd's and MatMul. Rows are
// given as pointers, so that they may lie anywhere and be read many times; weights lie in panels of
// 16 outputs; bias, residual and bounds are applied in registers:
//   y[r][n] = min(max(init[n] + sum_{t,k} rows[t][r][k] * panel[t][k][n] + residual[r][n], low),
//   high)
#ifndef PLEAT_KERNELS_GEMM_H_
#define PLEAT_KERNELS_GEMM_H_

#include <cstddef>

namespace pleat::kernels {

// Sums run along t, then k, in chains of fused multiply-adds for each output, at most chain_steps
// long, whose sums are then added in order: rounding errors grow with the chain, not the sum, and
// results do not depend on how a product is cut into blocks.
inline constexpr size_t kChainSteps = 256;
// The same where --exact asks for small errors: resnet50 stays below 1e-5 of max|y| with it.
inline constexpr size_t kExactChainSteps = 64;

struct BlockJob {
  size_t chain_steps = kChainSteps;
  // rows[t * row_count + r] + offset is `count` floats of row r for tap t.
  const float* const* rows;
  size_t offset;
  size_t row_count;
  size_t taps;
  size_t count;
  // Panels [taps][count][16] for all columns, zero beyond the last; panel_step floats apart.
  const float* panels;
  size_t panel_step;
  const float* next_panels;  // those a later block will read, to be fetched meanwhile; or null
  const float* init;         // whole panels long, or null
  // When not null, row r starts from inits[r] + init_offset instead.
  const float* const* inits;
  size_t init_offset;
  size_t columns;
  float* y;
  size_t y_step;
  const float* residual;  // laid out as y but for its step; or null
  size_t residual_step;
  float low, high;
};

// The product for one instruction set.
struct Gemm {
  void (*multiply)(const BlockJob& job);
  // Columns that are computed at a time: blocks had best be a multiple wide.
  size_t columns;
  // About how many cycles a block takes whose sums are `steps` long.
  double (*cycles)(size_t rows, size_t columns, size_t steps);
};

// For the best instruction set in use.
Gemm BestGemm();

// How a product of m rows and n columns is split into parts that threads take.
struct Split {
  size_t m_parts, n_parts;
};
struct SplitRequest {
  size_t m;
  size_t block_rows;      // in a part, at most
  size_t units, columns;  // columns are split between units of so many
  bool apart = false;     // each unit is a product of its own
  size_t steps;           // of a sum
  // What one row, or one unit, takes to be read once more.
  size_t row_bytes, unit_bytes;
};
// The split that should end soonest: little is read twice, tiles are whole, no thread waits.
Split SplitProduct(const Gemm& gemm, const SplitRequest& request, int threads);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_GEMM_H_
