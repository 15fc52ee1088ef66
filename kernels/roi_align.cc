#include "kernels/roi_align.h"

#include <algorithm>
#include <cmath>

#include "kernels/index.h"
#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

// The samples of one bin along one axis: `count` of them in all, those in [first, last) near the
// picture.
struct Samples {
  double start = 0, step = 0;
  int64_t count = 0, first = 0, last = 0;

  double At(int64_t i) const { return start + (static_cast<double>(i) + 0.5) * step; }
};

// Where a sample lies between two elements along one axis.
struct Between {
  int64_t low, high;
  double low_weight, high_weight;
};

bool Inside(double at, int64_t size) { return at >= -1 && at <= static_cast<double>(size); }

Between Place(double at, int64_t size) {
  at = std::max(at, 0.0);
  const auto low = static_cast<int64_t>(at);
  if (low >= size - 1) return {size - 1, size - 1, 1, 0};
  const double beyond = at - static_cast<double>(low);
  return {low, low + 1, 1 - beyond, beyond};
}

// A region along one axis.
class Extent {
 public:
  Extent(double begin, double end, int64_t bins, int64_t size, const RoiAlignProblem& problem)
      : size_(size) {
    const double offset = problem.half_pixel ? 0.5 : 0;
    begin_ = begin * problem.scale - offset;
    double length = end * problem.scale - offset - begin_;
    if (!problem.half_pixel) length = std::max(length, 1.0);
    bin_ = length / static_cast<double>(bins);
    constexpr double kMostSamples = 1e9;
    count_ = problem.samples > 0 ? static_cast<double>(problem.samples)
                                 : std::clamp(std::ceil(bin_), 0.0, kMostSamples);
    if (!std::isfinite(begin_) || !std::isfinite(bin_)) count_ = 0;
  }

  Samples Bin(int64_t index) const {
    Samples samples;
    samples.count = static_cast<int64_t>(count_);
    if (samples.count == 0) return samples;
    samples.start = begin_ + static_cast<double>(index) * bin_;
    samples.step = bin_ / count_;
    samples.last = samples.count;
    if (samples.step <= 0) return samples;
    const auto number = [&](double at) {
      return static_cast<int64_t>(std::clamp((at - samples.start) / samples.step, -1.0, count_));
    };
    samples.first = std::max<int64_t>(number(-1) - 1, 0);
    samples.last = std::min(number(static_cast<double>(size_)) + 2, samples.count);
    return samples;
  }

 private:
  double begin_, bin_, count_;
  int64_t size_;
};

template <class T>
class RoiAlign final : public Kernel {
 public:
  explicit RoiAlign(const RoiAlignProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    const T* rois = static_cast<const T*>(operands.inputs[1]);
    const Indices pictures(p_.index_type, operands.inputs[2]);
    T* y = static_cast<T*>(operands.outputs[0]);
    const int64_t bins = p_.bins_high * p_.bins_wide;
    ForRows(*operands.threads, p_.regions * p_.channels, bins * 64, [&](int64_t row) {
      const int64_t region = row / p_.channels;
      const T* roi = rois + region * 4;
      const int64_t picture = WrapIndex(pictures[region], p_.batch);
      const T* plane =
          x + (picture * p_.channels + row % p_.channels) * p_.height * p_.width;
      const Extent across(roi[0], roi[2], p_.bins_wide, p_.width, p_);
      const Extent down(roi[1], roi[3], p_.bins_high, p_.height, p_);
      for (int64_t bin = 0; bin < bins; ++bin) {
        y[row * bins + bin] = static_cast<T>(
            Bin(plane, down.Bin(bin / p_.bins_wide), across.Bin(bin % p_.bins_wide)));
      }
    });
  }

 private:
  double Bin(const T* plane, const Samples& down, const Samples& across) const {
    const double count = static_cast<double>(down.count) * static_cast<double>(across.count);
    double sum = 0, largest = -INFINITY, seen = 0;
    for (int64_t i = down.first; i < down.last; ++i) {
      if (!Inside(down.At(i), p_.height)) continue;
      const Between v = Place(down.At(i), p_.height);
      for (int64_t j = across.first; j < across.last; ++j) {
        if (!Inside(across.At(j), p_.width)) continue;
        const Between h = Place(across.At(j), p_.width);
        const double corners[] = {
            v.low_weight * h.low_weight * static_cast<double>(plane[v.low * p_.width + h.low]),
            v.low_weight * h.high_weight * static_cast<double>(plane[v.low * p_.width + h.high]),
            v.high_weight * h.low_weight * static_cast<double>(plane[v.high * p_.width + h.low]),
            v.high_weight * h.high_weight * static_cast<double>(plane[v.high * p_.width + h.high])};
        for (const double corner : corners) {
          sum += corner;
          largest = std::max(largest, corner);
        }
        seen += 1;
      }
    }
    if (!p_.max) return sum / std::max(count, 1.0);
    return seen < std::max(count, 1.0) ? std::max(largest, 0.0) : largest;
  }

  const RoiAlignProblem p_;
};

std::unique_ptr<Kernel> Make(const RoiAlignProblem& problem) {
  if (problem.type == ElementType::kFloat64) return std::make_unique<RoiAlign<double>>(problem);
  return std::make_unique<RoiAlign<float>>(problem);
}

}  // namespace

std::span<const Candidate<RoiAlignProblem>> RoiAlignCandidates() {
  static constexpr Candidate<RoiAlignProblem> kCandidates[] = {
      {"reference", [](const RoiAlignProblem&) { return Refusal(); }, Make}};
  return kCandidates;
}

}  // namespace pleat::kernels
