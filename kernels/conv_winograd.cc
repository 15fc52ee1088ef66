// 3x3 convolutions by Winograd's method (winograd.h): blocks of tiles are transformed, multiplied
// point by point with the transformed filters, and transformed back.
#include <algorithm>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/bias_table.h"
#include "kernels/conv_geometry.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/huge_pages.h"
#include "kernels/making.h"
#include "kernels/winograd.h"

namespace pleat::kernels {
namespace {

constexpr size_t kBlockColumns = 128;
// Floats between points beyond a block, against cache sets that collide.
constexpr size_t kSkew = 16;
// Costs in multiply-adds, as measured: of transforming a value, of reading a weight that has left the
// cache, and of making a weight, once, in memory that was not touched before.
constexpr double kTransformCost = 12;
constexpr double kWeightCost = 16;
constexpr double kMakingCost = 200;
// A row of products in place of a direct sum's: blocks are smaller and products go through memory.
constexpr double kPriceOfProducts = 1.4;
constexpr double kFewestTiles = 8;  // fewer cost no less
// F(6) rounds ten times as much as the others: it must win clearly. Less than this, which measures
// no slower, leaves a network like inception_v3 beyond 5e-5 of its largest output.
constexpr double kPriceOfSix = 1.4;

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

template <size_t kOut>
class WinogradConv final : public Kernel {
 public:
  static constexpr size_t kIn = kOut + 2;
  static constexpr size_t kPoints = kIn * kIn;

  explicit WinogradConv(const ConvProblem& p)
      : p_(p),
        inputs_(static_cast<size_t>(p.in_channels)),
        outputs_(static_cast<size_t>(p.out_channels)),
        panels_((outputs_ + kPanelWidth - 1) / kPanelWidth),
        tiles_y_(CeilDiv(p.out[1], kOut)),
        tiles_x_(CeilDiv(p.out[2], kOut)),
        tiles_(static_cast<size_t>(p.batch * p.out[0] * tiles_y_ * tiles_x_)),
        block_tiles_(std::min<size_t>(tiles_, inputs_ > 128 ? 48 : 24)),
        gemm_(BestGemm()),
        transforms_(BestWinograd(kOut)),
        epilogue_(p.activation),
        table_(p, static_cast<size_t>(p.out_channels)),
        in_(StridesOf(true, InPixels(p), p.in_channels, p.in_pixel_stride)),
        zeros_(inputs_, 0.0f),
        filters_(hwy::AllocateAligned<float>(FilterCount() + 1)) {
    AdviseHugePages(filters_.get(), FilterCount() * sizeof(float));
    TransformFilters();
  }

  size_t scratch_bytes(int threads) const override {
    const Layout layout = LayoutFor(threads);
    return layout.shared_bytes + layout.thread_bytes * static_cast<size_t>(threads);
  }
  size_t packed_bytes() const override {
    return FilterCount() * sizeof(float) + table_.bytes();
  }

  void Run(const Operands& operands) const override {
    const auto taken = TakeOperands<float>(p_, operands);
    if (tiles_ == 0 || outputs_ == 0) return;
    ThreadPool& threads = *operands.threads;
    const Layout layout = LayoutFor(threads.threads());
    auto* shared = static_cast<std::byte*>(operands.scratch);
    auto* slots = shared + layout.shared_bytes;
    if (!layout.shared) {
      const auto count = static_cast<size_t>(threads.threads());
      const size_t least = (tiles_ + block_tiles_ - 1) / block_tiles_;
      const size_t blocks = std::min(tiles_, (least + count - 1) / count * count);
      threads.ParallelFor(blocks, [&](size_t index, size_t slot) {
        const Range tiles = PartOf(tiles_, blocks, index);
        auto* mine = slots + slot * layout.thread_bytes;
        auto* transformed = reinterpret_cast<float*>(mine);
        for (size_t tile = tiles.begin; tile < tiles.end; ++tile) {
          TransformTile(taken.x, tile, transformed + (tile - tiles.begin) * inputs_, layout.tiles,
                        reinterpret_cast<float*>(mine + layout.pixels));
        }
        for (size_t column = 0; column < outputs_; column += kBlockColumns) {
          Multiply(taken, tiles, column, std::min(outputs_ - column, kBlockColumns), transformed,
                   layout, mine);
        }
      });
      return;
    }
    auto* transformed = reinterpret_cast<float*>(shared);
    threads.ParallelFor(tiles_, [&](size_t tile, size_t slot) {
      TransformTile(taken.x, tile, transformed + tile * inputs_, layout.tiles,
                    reinterpret_cast<float*>(slots + slot * layout.thread_bytes + layout.pixels));
    });
    const Split& split = layout.split;
    threads.ParallelFor(split.m_parts * split.n_parts, [&](size_t index, size_t slot) {
      const Range panels = PartOf(panels_, split.n_parts, index % split.n_parts);
      const Range tiles = PartOf(tiles_, split.m_parts, index / split.n_parts);
      const size_t end = std::min(outputs_, panels.end * kPanelWidth);
      for (size_t column = panels.begin * kPanelWidth; column < end; column += layout.columns) {
        Multiply(taken, tiles, column, std::min(end - column, layout.columns),
                 transformed + tiles.begin * inputs_, layout, slots + slot * layout.thread_bytes);
      }
    });
  }

 private:
  // How scratch memory is used. With enough tiles each thread takes blocks of them; else all
  // transformed tiles are shared and threads take output channels, and parts of the tiles where
  // channels do not suffice.
  struct Layout {
    bool shared;
    size_t tiles;  // transformed together
    Split split;     // of the products, when shared
    size_t columns;  // in a block, at most
    size_t shared_bytes, thread_bytes;
    // Places of products, row pointers, a tile of biases and one of pixels behind the prologue in a
    // thread's memory.
    size_t products, rows, biases, pixels;
  };

  Layout LayoutFor(int threads) const {
    Layout layout{};
    const auto wanted = static_cast<size_t>(threads) * 4;
    layout.shared = threads > 1 && tiles_ < wanted * block_tiles_;
    layout.tiles = layout.shared ? tiles_ : block_tiles_;
    layout.split = {1, 1};
    layout.columns = kBlockColumns;
    if (layout.shared) {
      const size_t steps = kPoints * inputs_;
      layout.split = SplitProduct(gemm_, {.m = tiles_, .block_rows = tiles_, .units = panels_,
                                          .columns = kPanelWidth, .steps = steps,
                                          .row_bytes = steps * sizeof(float),
                                          .unit_bytes = steps * kPanelWidth * sizeof(float)},
                                  threads);
      const size_t panels = (panels_ + layout.split.n_parts - 1) / layout.split.n_parts;
      layout.columns = std::min(kBlockColumns, panels * kPanelWidth);
    }
    const size_t transformed = RoundUp(kPoints * PointStep(layout.tiles) * sizeof(float));
    const size_t columns = std::min(layout.columns, panels_ * kPanelWidth);
    const size_t most = (layout.tiles + layout.split.m_parts - 1) / layout.split.m_parts;
    layout.shared_bytes = layout.shared ? transformed : 0;
    layout.products = layout.shared ? 0 : transformed;
    layout.rows = layout.products + RoundUp(kPoints * (most * columns + kSkew) * sizeof(float));
    layout.biases = layout.rows + RoundUp(most * sizeof(const float*));
    const size_t biases = table_.empty() ? 0 : kOut * kOut * columns;
    layout.pixels = layout.biases + RoundUp(biases * sizeof(float));
    const size_t pixels = p_.prologue ? kPoints * inputs_ : 0;
    layout.thread_bytes = layout.pixels + RoundUp(pixels * sizeof(float));
    return layout;
  }

  size_t PointStep(size_t tiles) const { return tiles * inputs_ + kSkew; }
  size_t FilterStep() const { return panels_ * inputs_ * kPanelWidth; }
  size_t FilterCount() const { return kPoints * FilterStep(); }

  // filters_[point][panel][input][16].
  void TransformFilters() {
    const auto* weights = static_cast<const float*>(p_.weights);
    const size_t panel_floats = inputs_ * kPanelWidth;
    std::vector<float> packed;
    if (p_.weight_layout != WeightLayout::kPanels16) {
      packed.resize(panels_ * 9 * panel_floats);
      PackConvWeights(p_, WeightLayout::kPanels16, weights, packed.data());
      weights = packed.data();
    }
    const auto transform = [&](size_t panel, size_t) {
      transforms_.filter(weights + panel * 9 * panel_floats, panel_floats, inputs_,
                         filters_.get() + panel * panel_floats, FilterStep());
    };
    ThreadPool alone(1);
    ThreadPool* const helpers = MakingThreads::Current();
    (helpers != nullptr ? *helpers : alone).ParallelFor(panels_, transform);
  }

  // Image (depth slices count as images), line and column of a tile's first output.
  struct Place {
    int64_t image, y, x;
  };
  Place PlaceOf(size_t tile) const {
    const auto index = static_cast<int64_t>(tile);
    return {index / (tiles_y_ * tiles_x_), index / tiles_x_ % tiles_y_ * static_cast<int64_t>(kOut),
            index % tiles_x_ * static_cast<int64_t>(kOut)};
  }

  void TransformTile(const float* x, size_t tile, float* transformed, size_t block_tiles,
                     float* copies) const {
    const Place place = PlaceOf(tile);
    const float* image = x + place.image * p_.in[1] * p_.in[2] * in_.pixel;
    const float* pixels[kPoints];
    for (size_t i = 0; i < kPoints; ++i) {
      const int64_t row = place.y - p_.pad_begin[1] + static_cast<int64_t>(i / kIn);
      const int64_t column = place.x - p_.pad_begin[2] + static_cast<int64_t>(i % kIn);
      const bool inside = row >= 0 && row < p_.in[1] && column >= 0 && column < p_.in[2];
      pixels[i] = inside ? image + (row * p_.in[2] + column) * in_.pixel : zeros_.data();
      if (!p_.prologue || !inside) continue;
      prologue_(p_.prologue.activation, static_cast<const float*>(p_.prologue.scale),
                static_cast<const float*>(p_.prologue.shift), pixels[i], copies, inputs_);
      pixels[i] = copies;
      copies += inputs_;
    }
    transforms_.input(pixels, inputs_, transformed, PointStep(block_tiles));
  }

  // Products and outputs of `tiles` for output channels [column, column + columns).
  void Multiply(const ProductOperands<float>& taken, Range tiles, size_t column, size_t columns,
                const float* transformed, const Layout& layout, std::byte* memory) const {
    const size_t count = tiles.end - tiles.begin;
    const size_t width = (columns + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
    const size_t step = count * width + kSkew;
    auto* products = reinterpret_cast<float*>(memory + layout.products);
    auto** rows = reinterpret_cast<const float**>(memory + layout.rows);
    const float infinity = std::numeric_limits<float>::infinity();
    BlockJob job{};
    job.rows = rows;
    job.row_count = count;
    job.taps = 1;
    job.count = inputs_;
    job.panel_step = inputs_ * kPanelWidth;
    job.columns = width;
    job.y_step = width;
    job.low = -infinity;
    job.high = infinity;
    for (size_t point = 0; point < kPoints; ++point) {
      const float* first = transformed + point * PointStep(layout.tiles);
      for (size_t i = 0; i < count; ++i) rows[i] = first + i * inputs_;
      job.panels = filters_.get() + point * FilterStep() + column * inputs_;
      job.next_panels = point + 1 < kPoints ? job.panels + FilterStep() : nullptr;
      job.y = products + point * step;
      gemm_.multiply(job);
    }
    WinogradOutput out{};
    out.point_step = step;
    out.channels = columns;
    if (taken.bias != nullptr) out.bias = taken.bias + column;
    out.y_pixel = StepOr(p_.out_pixel_stride);
    out.y_line = out.y_pixel * static_cast<size_t>(p_.out[2]);
    out.residual_pixel = StepOr(p_.residual_pixel_stride);
    out.residual_line = out.residual_pixel * static_cast<size_t>(p_.out[2]);
    out.low = epilogue_.low;
    out.high = epilogue_.high;
    for (size_t i = 0; i < count; ++i) {
      const Place place = PlaceOf(tiles.begin + i);
      const auto pixel =
          static_cast<size_t>((place.image * p_.out[1] + place.y) * p_.out[2] + place.x);
      out.products = products + i * width;
      out.y = taken.y + pixel * out.y_pixel + column;
      if (taken.residual != nullptr) {
        out.residual = taken.residual + pixel * out.residual_pixel + column;
      }
      out.rows = std::min(kOut, static_cast<size_t>(p_.out[1] - place.y));
      out.columns = std::min(kOut, static_cast<size_t>(p_.out[2] - place.x));
      auto* sums = reinterpret_cast<float*>(memory + layout.biases);
      transforms_.output(table_.empty() ? out : WithBias(place, column, out, sums));
      for (size_t row = 0; row < out.rows; ++row) {
        epilogue_.Finish(out.y + row * out.y_line, out.columns, columns, out.y_pixel);
      }
    }
  }

  // The tile with its bias from the table. Where its pixels have several, these go with the
  // residual, in `sums`.
  WinogradOutput WithBias(const Place& place, size_t column, WinogradOutput tile,
                          float* sums) const {
    const auto row_of = [&](size_t r, size_t c) {
      return table_.Row(place.image % p_.out[0], place.y + static_cast<int64_t>(r),
                        place.x + static_cast<int64_t>(c)) +
             column;
    };
    tile.bias = row_of(0, 0);
    bool same = true;
    for (size_t r = 0; r < tile.rows; ++r) {
      for (size_t c = 0; c < tile.columns; ++c) same = same && row_of(r, c) == tile.bias;
    }
    if (same) return tile;
    for (size_t r = 0; r < tile.rows; ++r) {
      for (size_t c = 0; c < tile.columns; ++c) {
        const float* bias = row_of(r, c);
        float* to = sums + (r * kOut + c) * tile.channels;
        if (tile.residual == nullptr) {
          std::copy_n(bias, tile.channels, to);
          continue;
        }
        const float* from = tile.residual + r * tile.residual_line + c * tile.residual_pixel;
        for (size_t i = 0; i < tile.channels; ++i) to[i] = bias[i] + from[i];
      }
    }
    tile.bias = nullptr;
    tile.residual = sums;
    tile.residual_pixel = tile.channels;
    tile.residual_line = kOut * tile.channels;
    return tile;
  }

  size_t StepOr(int64_t step) const { return step == 0 ? outputs_ : static_cast<size_t>(step); }

  const ConvProblem p_;
  const size_t inputs_, outputs_, panels_;
  const int64_t tiles_y_, tiles_x_;
  const size_t tiles_, block_tiles_;
  const Gemm gemm_;
  const WinogradTransforms transforms_;
  const PrologueFunction prologue_ = BestPrologue();
  const Epilogue epilogue_;
  const BiasTable table_;
  const ImageStrides in_;
  const std::vector<float> zeros_;
  hwy::AlignedFreeUniquePtr<float[]> filters_;
};

// Estimated cost by F(out), or by direct sums for out == 1, per pair of channels.
double Cost(const ConvProblem& p, int64_t out) {
  const auto in = static_cast<double>(p.in_channels);
  const auto width = static_cast<double>(CeilDiv(p.out_channels, kPanelWidth) * kPanelWidth);
  const auto images = static_cast<double>(p.batch * p.out[0]);
  const auto tiles = images * static_cast<double>(CeilDiv(p.out[1], out) * CeilDiv(p.out[2], out));
  if (out == 1) return 9 * (tiles + kWeightCost);
  const auto points = static_cast<double>((out + 2) * (out + 2));
  const double transforms = kTransformCost * (in + width) / (in * width);
  const double rows = kPriceOfProducts * std::max(tiles, kFewestTiles);
  const double making = p.select.runs > 0 ? kMakingCost / p.select.runs : 0;
  const double cost = points * (rows + tiles * transforms + kWeightCost + making);
  return out == 6 ? cost * kPriceOfSix : cost;
}

template <size_t kOut>
Refusal Refuse(const ConvProblem& p) {
  if (p.type != ElementType::kFloat32) return "float32 only";
  if (!p.channels_last) return "channels last only";
  if (p.weights == nullptr) return "weights are not constant";
  if (p.weight_layout == WeightLayout::kTapsChannels || p.groups != 1) return "one group only";
  if (p.kernel[0] != 1 || p.kernel[1] != 3 || p.kernel[2] != 3) return "3x3 windows only";
  for (int d = 0; d < 3; ++d) {
    if (p.stride[d] != 1 || (d > 0 && p.dilation[d] != 1)) return "stride and dilation 1 only";
  }
  if (p.pad_begin[0] != 0 || p.pad_end[0] != 0) return "no padding in depth";
  if (p.select.exact) return "the sums' own terms are asked for";
  if (Refusal refusal = RefuseTapBias(p); !refusal.empty()) return refusal;
  if (p.select.only != nullptr) return {};
  if (p.select.low_memory) return "transformed filters take more memory";
  if (p.in_channels < 8 || p.out_channels < 8) return "too few channels";
  for (int64_t other : {1, 2, 4, 6}) {
    if (Cost(p, other) < Cost(p, kOut)) {
      return other == 1 ? "direct sums cost less"
                        : "tiles of " + std::to_string(other) + " cost less";
    }
  }
  return {};
}

template <size_t kOut>
std::unique_ptr<Kernel> Make(const ConvProblem& p) {
  return std::make_unique<WinogradConv<kOut>>(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvWinograd2, kConvWinograd4, kConvWinograd6;
const Candidate<ConvProblem> kConvWinograd2 = {"winograd2", Refuse<2>, Make<2>};
const Candidate<ConvProblem> kConvWinograd4 = {"winograd4", Refuse<4>, Make<4>};
const Candidate<ConvProblem> kConvWinograd6 = {"winograd6", Refuse<6>, Make<6>};

}  // namespace pleat::kernels
