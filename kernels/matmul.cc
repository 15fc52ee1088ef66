#include "kernels/matmul.h"

#include <algorithm>

#include "kernels/conv_geometry.h"

namespace pleat::kernels {

#define PLEAT_MATMUL(name) extern const Candidate<MatMulProblem> kMatMul##name;
#include "kernels/matmul_kernels.inc"
#undef PLEAT_MATMUL

std::span<const Candidate<MatMulProblem>> MatMulCandidates() {
#define PLEAT_MATMUL(name) kMatMul##name,
  static const Candidate<MatMulProblem> kAll[] = {
#include "kernels/matmul_kernels.inc"
  };
#undef PLEAT_MATMUL
  return kAll;
}

int64_t PanelElements(int64_t k, int64_t n) { return CeilDiv(n, kPanelWidth) * k * kPanelWidth; }

void PackPanels(int64_t k, int64_t n, bool transposed, const float* from, float* packed) {
  const int64_t row_step = transposed ? 1 : n, column_step = transposed ? k : 1;
  for (int64_t column = 0; column < n; column += kPanelWidth) {
    const int64_t width = std::min(kPanelWidth, n - column);
    for (int64_t row = 0; row < k; ++row) {
      const float* source = from + row * row_step + column * column_step;
      for (int64_t i = 0; i < width; ++i) packed[i] = source[i * column_step];
      std::fill(packed + width, packed + kPanelWidth, 0.0f);
      packed += kPanelWidth;
    }
  }
}

}  // namespace pleat::kernels
