// From floating point to integers without undefined behaviour.
#ifndef PLEAT_KERNELS_SATURATE_H_
#define PLEAT_KERNELS_SATURATE_H_

#include <cmath>
#include <limits>

namespace pleat::kernels {

// x truncated towards zero, held within T's range; NaN becomes 0. T is an integer type.
template <class T>
constexpr T Saturate(double x) {
  constexpr T kLow = std::numeric_limits<T>::min();
  constexpr T kHigh = std::numeric_limits<T>::max();
  if (x != x) return 0;
  // Both limits, plus or minus one, are exact in double or round away from T's range.
  if (x <= static_cast<double>(kLow)) return kLow;
  if (x >= static_cast<double>(kHigh)) return kHigh;
  return static_cast<T>(x);
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_SATURATE_H_
