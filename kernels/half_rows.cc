#include "kernels/half_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/half_rows.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"
#include "kernels/bounds-inl.h"
#include "kernels/gemm.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

constexpr size_t kPanelLanes = 16;
using RowTag = hn::CappedTag<float, kPanelLanes>;
using V = hn::Vec<RowTag>;
constexpr size_t kRowLanes = HWY_MIN(HWY_LANES(float), kPanelLanes);
constexpr size_t kVectorsPerPanel = kPanelLanes / kRowLanes;
// Panels at a time: many chains, for which weights are waited at once.
constexpr size_t kWidePanels = HWY_MIN(size_t{4}, HWY_MAX(size_t{1}, 8 / kVectorsPerPanel));
constexpr size_t kAhead = 1280;  // bytes of each panel

// Lanes of weights as float32.
HWY_INLINE V Widen(const Float16* from) {
  const RowTag d;
#if HWY_ARCH_ARM_A64 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2)
  const hn::Rebind<hwy::float16_t, RowTag> halves;
  return hn::PromoteTo(d, hn::LoadU(halves, reinterpret_cast<const hwy::float16_t*>(from)));
#else
  const hn::Rebind<uint16_t, RowTag> halves;
  const hn::RebindToSigned<RowTag> words;
  const auto bits = hn::BitCast(words, hn::PromoteTo(hn::RebindToUnsigned<RowTag>(),
                                                     hn::LoadU(halves, &from->bits)));
  const auto magnitude = hn::And(bits, hn::Set(words, 0x7fff));
  const auto sign = hn::ShiftLeft<16>(hn::Sub(bits, magnitude));
  const auto moved = hn::ShiftLeft<13>(magnitude);
  // The exponent's bias is smaller by 112.
  const auto finite = hn::BitCast(words, hn::Mul(hn::BitCast(d, moved), hn::Set(d, 0x1p112f)));
  const auto huge = hn::Or(moved, hn::Set(words, 0x7f800000));
  const auto value =
      hn::IfThenElse(hn::Gt(magnitude, hn::Set(words, 0x7bff)), huge, finite);
  return hn::BitCast(d, hn::Or(value, sign));
#endif
}

template <size_t kPanels>
void Panels(const HalfRowJob& job) {
  const RowTag d;
  constexpr size_t L = kRowLanes;
  constexpr size_t kVectors = kPanels * kVectorsPerPanel;
  V sums[kVectors];
  const Float16* weights[kPanels];
  HWY_UNROLL(8)
  for (size_t p = 0; p < kPanels; ++p) weights[p] = job.panels + p * job.count * kPanelLanes;
  HWY_UNROLL(8)
  for (size_t v = 0; v < kVectors; ++v) {
    sums[v] = job.init == nullptr ? hn::Zero(d) : hn::LoadU(d, job.init + v * L);
  }
  HWY_ALIGN float carried[kVectors * kRowLanes];
  for (size_t k = 0;;) {
    const bool first = k == 0;
    const size_t end = k + HWY_MIN(kChainSteps, job.count - k);
    for (; k < end; ++k) {
      const V x = hn::Set(d, job.row[k]);
      HWY_UNROLL(8)
      for (size_t p = 0; p < kPanels; ++p) {
        const Float16* from = weights[p] + k * kPanelLanes;
        __builtin_prefetch(reinterpret_cast<const char*>(from) + kAhead, 0, 3);
        HWY_UNROLL(4)
        for (size_t v = 0; v < kVectorsPerPanel; ++v) {
          V& sum = sums[p * kVectorsPerPanel + v];
          sum = hn::MulAdd(x, Widen(from + v * L), sum);
        }
      }
    }
    HWY_UNROLL(8)
    for (size_t v = 0; !first && v < kVectors; ++v) {
      sums[v] = hn::Add(hn::Load(d, carried + v * L), sums[v]);
    }
    if (k == job.count) break;
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) {
      hn::Store(sums[v], d, carried + v * L);
      sums[v] = hn::Zero(d);
    }
  }
  const V low = hn::Set(d, job.low), high = hn::Set(d, job.high);
  HWY_UNROLL(8)
  for (size_t v = 0; v < kVectors; ++v) {
    if (v * L >= job.columns) break;
    const size_t count = HWY_MIN(job.columns - v * L, L);
    if (job.residual != nullptr) {
      sums[v] = hn::Add(sums[v], LoadUpTo(d, job.residual + v * L, count));
    }
    StoreUpTo(Bounded(sums[v], low, high), d, job.y + v * L, count);
  }
}

void HalfRow(const HalfRowJob& job) {
  HalfRowJob part = job;
  for (size_t left = job.columns; left > 0; left -= part.columns) {
    const bool wide = left > (kWidePanels - 1) * kPanelLanes;
    const size_t panels = wide ? kWidePanels : 1;
    part.columns = HWY_MIN(left, panels * kPanelLanes);
    if (wide) {
      Panels<kWidePanels>(part);
    } else {
      Panels<1>(part);
    }
    part.panels += panels * part.count * kPanelLanes;
    if (part.init != nullptr) part.init += part.columns;
    part.y += part.columns;
    if (part.residual != nullptr) part.residual += part.columns;
  }
}

HalfRowFunction MakeHalfRow() { return HalfRow; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(MakeHalfRow);

HalfRowFunction BestHalfRow() { return HWY_DYNAMIC_DISPATCH(MakeHalfRow)(); }

}  // namespace pleat::kernels
#endif  // HWY_ONCE
