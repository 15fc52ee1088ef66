// The last lanes of an array, with nothing beyond its end touched. A value computed from them is
// the value a full vector would give, so results do not depend on where an element lies.
#if defined(PLEAT_KERNELS_TAIL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLEAT_KERNELS_TAIL_INL_H_
#undef PLEAT_KERNELS_TAIL_INL_H_
#else
#define PLEAT_KERNELS_TAIL_INL_H_
#endif

#include <cstddef>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// p[0, count) in the first lanes, zero in the others. REQUIRES: count <= Lanes(d).
template <class D>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const hn::TFromD<D>* p, size_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2
  alignas(HWY_MAX_BYTES) hn::TFromD<D> lanes[hn::MaxLanes(d)] = {};
  std::memcpy(lanes, p, count * sizeof(*p));
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, count), d, p);
#endif
}

// Writes the first `count` lanes to p. REQUIRES: count <= Lanes(d).
template <class D>
HWY_INLINE void StoreFirst(hn::Vec<D> v, D d, hn::TFromD<D>* p, size_t count) {
#if HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2
  alignas(HWY_MAX_BYTES) hn::TFromD<D> lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, count * sizeof(*p));
#else
  hn::BlendedStore(v, hn::FirstN(d, count), d, p);
#endif
}

// The same where a full vector is the common case.
template <class D>
HWY_INLINE hn::Vec<D> LoadUpTo(D d, const hn::TFromD<D>* p, size_t count) {
  return count == hn::Lanes(d) ? hn::LoadU(d, p) : LoadFirst(d, p, count);
}
template <class D>
HWY_INLINE void StoreUpTo(hn::Vec<D> v, D d, hn::TFromD<D>* p, size_t count) {
  if (count == hn::Lanes(d)) {
    hn::StoreU(v, d, p);
  } else {
    StoreFirst(v, d, p, count);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
