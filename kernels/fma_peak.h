// The yardstick: how many float32 multiply-adds the machine can do, by doing nothing else.
#ifndef PLEAT_KERNELS_FMA_PEAK_H_
#define PLEAT_KERNELS_FMA_PEAK_H_

#include "kernels/threads.h"

namespace pleat::kernels {

// Operations a second (a multiply-add counts as two) of independent multiply-adds in registers, on
// all threads of the pool at once, in full vectors of the best instruction set. The best of several
// rounds, some 30 ms in all; called alone, it is what the clock allows at this moment.
double MeasureFmaPeak(ThreadPool& threads);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_FMA_PEAK_H_
