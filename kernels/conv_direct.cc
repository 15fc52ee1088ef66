// Convolution as a product whose rows are pointers into the image: no im2col copy. Pixels outside
// the image point at a row of zeros. With few channels a whole row of the kernel is one run of
// neighbouring floats; only where it hangs over the image's edge is the run copied. With a prologue
// the pixels of a block go through it into a copy that stays in the cache.
#include <algorithm>
#include <cstring>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/bias_table.h"
#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"

namespace pleat::kernels {
namespace {

constexpr int64_t kMaxRun = 160;            // floats of a kernel row read as one run
constexpr size_t kBlockBytes = 192 * 1024;  // of the image, that a block of rows reads
constexpr size_t kBlockPointers = 4096;     // of the rows of a block
constexpr size_t kGroupPointers = 1024;     // the same where they are read once for every group
// With fewer rows, reading the weights anew for each block costs more than the image does; behind a
// prologue the block is copied.
constexpr size_t kMinBlockRows = 256, kMinCopiedRows = 64;

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

class DirectConv final : public Kernel {
 public:
  explicit DirectConv(const ConvProblem& p)
      : p_(p),
        gemm_(BestGemm()),
        epilogue_(p.activation),
        table_(p, static_cast<size_t>(CeilDiv(p.out_channels / p.groups, kPanelWidth) *
                                      kPanelWidth)) {
    inputs_ = p.in_channels / p.groups;
    outputs_ = p.out_channels / p.groups;
    panels_ = CeilDiv(outputs_, kPanelWidth);
    in_ = StridesOf(true, InPixels(p), p.in_channels, p.in_pixel_stride);
    runs_ = !p.prologue && p.groups == 1 && p.kernel[2] > 1 && p.dilation[2] == 1 &&
            inputs_ * p.kernel[2] <= kMaxRun && in_.pixel == inputs_;
    taps_ = static_cast<size_t>(runs_ ? p.kernel[0] * p.kernel[1] : Taps(p));
    count_ = static_cast<size_t>(runs_ ? inputs_ * p.kernel[2] : inputs_);
    panel_step_ = taps_ * count_ * kPanelWidth;
    y_step_ = p.out_pixel_stride == 0 ? p.out_channels : p.out_pixel_stride;
    residual_step_ = p.residual_pixel_stride == 0 ? p.out_channels : p.residual_pixel_stride;
    zeros_.assign(std::max(count_, static_cast<size_t>(p.in_channels)), 0.0f);
    if (p.weights != nullptr && !InPlace()) {
      packed_ = hwy::AllocateAligned<float>(PackedCount() + 1);
      Pack(static_cast<const float*>(p.weights), packed_.get());
    }
    if (p.has_bias && p.bias != nullptr) {
      bias_.resize(BiasCount());
      PadBias(static_cast<const float*>(p.bias), bias_.data());
    }
    const int64_t pixels =
        p.prologue ? Taps(p)
                   : std::min(p.stride[0] * p.stride[1], p.kernel[0] * p.kernel[1]) *
                         std::min(p.stride[2], p.kernel[2]);
    const int64_t pixel_bytes = 4 * p.in_channels * pixels;
    const size_t pointers = p.groups == 1 ? kBlockPointers : kGroupPointers;
    block_rows_ = std::min(kBlockBytes / static_cast<size_t>(std::max<int64_t>(1, pixel_bytes)),
                           pointers / std::max<size_t>(1, taps_));
    block_rows_ = std::max(block_rows_, p.prologue ? kMinCopiedRows : kMinBlockRows);
    split_ = MakeSplit(p.select.threads);
  }

  size_t scratch_bytes(int threads) const override {
    size_t bytes = ThreadBytes() * static_cast<size_t>(threads) + ImageBytes(SplitFor(threads));
    if (DynamicBias()) bytes += RoundUp(BiasCount() * sizeof(float));
    if (DynamicWeights()) bytes += RoundUp(PackedCount() * sizeof(float));
    return bytes;
  }

  size_t packed_bytes() const override {
    return (packed_ ? PackedCount() * sizeof(float) : 0) + bias_.size() * sizeof(float) +
           table_.bytes();
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    Job job{.x = taken.x, .y = taken.y, .residual = taken.residual};
    auto* scratch = static_cast<std::byte*>(operands.scratch);
    job.bias = p_.has_bias ? bias_.data() : nullptr;
    if (DynamicBias()) {
      PadBias(taken.bias, reinterpret_cast<float*>(scratch));
      job.bias = reinterpret_cast<const float*>(scratch);
      scratch += RoundUp(BiasCount() * sizeof(float));
    }
    job.weights = packed_ ? packed_.get() : taken.w;
    if (DynamicWeights()) {
      Pack(taken.w, reinterpret_cast<float*>(scratch));
      job.weights = reinterpret_cast<const float*>(scratch);
      scratch += RoundUp(PackedCount() * sizeof(float));
    }
    const size_t m = Rows();
    const auto n = static_cast<size_t>(outputs_), groups = static_cast<size_t>(p_.groups);
    if (m == 0 || n == 0) return;
    const Split split = SplitFor(operands.threads->threads());
    if (const size_t bytes = ImageBytes(split); bytes > 0) {
      auto* image = reinterpret_cast<float*>(scratch);
      scratch += bytes;
      operands.threads->ParallelFor(split.m_parts * 4, [&](size_t index, size_t slot) {
        const Range rows = PartOf(m, split.m_parts * 4, index);
        auto** pointers = reinterpret_cast<const float**>(scratch + slot * ThreadBytes());
        FillRows(job.x, rows, pointers, nullptr);
        for (size_t row = rows.begin; row < rows.end; ++row) {
          Prepare(pointers[row - rows.begin], image + row * count_);
        }
      });
      job.image = image;
    }
    operands.threads->ParallelFor(split.m_parts * split.n_parts, [&](size_t index, size_t slot) {
      const Range rows = PartOf(m, split.m_parts, index / split.n_parts);
      const Range part = PartOf(Units(), split.n_parts, index % split.n_parts);
      std::byte* const room = scratch + slot * ThreadBytes();
      if (groups == 1) {
        const Range columns{part.begin * kPanelWidth, std::min<size_t>(n, part.end * kPanelWidth)};
        Block(job, {0, 1}, rows, columns, room);
      } else {
        Block(job, part, rows, {0, n}, room);
      }
    });
  }

 private:
  struct Job {
    const float* x;
    const float* weights;
    const float* bias;
    float* y;
    const float* residual;
    const float* image = nullptr;  // [rows][count] behind the prologue, or null
  };

  size_t Rows() const { return static_cast<size_t>(p_.batch * OutPixels(p_)); }
  // Panels are split, or groups where there are some.
  size_t Units() const { return static_cast<size_t>(p_.groups == 1 ? panels_ : p_.groups); }
  Split MakeSplit(int threads) const {
    const auto panels = static_cast<size_t>(panels_);
    SplitRequest request{.m = Rows(), .block_rows = block_rows_, .units = Units(),
                         .columns = kPanelWidth, .steps = taps_ * count_,
                         .row_bytes = taps_ * sizeof(const float*),
                         .unit_bytes = panel_step_ * sizeof(float)};
    if (p_.groups == 1) {
      request.row_bytes += static_cast<size_t>(inputs_) * sizeof(float);
    } else {
      request.apart = true;
      request.columns = static_cast<size_t>(outputs_);
      request.unit_bytes *= panels;
    }
    return SplitProduct(gemm_, request, threads);
  }
  Split SplitFor(int threads) const {
    return threads == p_.select.threads ? split_ : MakeSplit(threads);
  }
  // Of a small image behind the prologue that several parts of the columns read.
  size_t ImageBytes(const Split& split) const {
    const bool shared = p_.prologue && split.n_parts > 1 && taps_ == 1 && p_.groups == 1;
    return shared ? RoundUp(Rows() * count_ * sizeof(float)) : 0;
  }

  // A pixel behind the prologue; what is outside the image stays zero.
  void Prepare(const float* from, float* to) const {
    const auto channels = static_cast<size_t>(p_.in_channels);
    if (from == zeros_.data()) {
      std::fill_n(to, channels, 0.0f);
      return;
    }
    prologue_(p_.prologue.activation, static_cast<const float*>(p_.prologue.scale),
              static_cast<const float*>(p_.prologue.shift), from, to, channels);
  }

  bool InPlace() const { return p_.weight_layout == WeightLayout::kPanels16; }
  bool DynamicWeights() const { return p_.weights == nullptr && !InPlace(); }
  bool DynamicBias() const { return p_.has_bias && p_.bias == nullptr; }
  size_t PackedCount() const {
    return static_cast<size_t>(ConvWeightElements(p_, WeightLayout::kPanels16));
  }
  size_t BiasCount() const { return static_cast<size_t>(p_.groups * panels_ * kPanelWidth); }
  size_t EdgeBytes() const {
    if (p_.prologue) {
      return RoundUp(block_rows_ * taps_ * static_cast<size_t>(p_.in_channels) * sizeof(float));
    }
    return runs_ ? RoundUp(block_rows_ * taps_ * count_ * sizeof(float)) : 0;
  }
  size_t ThreadBytes() const {
    const size_t inits = table_.empty() ? 0 : block_rows_;
    return RoundUp((block_rows_ * taps_ + inits) * sizeof(const float*)) + EdgeBytes();
  }

  void Pack(const float* from, float* panels) const {
    if (p_.weight_layout == WeightLayout::kOnnx) {
      PackConvWeights(p_, WeightLayout::kPanels16, from, panels);
      return;
    }
    std::fill_n(panels, PackedCount(), 0.0f);
    for (int64_t m = 0; m < p_.out_channels; ++m) {
      for (int64_t tap = 0; tap < Taps(p_); ++tap) {
        panels[WeightIndex(p_, WeightLayout::kPanels16, m, 0, tap)] =
            from[WeightIndex(p_, p_.weight_layout, m, 0, tap)];
      }
    }
  }

  void PadBias(const float* bias, float* padded) const {
    std::fill_n(padded, BiasCount(), 0.0f);
    for (int64_t g = 0; g < p_.groups; ++g) {
      std::copy_n(bias + g * outputs_, outputs_, padded + g * panels_ * kPanelWidth);
    }
  }

  void Block(const Job& job, Range groups, Range rows, Range columns, std::byte* scratch) const {
    const auto y_step = static_cast<size_t>(y_step_);
    const auto residual_step = static_cast<size_t>(residual_step_);
    auto** pointers = reinterpret_cast<const float**>(scratch);
    auto* edge = reinterpret_cast<float*>(scratch + ThreadBytes() - EdgeBytes());
    if (job.image != nullptr) {
      for (size_t row = rows.begin; row < rows.end; ++row) {
        pointers[row - rows.begin] = job.image + row * count_;
      }
    } else {
      FillRows(job.x, rows, pointers, edge);
      if (p_.prologue) PrepareRows((rows.end - rows.begin) * taps_, pointers, edge);
    }
    BlockJob block{};
    if (p_.select.exact) block.chain_steps = kExactChainSteps;
    block.rows = pointers;
    block.row_count = rows.end - rows.begin;
    block.taps = taps_;
    block.count = count_;
    block.panel_step = panel_step_;
    if (!table_.empty()) {
      const float** inits = pointers + block_rows_ * taps_;
      table_.FillRows(p_, rows, inits);
      block.inits = inits;
    }
    block.columns = columns.end - columns.begin;
    block.y_step = y_step;
    block.residual_step = residual_step;
    block.low = epilogue_.low;
    block.high = epilogue_.high;
    for (size_t group = groups.begin; group < groups.end; ++group) {
      const size_t first_panel = group * static_cast<size_t>(panels_) + columns.begin / kPanelWidth;
      const size_t channel = group * static_cast<size_t>(outputs_) + columns.begin;
      block.offset = group * static_cast<size_t>(inputs_);
      block.panels = job.weights + first_panel * panel_step_;
      if (job.bias != nullptr) block.init = job.bias + first_panel * kPanelWidth;
      block.init_offset = first_panel * kPanelWidth;
      block.y = job.y + rows.begin * y_step + channel;
      if (job.residual != nullptr) {
        block.residual = job.residual + rows.begin * residual_step + channel;
      }
      gemm_.multiply(block);
    }
    const size_t first = groups.begin * static_cast<size_t>(outputs_) + columns.begin;
    const size_t last = (groups.end - 1) * static_cast<size_t>(outputs_) + columns.end;
    epilogue_.Finish(job.y + rows.begin * y_step + first, block.row_count, last - first, y_step);
  }

  void PrepareRows(size_t count, const float** pointers, float* copies) const {
    for (size_t i = 0; i < count; ++i) {
      if (pointers[i] == zeros_.data()) continue;
      Prepare(pointers[i], copies);
      pointers[i] = copies;
      copies += p_.in_channels;
    }
  }

  // Pointers [taps][rows] for output pixels `rows` of all images.
  void FillRows(const float* x, Range rows, const float** pointers, float* edge) const {
    const size_t count = rows.end - rows.begin;
    for (auto row = static_cast<int64_t>(rows.begin); row < static_cast<int64_t>(rows.end);) {
      const int64_t ow = row % p_.out[2], line = row / p_.out[2];
      const int64_t oh = line % p_.out[1], od = line / p_.out[1] % p_.out[0];
      const int64_t n = line / p_.out[1] / p_.out[0];
      const int64_t run = std::min(p_.out[2] - ow, static_cast<int64_t>(rows.end) - row);
      const float** to = pointers + (row - static_cast<int64_t>(rows.begin));
      for (int64_t kd = 0; kd < p_.kernel[0]; ++kd) {
        const int64_t id = od * p_.stride[0] - p_.pad_begin[0] + kd * p_.dilation[0];
        for (int64_t kh = 0; kh < p_.kernel[1]; ++kh) {
          const int64_t ih = oh * p_.stride[1] - p_.pad_begin[1] + kh * p_.dilation[1];
          const bool inside = id >= 0 && id < p_.in[0] && ih >= 0 && ih < p_.in[1];
          const int64_t line_pixel = inside ? (id * p_.in[1] + ih) * p_.in[2] : 0;
          const float* from = x + n * in_.batch + line_pixel * in_.pixel;
          if (runs_) {
            if (inside) {
              FillRuns(from, ow, run, to, edge);
            } else {
              std::fill_n(to, run, zeros_.data());
            }
            to += count;
            continue;
          }
          for (int64_t kw = 0; kw < p_.kernel[2]; ++kw, to += count) {
            if (inside) {
              FillTaps(from, ow, run, kw * p_.dilation[2], to);
            } else {
              std::fill_n(to, run, zeros_.data());
            }
          }
        }
      }
      row += run;
    }
  }

  // Output pixels [begin, end) of a line whose window's column `offset` lies inside the image.
  Range Inside(int64_t offset, int64_t last) const {
    const int64_t stride = p_.stride[2], pad = p_.pad_begin[2];
    const int64_t begin = offset >= pad ? 0 : CeilDiv(pad - offset, stride);
    const int64_t room = p_.in[2] - 1 + pad - last;
    const int64_t end = room < 0 ? 0 : room / stride + 1;
    return {static_cast<size_t>(begin), static_cast<size_t>(std::max(begin, end))};
  }

  void FillTaps(const float* line, int64_t ow, int64_t run, int64_t offset,
                const float** to) const {
    const Range inside = Inside(offset, offset);
    const int64_t begin = std::clamp<int64_t>(static_cast<int64_t>(inside.begin) - ow, 0, run);
    const int64_t end = std::clamp<int64_t>(static_cast<int64_t>(inside.end) - ow, begin, run);
    std::fill_n(to, begin, zeros_.data());
    const int64_t step = p_.stride[2] * in_.pixel;
    const float* from = line + ((ow + begin) * p_.stride[2] - p_.pad_begin[2] + offset) * in_.pixel;
    for (int64_t i = begin; i < end; ++i, from += step) to[i] = from;
    std::fill_n(to + end, run - end, zeros_.data());
  }

  // Whole kernel rows; those over the edge are copied to `edge`, which moves on.
  void FillRuns(const float* line, int64_t ow, int64_t run, const float** to, float*& edge) const {
    const Range inside = Inside(0, p_.kernel[2] - 1);
    const int64_t begin = std::clamp<int64_t>(static_cast<int64_t>(inside.begin) - ow, 0, run);
    const int64_t end = std::clamp<int64_t>(static_cast<int64_t>(inside.end) - ow, begin, run);
    for (int64_t i = 0; i < begin; ++i) to[i] = CopyRun(line, ow + i, edge);
    const int64_t step = p_.stride[2] * in_.pixel;
    const float* from = line + ((ow + begin) * p_.stride[2] - p_.pad_begin[2]) * in_.pixel;
    for (int64_t i = begin; i < end; ++i, from += step) to[i] = from;
    for (int64_t i = end; i < run; ++i) to[i] = CopyRun(line, ow + i, edge);
  }

  const float* CopyRun(const float* line, int64_t ow, float*& edge) const {
    const int64_t pixels = p_.kernel[2], first = ow * p_.stride[2] - p_.pad_begin[2];
    const int64_t begin = std::clamp<int64_t>(-first, 0, pixels);
    const int64_t end = std::clamp<int64_t>(p_.in[2] - first, begin, pixels);
    std::fill_n(edge, begin * inputs_, 0.0f);
    std::copy_n(line + (first + begin) * inputs_, (end - begin) * inputs_, edge + begin * inputs_);
    std::fill(edge + end * inputs_, edge + pixels * inputs_, 0.0f);
    const float* copy = edge;
    edge += count_;
    return copy;
  }

  const ConvProblem p_;
  const Gemm gemm_;
  const PrologueFunction prologue_ = BestPrologue();
  const Epilogue epilogue_;
  const BiasTable table_;
  int64_t inputs_, outputs_, panels_;  // of a group
  ImageStrides in_;
  bool runs_;
  size_t taps_, count_, panel_step_, block_rows_;
  Split split_;
  int64_t y_step_, residual_step_;
  std::vector<float> zeros_, bias_;
  hwy::AlignedFreeUniquePtr<float[]> packed_;
};

Refusal Refuse(const ConvProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (!p.channels_last) return "channels last only";
  return RefuseTapBias(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvDirect;
const Candidate<ConvProblem> kConvDirect = {"direct", Refuse,
                                            [](const ConvProblem& p) -> std::unique_ptr<Kernel> {
                                              return std::make_unique<DirectConv>(p);
                                            }};

}  // namespace pleat::kernels
