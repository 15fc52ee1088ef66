// The elementwise steps of a recurrent cell on rows of floats, for one instruction set. Rows are
// 64-byte aligned and a multiple of 16 long; a result may be written over any operand.
#ifndef PLEAT_KERNELS_RECURRENT_ROWS_H_
#define PLEAT_KERNELS_RECURRENT_ROWS_H_

#include <cstddef>

namespace pleat::kernels {

struct RecurrentRows {
  void (*clip)(float bound, float* x, size_t count);  // to [-bound, bound], NaN stays
  void (*mul)(const float* a, const float* b, float* y, size_t count);      // y = a b
  void (*mul_add)(const float* a, const float* b, float* y, size_t count);  // y = y + a b
  void (*rest)(const float* x, float* y, size_t count);                     // y = 1 - x
  // c = f c + i g
  void (*cell)(const float* f, const float* i, const float* g, float* c, size_t count);
  // h = (1 - z) n + z h
  void (*mix)(const float* z, const float* n, float* h, size_t count);
};

// For the best instruction set in use.
RecurrentRows BestRecurrentRows();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_RECURRENT_ROWS_H_
