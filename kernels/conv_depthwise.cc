// Depthwise convolution: every channel has a filter of its own. Line by line of the output, a few
// pixels at a time, over all channels.
#include <algorithm>
#include <vector>

#include "kernels/bias_table.h"
#include "kernels/conv_geometry.h"
#include "kernels/depthwise.h"
#include "kernels/epilogue.h"

namespace pleat::kernels {
namespace {

constexpr size_t kChannelUnit = 64;  // channels are split among threads in multiples of this

class DepthwiseConv final : public Kernel {
 public:
  explicit DepthwiseConv(const ConvProblem& p)
      : p_(p),
        line_(BestDepthwise(p.kernel[2], p.stride[2], p.dilation[2])),
        epilogue_(p.activation),
        table_(p, 1),
        in_(StridesOf(true, InPixels(p), p.in_channels, p.in_pixel_stride)),
        zeros_(static_cast<size_t>(p.in_channels), 0.0f) {
    if (p.weights != nullptr && p.weight_layout != WeightLayout::kTapsChannels) {
      packed_.resize(WeightCount());
      Pack(static_cast<const float*>(p.weights), packed_.data());
    }
  }

  size_t scratch_bytes(int threads) const override {
    const size_t weights = DynamicWeights() ? RoundUp(WeightCount() * sizeof(float)) : 0;
    return weights + ThreadBytes() * static_cast<size_t>(threads);
  }
  size_t packed_bytes() const override {
    return packed_.size() * sizeof(float) + table_.bytes();
  }

  void Run(const Operands& operands) const override {
    auto taken = TakeOperands<float>(p_, operands);
    auto* scratch = static_cast<std::byte*>(operands.scratch);
    if (DynamicWeights()) {
      Pack(taken.w, reinterpret_cast<float*>(scratch));
      taken.w = reinterpret_cast<const float*>(scratch);
      scratch += RoundUp(WeightCount() * sizeof(float));
    } else if (!packed_.empty()) {
      taken.w = packed_.data();
    }
    const auto lines = static_cast<size_t>(p_.batch * p_.out[0] * p_.out[1]);
    const auto channels = static_cast<size_t>(p_.out_channels);
    if (lines == 0 || p_.out[2] == 0 || channels == 0) return;
    const auto threads = static_cast<size_t>(operands.threads->threads());
    size_t line_parts = 1, channel_parts = 1;
    if (threads > 1 && lines * static_cast<size_t>(p_.out[2] * Taps(p_)) * channels > 50000) {
      line_parts = std::min(lines, threads * 8);
      channel_parts =
          std::max<size_t>(1, std::min(channels / kChannelUnit, threads * 4 / line_parts));
    }
    const size_t units = (channels + kChannelUnit - 1) / kChannelUnit;
    operands.threads->ParallelFor(line_parts * channel_parts, [&](size_t index, size_t slot) {
      const Range range = PartOf(lines, line_parts, index / channel_parts);
      const Range unit = PartOf(units, channel_parts, index % channel_parts);
      const Range part{unit.begin * kChannelUnit, std::min(channels, unit.end * kChannelUnit)};
      for (size_t line = range.begin; line < range.end; ++line) {
        Line(static_cast<int64_t>(line), part, taken, scratch + slot * ThreadBytes());
      }
    });
  }

 private:
  static size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }
  bool DynamicWeights() const {
    return p_.weights == nullptr && p_.weight_layout != WeightLayout::kTapsChannels;
  }
  size_t WeightCount() const {
    return static_cast<size_t>(ConvWeightElements(p_, WeightLayout::kTapsChannels));
  }
  size_t Rows() const { return static_cast<size_t>(p_.kernel[0] * p_.kernel[1]); }
  // Lines, their weights, and pixel pointers.
  size_t ThreadBytes() const {
    const auto pixels = static_cast<size_t>(kDepthwisePixels * p_.kernel[2]);
    return RoundUp(Rows() * (2 + pixels) * sizeof(const float*));
  }

  void Pack(const float* from, float* to) const {
    for (int64_t tap = 0; tap < Taps(p_); ++tap) {
      for (int64_t m = 0; m < p_.out_channels; ++m) {
        *to++ = from[WeightIndex(p_, p_.weight_layout, m, 0, tap)];
      }
    }
  }

  void Line(int64_t index, Range part, const ProductOperands<float>& taken,
            std::byte* scratch) const {
    const int64_t oh = index % p_.out[1], od = index / p_.out[1] % p_.out[0];
    const int64_t n = index / p_.out[1] / p_.out[0];
    const auto first = static_cast<int64_t>(part.begin);
    auto** lines = reinterpret_cast<const float**>(scratch);
    auto** weights = lines + Rows();
    size_t count = 0;
    for (int64_t kd = 0; kd < p_.kernel[0]; ++kd) {
      const int64_t id = od * p_.stride[0] - p_.pad_begin[0] + kd * p_.dilation[0];
      if (id < 0 || id >= p_.in[0]) continue;
      for (int64_t kh = 0; kh < p_.kernel[1]; ++kh) {
        const int64_t ih = oh * p_.stride[1] - p_.pad_begin[1] + kh * p_.dilation[1];
        if (ih < 0 || ih >= p_.in[1]) continue;
        lines[count] =
            taken.x + n * in_.batch + (id * p_.in[1] + ih) * p_.in[2] * in_.pixel + first;
        weights[count++] =
            taken.w + (kd * p_.kernel[1] + kh) * p_.kernel[2] * p_.out_channels + first;
      }
    }
    const size_t y_step = StepOr(p_.out_pixel_stride);
    const size_t residual_step = StepOr(p_.residual_pixel_stride);
    const auto pixel = static_cast<size_t>(index * p_.out[2]);
    DepthwiseLine job{};
    job.lines = lines;
    job.weights = weights;
    job.line_count = count;
    job.width = p_.in[2];
    job.x_step = in_.pixel;
    job.out_width = p_.out[2];
    job.kernel = p_.kernel[2];
    job.stride = p_.stride[2];
    job.dilation = p_.dilation[2];
    job.pad = p_.pad_begin[2];
    job.weight_step = static_cast<size_t>(p_.out_channels);
    if (taken.bias != nullptr) job.bias = taken.bias + first;
    if (!table_.empty()) {
      job.bias = table_.Line(od, oh) + first;
      job.bias_offsets = table_.offsets();
    }
    job.y = taken.y + pixel * y_step + part.begin;
    job.y_step = y_step;
    if (taken.residual != nullptr) {
      job.residual = taken.residual + pixel * residual_step + part.begin;
    }
    job.residual_step = residual_step;
    job.channels = part.end - part.begin;
    job.zeros = zeros_.data();
    job.low = epilogue_.low;
    job.high = epilogue_.high;
    job.pointers = weights + Rows();
    line_(job);
    epilogue_.Finish(job.y, static_cast<size_t>(p_.out[2]), job.channels, y_step);
  }

  size_t StepOr(int64_t step) const {
    return static_cast<size_t>(step == 0 ? p_.out_channels : step);
  }

  const ConvProblem p_;
  const DepthwiseFunction line_;
  const Epilogue epilogue_;
  const BiasTable table_;
  const ImageStrides in_;
  const std::vector<float> zeros_;
  std::vector<float> packed_;
};

Refusal Refuse(const ConvProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (!p.channels_last) return "channels last only";
  if (p.in_channels != p.groups || p.out_channels != p.groups) return "not depthwise";
  if (p.groups == 1) return "a single channel";
  if (p.prologue) return "reads its input as it is";
  return RefuseTapBias(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvDepthwise;
const Candidate<ConvProblem> kConvDepthwise = {"depthwise", Refuse,
                                               [](const ConvProblem& p) -> std::unique_ptr<Kernel> {
                                                 return std::make_unique<DepthwiseConv>(p);
                                               }};

}  // namespace pleat::kernels
