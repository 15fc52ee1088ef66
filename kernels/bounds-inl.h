// The bounds that kernels apply before they store.
#if defined(PLEAT_KERNELS_BOUNDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLEAT_KERNELS_BOUNDS_INL_H_
#undef PLEAT_KERNELS_BOUNDS_INL_H_
#else
#define PLEAT_KERNELS_BOUNDS_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// min(max(x, low), high), NaN for NaN.
template <class V>
HWY_INLINE V Clip(V x, V low, V high) {
  x = hn::IfThenElse(hn::Lt(x, low), low, x);
  return hn::IfThenElse(hn::Gt(x, high), high, x);
}

// The same in fewer instructions, for bounds that are numbers: they let a NaN through in this order
// of operands, but Highway's function for one lane, which keeps the bound.
template <class V>
HWY_INLINE V Bounded(V x, V low, V high) {
#if HWY_TARGET == HWY_SCALAR
  return Clip(x, low, high);
#else
  return hn::Min(high, hn::Max(low, x));
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
