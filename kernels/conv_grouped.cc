// Convolution of narrow groups, a vector of output channels at a time whatever their number in a
// group: a panel's worth of them would be mostly zeros.
#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/bias_table.h"
#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/grouped.h"

namespace pleat::kernels {
namespace {

constexpr size_t kBandBytes = 128 * 1024;  // of the image, which all its channels go through

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

class GroupedConv final : public Kernel {
 public:
  explicit GroupedConv(const ConvProblem& p)
      : p_(p),
        width_(static_cast<size_t>(p.in_channels / p.groups)),
        channels_(static_cast<size_t>(p.in_channels)),
        grouped_(BestGrouped(width_, p.stride[2])),
        blocks_((channels_ + grouped_.lanes - 1) / grouped_.lanes),
        epilogue_(p.activation),
        table_(p, width_),
        in_(StridesOf(true, InPixels(p), p.in_channels, p.in_pixel_stride)),
        zeros_(channels_, 0.0f),
        packed_(hwy::AllocateAligned<float>(PackedCount())) {
    const auto out_width = std::max(static_cast<size_t>(p.out[2]), kGroupedPixels);
    columns_ = (out_width - 1) * static_cast<size_t>(p.stride[2]) + kGroupedTaps;
    const auto line_bytes = static_cast<size_t>(p.in[2] * p.in_channels * p.stride[1]) * 4;
    band_ = std::max<size_t>(1, kBandBytes / std::max<size_t>(1, line_bytes));
    band_ = std::min(band_, std::max<size_t>(1, Lines()));
    Pack();
  }

  size_t scratch_bytes(int threads) const override {
    return ThreadBytes() * static_cast<size_t>(threads);
  }
  size_t packed_bytes() const override {
    return PackedCount() * sizeof(float) + table_.bytes();
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    if (Lines() == 0 || p_.out[2] == 0) return;
    const auto threads = static_cast<size_t>(operands.threads->threads());
    // Blocks that overlap belong to one thread.
    const size_t units = channels_ / grouped_.lanes;
    size_t line_parts = 1, block_parts = 1;
    const size_t work = Lines() * static_cast<size_t>(p_.out[2] * Taps(p_)) * channels_ * width_;
    if (threads > 1 && work > 200000) {
      line_parts = std::clamp<size_t>(Lines() / 4, 1, threads * 6);
      block_parts = std::min(units, (threads * 6 + line_parts - 1) / line_parts);
    }
    operands.threads->ParallelFor(line_parts * block_parts, [&](size_t index, size_t slot) {
      const Range lines = PartOf(Lines(), line_parts, index / block_parts);
      Range blocks = PartOf(units, block_parts, index % block_parts);
      if (blocks.end == units) blocks.end = blocks_;
      auto* scratch = static_cast<std::byte*>(operands.scratch) + slot * ThreadBytes();
      for (size_t line = lines.begin; line < lines.end; line += band_) {
        Band({line, std::min(lines.end, line + band_)}, blocks, taken, scratch);
      }
    });
  }

 private:
  size_t Lines() const { return static_cast<size_t>(p_.batch * p_.out[0] * p_.out[1]); }
  size_t Rows() const { return static_cast<size_t>(p_.kernel[0] * p_.kernel[1]); }
  size_t BlockFloats() const { return Rows() * width_ * kGroupedTaps * grouped_.lanes; }
  size_t PackedCount() const { return blocks_ * BlockFloats(); }
  // The last block overlaps its neighbour: both compute the same.
  size_t ChannelOf(size_t block) const {
    return std::min(block * grouped_.lanes, channels_ - grouped_.lanes);
  }
  // Of a band: pixels, and the window's rows they are for.
  size_t PixelBytes() const { return RoundUp(band_ * Rows() * columns_ * sizeof(const float*)); }
  size_t ThreadBytes() const {
    return PixelBytes() + RoundUp(band_ * (Rows() + 1) * sizeof(size_t));
  }

  // [block][row][input][tap of the row][lane]. In every layout a weight's place is a sum of its
  // output's and of its input's and tap's.
  void Pack() {
    const auto index = [this](size_t m, int64_t c, int64_t tap) {
      return WeightIndex(p_, p_.weight_layout, static_cast<int64_t>(m), c, tap);
    };
    std::vector<int64_t> places, outputs(grouped_.lanes);
    for (int64_t row = 0; row < static_cast<int64_t>(Rows()); ++row) {
      for (int64_t c = 0; c < static_cast<int64_t>(width_); ++c) {
        for (int64_t tap = row * p_.kernel[2]; tap < (row + 1) * p_.kernel[2]; ++tap) {
          places.push_back(index(0, c, tap));
        }
      }
    }
    const auto* from = static_cast<const float*>(p_.weights);
    float* to = packed_.get();
    for (size_t block = 0; block < blocks_; ++block) {
      for (size_t lane = 0; lane < outputs.size(); ++lane) {
        outputs[lane] = index(ChannelOf(block) + lane, 0, 0);
      }
      for (const int64_t place : places) {
        for (const int64_t output : outputs) *to++ = from[output + place];
      }
    }
  }

  // Pointers to the pixels that an output line reads. Returns how many of the window's rows lie
  // inside the image.
  size_t FillLine(const float* x, size_t line, const float** pixels, size_t* rows) const {
    const auto index = static_cast<int64_t>(line);
    const int64_t oh = index % p_.out[1], od = index / p_.out[1] % p_.out[0];
    const int64_t n = index / p_.out[1] / p_.out[0];
    size_t count = 0;
    for (int64_t row = 0; row < static_cast<int64_t>(Rows()); ++row) {
      const int64_t id = SourceOf(p_, 0, od, row / p_.kernel[1]);
      const int64_t ih = SourceOf(p_, 1, oh, row % p_.kernel[1]);
      if (id < 0 || ih < 0) continue;
      const float* from = x + n * in_.batch + (id * p_.in[1] + ih) * p_.in[2] * in_.pixel;
      for (int64_t column = -p_.pad_begin[2];
           column < static_cast<int64_t>(columns_) - p_.pad_begin[2]; ++column) {
        const bool inside = column >= 0 && column < p_.in[2];
        *pixels++ = inside ? from + column * in_.pixel : zeros_.data();
      }
      rows[count++] = static_cast<size_t>(row);
    }
    return count;
  }

  // All the blocks for a few lines, whose pixels stay in the cache.
  void Band(Range lines, Range blocks, const ProductOperands<float>& taken,
            std::byte* scratch) const {
    auto** pixels = reinterpret_cast<const float**>(scratch);
    auto* rows = reinterpret_cast<size_t*>(scratch + PixelBytes());
    auto* counts = rows + band_ * Rows();
    for (size_t i = 0; i < lines.end - lines.begin; ++i) {
      counts[i] = FillLine(taken.x, lines.begin + i, pixels + i * Rows() * columns_,
                           rows + i * Rows());
    }
    GroupedLine job{};
    job.columns = columns_;
    job.width = width_;
    job.out_width = static_cast<size_t>(p_.out[2]);
    job.y_step = StepOr(p_.out_pixel_stride);
    job.residual_step = StepOr(p_.residual_pixel_stride);
    job.low = epilogue_.low;
    job.high = epilogue_.high;
    if (!table_.empty()) job.bias_offsets = table_.offsets();
    for (size_t block = blocks.begin; block < blocks.end; ++block) {
      job.channel = ChannelOf(block);
      job.weights = packed_.get() + block * BlockFloats();
      if (taken.bias != nullptr) job.bias = taken.bias + job.channel;
      for (size_t i = 0; i < lines.end - lines.begin; ++i) {
        const size_t line = lines.begin + i, pixel = line * job.out_width;
        job.pixels = pixels + i * Rows() * columns_;
        job.rows = rows + i * Rows();
        job.line_count = counts[i];
        if (!table_.empty()) {
          const auto row = static_cast<int64_t>(line);
          job.bias = table_.Line(row / p_.out[1] % p_.out[0], row % p_.out[1]) + job.channel;
        }
        job.y = taken.y + pixel * job.y_step + job.channel;
        if (taken.residual != nullptr) {
          job.residual = taken.residual + pixel * job.residual_step + job.channel;
        }
        grouped_.line(job);
      }
    }
    // Each channel once, though blocks overlap.
    const size_t first = blocks.begin == 0 ? 0 : BlockEnd(blocks.begin - 1);
    epilogue_.Finish(taken.y + lines.begin * job.out_width * job.y_step + first,
                     (lines.end - lines.begin) * job.out_width, BlockEnd(blocks.end - 1) - first,
                     job.y_step);
  }

  size_t BlockEnd(size_t block) const { return ChannelOf(block) + grouped_.lanes; }
  size_t StepOr(int64_t step) const { return step == 0 ? channels_ : static_cast<size_t>(step); }

  const ConvProblem p_;
  const size_t width_, channels_;
  const Grouped grouped_;
  const size_t blocks_;
  const Epilogue epilogue_;
  const BiasTable table_;
  const ImageStrides in_;
  const std::vector<float> zeros_;
  size_t columns_, band_;
  const hwy::AlignedFreeUniquePtr<float[]> packed_;
};

Refusal Refuse(const ConvProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (!p.channels_last) return "channels last only";
  if (p.weights == nullptr) return "weights are not constant";
  if (p.in_channels != p.out_channels) return "as many outputs as inputs only";
  const int64_t width = p.in_channels / p.groups;
  if (width != 2 && width != 4 && width != 8) return "groups of 2, 4 or 8 channels only";
  if (p.kernel[2] != static_cast<int64_t>(kGroupedTaps)) return "windows 3 wide only";
  if (p.stride[2] > 2 || p.dilation[2] != 1) return "stride 1 or 2 and dilation 1 only";
  if (Taps(p) * width > static_cast<int64_t>(kChainSteps)) return "its sums are too long";
  if (p.in_channels < kPanelWidth) return "too few channels";
  if (p.prologue) return "reads its input as it is";
  if (BestGrouped(static_cast<size_t>(width), p.stride[2]).line == nullptr) {
    return "vectors are too short here";
  }
  return RefuseTapBias(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvGrouped;
const Candidate<ConvProblem> kConvGrouped = {"grouped", Refuse,
                                             [](const ConvProblem& p) -> std::unique_ptr<Kernel> {
                                               return std::make_unique<GroupedConv>(p);
                                             }};

}  // namespace pleat::kernels
