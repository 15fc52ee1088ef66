#include "kernels/recurrent_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent_rows.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"
#include "kernels/bounds-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using RowTag = hn::CappedTag<float, 16>;

void Clip(float bound, float* x, size_t count) {
  const RowTag d;
  const auto low = hn::Set(d, -bound), high = hn::Set(d, bound);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(Bounded(hn::Load(d, x + i), low, high), d, x + i);
  }
}

void Mul(const float* a, const float* b, float* y, size_t count) {
  const RowTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(hn::Mul(hn::Load(d, a + i), hn::Load(d, b + i)), d, y + i);
  }
}

void MulAdd(const float* a, const float* b, float* y, size_t count) {
  const RowTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(hn::MulAdd(hn::Load(d, a + i), hn::Load(d, b + i), hn::Load(d, y + i)), d, y + i);
  }
}

void Rest(const float* x, float* y, size_t count) {
  const RowTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::Store(hn::Sub(hn::Set(d, 1.0f), hn::Load(d, x + i)), d, y + i);
  }
}

void Cell(const float* f, const float* i, const float* g, float* c, size_t count) {
  const RowTag d;
  for (size_t k = 0; k < count; k += hn::Lanes(d)) {
    const auto fresh = hn::Mul(hn::Load(d, i + k), hn::Load(d, g + k));
    hn::Store(hn::MulAdd(hn::Load(d, f + k), hn::Load(d, c + k), fresh), d, c + k);
  }
}

void Mix(const float* z, const float* n, float* h, size_t count) {
  const RowTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const auto gate = hn::Load(d, z + i);
    const auto fresh = hn::Mul(hn::Sub(hn::Set(d, 1.0f), gate), hn::Load(d, n + i));
    hn::Store(hn::MulAdd(gate, hn::Load(d, h + i), fresh), d, h + i);
  }
}

RecurrentRows MakeRows() { return {Clip, Mul, MulAdd, Rest, Cell, Mix}; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(MakeRows);

RecurrentRows BestRecurrentRows() { return HWY_DYNAMIC_DISPATCH(MakeRows)(); }

}  // namespace pleat::kernels
#endif  // HWY_ONCE
