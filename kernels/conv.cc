#include "kernels/conv.h"

#include <algorithm>

#include "kernels/conv_geometry.h"

namespace pleat::kernels {

#define PLEAT_CONV(name) extern const Candidate<ConvProblem> kConv##name;
#include "kernels/conv_kernels.inc"
#undef PLEAT_CONV

std::span<const Candidate<ConvProblem>> ConvCandidates() {
#define PLEAT_CONV(name) kConv##name,
  static const Candidate<ConvProblem> kAll[] = {
#include "kernels/conv_kernels.inc"
  };
#undef PLEAT_CONV
  return kAll;
}

int64_t ConvWeightElements(const ConvProblem& p, WeightLayout layout) {
  const int64_t inputs = p.in_channels / p.groups;
  if (layout == WeightLayout::kPanels16) {
    const int64_t panels = p.groups * CeilDiv(p.out_channels / p.groups, kPanelWidth);
    return panels * Taps(p) * inputs * kPanelWidth;
  }
  return p.out_channels * inputs * Taps(p);
}

void PackConvWeights(const ConvProblem& p, WeightLayout to, const float* from, float* packed) {
  std::fill_n(packed, ConvWeightElements(p, to), 0.0f);
  const int64_t inputs = p.in_channels / p.groups;
  const int64_t taps = Taps(p);
  for (int64_t m = 0; m < p.out_channels; ++m) {
    for (int64_t c = 0; c < inputs; ++c) {
      for (int64_t tap = 0; tap < taps; ++tap) packed[WeightIndex(p, to, m, c, tap)] = *from++;
    }
  }
}

}  // namespace pleat::kernels
