// Transposed convolution without scattering. Outputs whose coordinates leave the same remainder by
// the stride (a phase) read the same taps of the kernel, so each phase of an output line is a
// product like a direct convolution's, whose rows are pointers into the image.
#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/bias_table.h"
#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"

namespace pleat::kernels {
namespace {

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

// A tap of the kernel along one axis, and the input it reads: that of the output divided by the
// stride, plus `shift`.
struct PhaseTap {
  int64_t k, shift;
};
using PhaseTaps = std::vector<PhaseTap>;

// The taps of each phase along axis d, ascending.
std::vector<PhaseTaps> PhasesOf(const ConvTransposeProblem& p, int d) {
  std::vector<PhaseTaps> phases(static_cast<size_t>(std::min(p.stride[d], p.out[d])));
  for (int64_t k = 0; k < p.kernel[d]; ++k) {
    const int64_t place = k * p.dilation[d] - p.pad_begin[d];
    const int64_t phase = (place % p.stride[d] + p.stride[d]) % p.stride[d];
    if (phase >= static_cast<int64_t>(phases.size())) continue;
    phases[static_cast<size_t>(phase)].push_back({k, (phase - place) / p.stride[d]});
  }
  return phases;
}

class PhasedConvTranspose final : public Kernel {
 public:
  explicit PhasedConvTranspose(const ConvTransposeProblem& p)
      : p_(p),
        inputs_(static_cast<size_t>(p.in_channels / p.groups)),
        outputs_(static_cast<size_t>(p.out_channels / p.groups)),
        panels_((outputs_ + kPanelWidth - 1) / kPanelWidth),
        gemm_(BestGemm()),
        epilogue_(p.activation),
        table_(p, panels_ * kPanelWidth),
        phases_{PhasesOf(p, 0), PhasesOf(p, 1), PhasesOf(p, 2)},
        zeros_(inputs_, 0.0f) {
    first_taps_.push_back(0);
    for (const auto& d : phases_[0]) {
      for (const auto& h : phases_[1]) {
        for (const auto& w : phases_[2]) {
          const size_t taps = d.size() * h.size() * w.size();
          most_taps_ = std::max(most_taps_, taps);
          first_taps_.push_back(first_taps_.back() + taps);
        }
      }
    }
    if (p.weights != nullptr) {
      packed_ = hwy::AllocateAligned<float>(PackedCount() + 1);
      Pack(static_cast<const float*>(p.weights), packed_.get());
    }
    if (p.has_bias && p.bias != nullptr) {
      bias_.resize(BiasCount());
      PadBias(static_cast<const float*>(p.bias), bias_.data());
    }
  }

  size_t scratch_bytes(int threads) const override {
    size_t bytes = static_cast<size_t>(threads) * ThreadBytes();
    if (p_.weights == nullptr) bytes += RoundUp(PackedCount() * sizeof(float));
    if (p_.has_bias && p_.bias == nullptr) bytes += RoundUp(BiasCount() * sizeof(float));
    return bytes;
  }
  size_t packed_bytes() const override {
    return (packed_ ? PackedCount() * sizeof(float) : 0) + bias_.size() * sizeof(float) +
           table_.bytes();
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    auto* scratch = static_cast<std::byte*>(operands.scratch);
    Job job{taken.x, packed_.get(), p_.has_bias ? bias_.data() : nullptr, taken.y};
    if (p_.weights == nullptr) {
      Pack(taken.w, reinterpret_cast<float*>(scratch));
      job.weights = reinterpret_cast<const float*>(scratch);
      scratch += RoundUp(PackedCount() * sizeof(float));
    }
    if (p_.has_bias && p_.bias == nullptr) {
      PadBias(taken.bias, reinterpret_cast<float*>(scratch));
      job.bias = reinterpret_cast<const float*>(scratch);
      scratch += RoundUp(BiasCount() * sizeof(float));
    }
    const auto lines = static_cast<size_t>(p_.batch * p_.out[0] * p_.out[1]);
    const auto groups = static_cast<size_t>(p_.groups);
    if (lines == 0 || p_.out[2] == 0 || outputs_ == 0) return;
    const auto threads = static_cast<size_t>(operands.threads->threads());
    const size_t units = (outputs_ + gemm_.columns - 1) / gemm_.columns;
    const size_t line_parts = threads == 1 ? 1 : std::min(lines, threads * 8);
    const size_t column_parts =
        threads == 1 ? 1 : std::clamp<size_t>(threads * 4 / (line_parts * groups), 1, units);
    const size_t parts = line_parts * column_parts;
    operands.threads->ParallelFor(parts * groups, [&](size_t index, size_t slot) {
      const Range range = PartOf(lines, line_parts, index % parts / column_parts);
      const Range unit = PartOf(units, column_parts, index % column_parts);
      const Range columns{unit.begin * gemm_.columns, std::min(outputs_, unit.end * gemm_.columns)};
      for (size_t line = range.begin; line < range.end; ++line) {
        Line(job, static_cast<int64_t>(line), index / parts, columns,
             reinterpret_cast<const float**>(scratch + slot * ThreadBytes()));
      }
    });
  }

 private:
  struct Job {
    const float* x;
    const float* weights;
    const float* bias;
    float* y;
  };

  size_t BiasCount() const { return static_cast<size_t>(p_.groups) * panels_ * kPanelWidth; }
  // Floats of all panels of one tap.
  size_t TapCount() const { return BiasCount() * inputs_; }
  size_t PackedCount() const { return first_taps_.back() * TapCount(); }
  size_t ThreadBytes() const {
    const size_t inits = table_.empty() ? 0 : WidestPhase();
    return RoundUp((WidestPhase() * most_taps_ + inits) * sizeof(const float*));
  }
  size_t WidestPhase() const { return static_cast<size_t>(CeilDiv(p_.out[2], p_.stride[2])); }

  void PadBias(const float* bias, float* padded) const {
    std::fill_n(padded, BiasCount(), 0.0f);
    for (size_t g = 0; g < static_cast<size_t>(p_.groups); ++g) {
      std::copy_n(bias + g * outputs_, outputs_, padded + g * panels_ * kPanelWidth);
    }
  }

  // [phase][group][panel][tap of the phase][input][16].
  void Pack(const float* from, float* to) const {
    for (const auto& d : phases_[0]) {
      for (const auto& h : phases_[1]) {
        for (const auto& w : phases_[2]) {
          for (int64_t g = 0; g < p_.groups; ++g) {
            for (size_t panel = 0; panel < panels_; ++panel) {
              for (const PhaseTap& kd : d) {
                for (const PhaseTap& kh : h) {
                  for (const PhaseTap& kw : w) {
                    PackTap(from, (kd.k * p_.kernel[1] + kh.k) * p_.kernel[2] + kw.k, g,
                            panel * kPanelWidth, to);
                    to += inputs_ * kPanelWidth;
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  void PackTap(const float* from, int64_t tap, int64_t g, size_t column, float* to) const {
    for (size_t c = 0; c < inputs_; ++c) {
      for (size_t i = 0; i < kPanelWidth; ++i) {
        const auto m = static_cast<int64_t>(static_cast<size_t>(g) * outputs_ + column + i);
        *to++ = column + i < outputs_
                    ? from[WeightIndex(p_, WeightLayout::kOnnx, m, static_cast<int64_t>(c), tap)]
                    : 0;
      }
    }
  }

  // An output line, phase by phase.
  void Line(const Job& job, int64_t line, size_t group, Range columns,
            const float** pointers) const {
    const int64_t oh = line % p_.out[1], od = line / p_.out[1] % p_.out[0];
    const int64_t n = line / p_.out[1] / p_.out[0];
    const auto phase_d = static_cast<size_t>(od % p_.stride[0]);
    const auto phase_h = static_cast<size_t>(oh % p_.stride[1]);
    const auto y_step =
        static_cast<size_t>(p_.out_pixel_stride == 0 ? p_.out_channels : p_.out_pixel_stride);
    const float* image =
        job.x + n * InPixels(p_) * p_.in_channels + static_cast<int64_t>(group * inputs_);
    for (size_t phase_w = 0; phase_w < phases_[2].size(); ++phase_w) {
      const auto first = static_cast<int64_t>(phase_w);
      const int64_t count = CeilDiv(p_.out[2] - first, p_.stride[2]);
      const float** to = pointers;
      for (const PhaseTap& d : phases_[0][phase_d]) {
        const int64_t id = od / p_.stride[0] + d.shift;
        for (const PhaseTap& h : phases_[1][phase_h]) {
          const int64_t ih = oh / p_.stride[1] + h.shift;
          const bool inside = id >= 0 && id < p_.in[0] && ih >= 0 && ih < p_.in[1];
          const int64_t line_pixel = inside ? (id * p_.in[1] + ih) * p_.in[2] : 0;
          for (const PhaseTap& w : phases_[2][phase_w]) {
            for (int64_t i = 0; i < count; ++i) {
              const int64_t iw = i + w.shift;
              *to++ = inside && iw >= 0 && iw < p_.in[2]
                          ? image + (line_pixel + iw) * p_.in_channels
                          : zeros_.data();
            }
          }
        }
      }
      const size_t phase = (phase_d * phases_[1].size() + phase_h) * phases_[2].size() + phase_w;
      const size_t taps = first_taps_[phase + 1] - first_taps_[phase];
      const size_t panel = group * panels_ + columns.begin / kPanelWidth;
      BlockJob block{};
      block.rows = pointers;
      block.row_count = static_cast<size_t>(count);
      block.taps = taps;
      block.count = inputs_;
      block.panel_step = taps * inputs_ * kPanelWidth;
      block.panels = job.weights + first_taps_[phase] * TapCount() + panel * block.panel_step;
      if (job.bias != nullptr) block.init = job.bias + panel * kPanelWidth;
      if (!table_.empty()) {
        const float** inits = pointers + WidestPhase() * most_taps_;
        for (int64_t i = 0; i < count; ++i) {
          inits[i] = table_.Row(od, oh, first + i * p_.stride[2]);
        }
        block.inits = inits;
        block.init_offset = panel * kPanelWidth;
      }
      block.columns = columns.end - columns.begin;
      block.y = job.y + static_cast<size_t>(line * p_.out[2] + first) * y_step +
                group * outputs_ + columns.begin;
      block.y_step = static_cast<size_t>(p_.stride[2]) * y_step;
      block.low = epilogue_.low;
      block.high = epilogue_.high;
      gemm_.multiply(block);
      epilogue_.Finish(block.y, block.row_count, block.columns, block.y_step);
    }
  }

  const ConvTransposeProblem p_;
  const size_t inputs_, outputs_, panels_;  // of a group
  const Gemm gemm_;
  const Epilogue epilogue_;
  const BiasTable table_;
  const std::vector<PhaseTaps> phases_[3];
  std::vector<size_t> first_taps_;  // before each phase, and in all
  size_t most_taps_ = 0;
  const std::vector<float> zeros_;
  std::vector<float> bias_;
  hwy::AlignedFreeUniquePtr<float[]> packed_;
};

Refusal Refuse(const ConvTransposeProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (!p.channels_last) return "channels last only";
  return RefuseTapBias(p);
}

}  // namespace

extern const Candidate<ConvTransposeProblem> kConvTransposePhases;
const Candidate<ConvTransposeProblem> kConvTransposePhases = {
    "phases", Refuse, [](const ConvTransposeProblem& p) -> std::unique_ptr<Kernel> {
      return std::make_unique<PhasedConvTranspose>(p);
    }};

}  // namespace pleat::kernels
