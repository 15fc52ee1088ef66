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

// min(max(x, low), high), NaN for NaN: instructions let it through in this order of operands, but
// Highway's function for single numbers, which keeps the bound.
template <class V>
HWY_INLINE V Bounded(V x, V low, V high) {
#if HWY_TARGET == HWY_SCALAR
  x = hn::IfThenElse(hn::Lt(x, low), low, x);
  return hn::IfThenElse(hn::Gt(x, high), high, x);
#else
  return hn::Min(high, hn::Max(low, x));
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
