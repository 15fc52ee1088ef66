// The definition of convolution and transposed convolution as plain loops, in double whatever the
// storage: what every other kernel is tested against, and the oracle of whole networks.
#ifndef PLEAT_KERNELS_CONV_REFERENCE_H_
#define PLEAT_KERNELS_CONV_REFERENCE_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/conv_geometry.h"

namespace pleat::kernels {

// Sums windows of weighted pixels; SourceOf says which pixel a tap reads.
template <class T, class Problem>
class ReferenceWindows final : public Kernel {
 public:
  explicit ReferenceWindows(const Problem& problem) : p_(problem) {
    if (p_.weights != nullptr) {
      packed_.resize(PackedCount());
      Pack(static_cast<const T*>(p_.weights), packed_.data());
    }
  }

  size_t scratch_bytes(int) const override {
    return p_.weights != nullptr ? 0 : PackedCount() * sizeof(double);
  }
  size_t packed_bytes() const override { return packed_.size() * sizeof(double); }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<T>(p_, operands);
    const double* w = packed_.data();
    if (p_.weights == nullptr) {
      Pack(taken.w, static_cast<double*>(operands.scratch));
      w = static_cast<const double*>(operands.scratch);
    }
    const auto rows = static_cast<size_t>(p_.batch * p_.out[0] * p_.out[1]);
    operands.threads->ParallelFor(
        rows, [&](size_t row, size_t) { Row(static_cast<int64_t>(row), taken, w); });
  }

 private:
  // Weights as [group][panel][tap][input][16] in double.
  size_t PackedCount() const {
    const int64_t panels = p_.groups * CeilDiv(p_.out_channels / p_.groups, kPanelWidth);
    return static_cast<size_t>(panels * Taps(p_) * (p_.in_channels / p_.groups) * kPanelWidth);
  }

  void Pack(const T* from, double* to) const {
    const int64_t inputs = p_.in_channels / p_.groups, outputs = p_.out_channels / p_.groups;
    WeightLayout layout = WeightLayout::kOnnx;
    if constexpr (requires { p_.weight_layout; }) layout = p_.weight_layout;
    for (int64_t g = 0; g < p_.groups; ++g) {
      for (int64_t m = 0; m < outputs; m += kPanelWidth) {
        for (int64_t tap = 0; tap < Taps(p_); ++tap) {
          for (int64_t c = 0; c < inputs; ++c) {
            for (int64_t i = 0; i < kPanelWidth; ++i) {
              *to++ =
                  m + i < outputs ? from[WeightIndex(p_, layout, g * outputs + m + i, c, tap)] : 0;
            }
          }
        }
      }
    }
  }

  double ValueOf(T x, int64_t channel) const {
    if constexpr (requires { p_.prologue; }) {
      if (p_.prologue) return ApplyPrologue<T>(p_.prologue, x, static_cast<size_t>(channel));
    }
    static_cast<void>(channel);
    return x;
  }

  void Row(int64_t row, const ProductOperands<T>& taken, const double* weights) const {
    const int64_t n = row / (p_.out[0] * p_.out[1]);
    const int64_t od = row / p_.out[1] % p_.out[0], oh = row % p_.out[1];
    const int64_t inputs = p_.in_channels / p_.groups, outputs = p_.out_channels / p_.groups;
    int64_t in_step = 0, residual_step = 0;
    if constexpr (requires { p_.in_pixel_stride; }) {
      in_step = p_.in_pixel_stride;
      residual_step = p_.residual_pixel_stride;
    }
    const auto xs = StridesOf(p_.channels_last, InPixels(p_), p_.in_channels, in_step);
    const auto ys = StridesOf(p_.channels_last, OutPixels(p_), p_.out_channels, p_.out_pixel_stride);
    const auto rs = StridesOf(p_.channels_last, OutPixels(p_), p_.out_channels, residual_step);
    for (int64_t ow = 0; ow < p_.out[2]; ++ow) {
      const int64_t pixel = (od * p_.out[1] + oh) * p_.out[2] + ow;
      const double* w = weights;
      for (int64_t g = 0; g < p_.groups; ++g) {
        for (int64_t m = 0; m < outputs; m += kPanelWidth) {
          const int64_t here = std::min(kPanelWidth, outputs - m);
          double sums[kPanelWidth] = {};
          for (int64_t kd = 0; kd < p_.kernel[0]; ++kd) {
            const int64_t id = SourceOf(p_, 0, od, kd);
            for (int64_t kh = 0; kh < p_.kernel[1]; ++kh) {
              const int64_t ih = SourceOf(p_, 1, oh, kh);
              for (int64_t kw = 0; kw < p_.kernel[2]; ++kw) {
                const int64_t iw = SourceOf(p_, 2, ow, kw);
                if (id >= 0 && ih >= 0 && iw >= 0) {
                  const int64_t tap = (kd * p_.kernel[1] + kh) * p_.kernel[2] + kw;
                  for (int64_t i = 0; p_.tap_bias != nullptr && i < here; ++i) {
                    sums[i] += p_.tap_bias[(g * outputs + m + i) * Taps(p_) + tap];
                  }
                  const T* x = taken.x + n * xs.batch +
                               ((id * p_.in[1] + ih) * p_.in[2] + iw) * xs.pixel +
                               g * inputs * xs.channel;
                  for (int64_t c = 0; c < inputs; ++c) {
                    const double value = ValueOf(x[c * xs.channel], g * inputs + c);
                    for (int i = 0; i < kPanelWidth; ++i) {
                      sums[i] += value * w[c * kPanelWidth + i];
                    }
                  }
                }
                w += inputs * kPanelWidth;
              }
            }
          }
          for (int64_t i = 0; i < here; ++i) {
            const int64_t channel = g * outputs + m + i;
            double sum = sums[i];
            if (taken.bias != nullptr) sum += taken.bias[channel];
            if (taken.residual != nullptr) {
              sum += taken.residual[n * rs.batch + pixel * rs.pixel + channel * rs.channel];
            }
            taken.y[n * ys.batch + pixel * ys.pixel + channel * ys.channel] = static_cast<T>(
                ApplyUnary(p_.activation.kind, p_.activation.a, p_.activation.b, sum));
          }
        }
      }
    }
  }

  const Problem p_;
  std::vector<double> packed_;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_CONV_REFERENCE_H_
