// A per-channel multiply-add and an activation that a kernel applies to its input where it reads
// it, so that they take no pass of their own over memory: x[c] -> act(x[c] * scale[c] + shift[c]).
// Padding is added behind it.
#ifndef PLEAT_KERNELS_PROLOGUE_H_
#define PLEAT_KERNELS_PROLOGUE_H_

#include <cstddef>

#include "kernels/activation.h"

namespace pleat::kernels {

struct Prologue {
  // Constants [channels] of the problem's type, alive as long as the kernel; null: no prologue.
  const void* scale = nullptr;
  const void* shift = nullptr;
  Activation activation;

  explicit operator bool() const { return scale != nullptr; }
};

// The definition, for the reference kernels.
template <class T>
double ApplyPrologue(const Prologue& prologue, double x, size_t channel) {
  const double sum = x * static_cast<double>(static_cast<const T*>(prologue.scale)[channel]) +
                     static_cast<double>(static_cast<const T*>(prologue.shift)[channel]);
  return ApplyUnary(prologue.activation.kind, prologue.activation.a, prologue.activation.b, sum);
}

// y[i] = act(x[i] * scale[i] + shift[i]) for `count` neighbouring channels of float32; y may be x.
using PrologueFunction = void (*)(const Activation& activation, const float* scale,
                                  const float* shift, const float* x, float* y, size_t count);
// For the best instruction set in use.
PrologueFunction BestPrologue();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_PROLOGUE_H_
