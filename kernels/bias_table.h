// The bias of convolutions whose taps each add a number of their own where they meet the image: a
// batch norm's shift behind zero padding. Pixels that the same taps reach share a row, so that a
// 3x3 window has nine rows, whatever the image's size.
#ifndef PLEAT_KERNELS_BIAS_TABLE_H_
#define PLEAT_KERNELS_BIAS_TABLE_H_

#include <algorithm>
#include <map>
#include <vector>

#include "kernels/conv_geometry.h"

namespace pleat::kernels {

class BiasTable {
 public:
  // Rows hold the groups' channels `group_step` floats apart, zero in between. Empty without
  // problem.tap_bias. REQUIRES: the plain bias, if any, is constant.
  template <class Problem>
  BiasTable(const Problem& p, size_t group_step);

  bool empty() const { return rows_.empty(); }
  size_t bytes() const { return rows_.size() * sizeof(float); }

  const float* Row(int64_t od, int64_t oh, int64_t ow) const {
    return Line(od, oh) + offsets_[2][static_cast<size_t>(ow)];
  }
  // The row of column ow is at this plus offsets()[ow].
  const float* Line(int64_t od, int64_t oh) const {
    return rows_.data() + offsets_[0][static_cast<size_t>(od)] +
           offsets_[1][static_cast<size_t>(oh)];
  }
  const size_t* offsets() const { return offsets_[2].data(); }

  // Rows of output pixels [range) of all images, to `to`.
  template <class Problem>
  void FillRows(const Problem& p, Range range, const float** to) const {
    for (auto pixel = static_cast<int64_t>(range.begin); pixel < static_cast<int64_t>(range.end);
         ++pixel) {
      const int64_t line = pixel / p.out[2];
      *to++ = Row(line / p.out[1] % p.out[0], line % p.out[1], pixel % p.out[2]);
    }
  }

 private:
  // Which taps along an axis meet the image.
  using TapList = std::vector<int64_t>;

  std::vector<float> rows_;
  std::vector<size_t> offsets_[3];  // by output coordinate
};

// Why kernels with a table of biases cannot make it; empty when they can or need none.
template <class Problem>
Refusal RefuseTapBias(const Problem& p) {
  if (p.tap_bias == nullptr) return Refusal();
  if (p.has_bias && p.bias == nullptr) return "adds taps' biases to a constant bias only";
  constexpr int64_t kMaxSize = int64_t{1} << 22;
  constexpr double kMaxSums = 1e8;
  double sums = static_cast<double>(p.out_channels * Taps(p));
  bool small = true;
  for (int d = 0; d < 3; ++d) {
    small = small && p.out[d] <= kMaxSize;
    sums *= static_cast<double>(std::min(p.out[d], 2 * p.kernel[d] + p.stride[d]));
  }
  return small && sums <= kMaxSums ? Refusal() : "its table of biases would be too large";
}

template <class Problem>
BiasTable::BiasTable(const Problem& p, size_t group_step) {
  if (p.tap_bias == nullptr) return;
  const auto outputs = static_cast<size_t>(p.out_channels / p.groups);
  const size_t width = static_cast<size_t>(p.groups) * group_step;
  std::vector<TapList> kinds[3];
  for (int d = 0; d < 3; ++d) {
    std::map<TapList, size_t> seen;
    auto place = seen.end();
    TapList taps;
    for (int64_t o = 0; o < p.out[d]; ++o) {
      taps.clear();
      for (int64_t k = 0; k < p.kernel[d]; ++k) {
        if (SourceOf(p, d, o, k) >= 0) taps.push_back(k);
      }
      if (place == seen.end() || place->first != taps) {
        place = seen.emplace(taps, kinds[d].size()).first;
        if (place->second == kinds[d].size()) kinds[d].push_back(taps);
      }
      offsets_[d].push_back(place->second);
    }
  }
  const size_t steps[3] = {kinds[1].size() * kinds[2].size() * width, kinds[2].size() * width,
                           width};
  for (int d = 0; d < 3; ++d) {
    for (size_t& offset : offsets_[d]) offset *= steps[d];
  }
  rows_.assign(kinds[0].size() * steps[0], 0.0f);
  const auto* bias = static_cast<const float*>(p.bias);
  const auto taps = static_cast<size_t>(Taps(p));
  float* row = rows_.data();
  for (const TapList& depth : kinds[0]) {
    for (const TapList& height : kinds[1]) {
      for (const TapList& breadth : kinds[2]) {
        for (size_t m = 0; m < static_cast<size_t>(p.out_channels); ++m) {
          double sum = p.has_bias ? static_cast<double>(bias[m]) : 0;
          for (int64_t kd : depth) {
            for (int64_t kh : height) {
              for (int64_t kw : breadth) {
                const int64_t tap = (kd * p.kernel[1] + kh) * p.kernel[2] + kw;
                sum += p.tap_bias[m * taps + static_cast<size_t>(tap)];
              }
            }
          }
          row[m / outputs * group_step + m % outputs] = static_cast<float>(sum);
        }
        row += width;
      }
    }
  }
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_BIAS_TABLE_H_
