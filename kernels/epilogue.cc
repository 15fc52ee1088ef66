#include "kernels/epilogue.h"

#include "kernels/unary.h"

namespace pleat::kernels {

void Epilogue::Finish(float* y, size_t rows, size_t columns, size_t step) const {
  if (bounds_only) return;
  if (columns == step) {
    ApplyActivation(activation, y, rows * columns);
    return;
  }
  for (size_t r = 0; r < rows; ++r) ApplyActivation(activation, y + r * step, columns);
}

}  // namespace pleat::kernels
