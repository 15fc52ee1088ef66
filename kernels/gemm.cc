#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <utility>

#include "hwy/highway.h"
#include "kernels/tail-inl.h"
#include "kernels/threads.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

// Vectors hold at most one panel's width.
constexpr size_t kPanelLanes = 16;
using TileTag = hn::CappedTag<float, kPanelLanes>;
constexpr size_t kTileLanes = HWY_MIN(HWY_LANES(float), kPanelLanes);
constexpr size_t kVectorsPerPanel = kPanelLanes / kTileLanes;
constexpr size_t kTileRegisters = (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64) ? 32 : 16;
// Vectors a tile is wide, at most, and as a rule.
constexpr size_t kMaxTileVectors = kVectorsPerPanel == 4 ? 4 : 3;
constexpr size_t kUsualTileVectors = kVectorsPerPanel == 4 ? 4 : 2;

// Rows of a tile `vectors` wide: accumulators, one row of weights and a broadcast fit in registers,
// and rows a multiple of 4 KiB apart in the ways of a cache set.
constexpr size_t TileRows(size_t vectors) {
  return HWY_MIN((kTileRegisters - vectors - 1) / vectors, size_t{8});
}
constexpr size_t kMaxTileRows = TileRows(1);

constexpr size_t kStepsPerFetch = 16;
constexpr size_t kMaxTilesToFetch = 16;

// A tile is kept in registers while it runs along the sum. Fields mean what they mean in BlockJob.
struct TileJob {
  const float* const* rows;
  size_t row_step;  // between taps
  size_t taps;
  size_t count;
  const float* panels;
  size_t panel_step;
  size_t lane;        // first output of the tile, counted from the start of `panels`
  const float* init;  // as wide as the tile, or null
  float* y;
  size_t y_step;
  const float* residual;
  size_t residual_step;
  size_t columns;  // that exist, within the tile's width
  float low, high;
  // Weights to fetch into the cache for later: so many lines every `steps` steps of the sum.
  const char* ahead;
  size_t ahead_lines;
  size_t steps;
};

template <size_t kRows, size_t kVectors>
void Tile(const TileJob& job) {
  const TileTag d;
  using V = hn::Vec<TileTag>;
  constexpr size_t L = kTileLanes;
  V sums[kRows][kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const V init = job.init == nullptr ? hn::Zero(d) : hn::LoadU(d, job.init + v * L);
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) sums[r][v] = init;
  }
  const float* weights[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const size_t lane = job.lane + v * L;
    weights[v] = job.panels + lane / kPanelLanes * job.panel_step + lane % kPanelLanes;
  }
  const char* ahead = job.ahead;
  const float* const* taps = job.rows;
  for (size_t t = 0; t < job.taps; ++t, taps += job.row_step) {
    const float* rows[kRows];
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) rows[r] = taps[r];
    for (size_t k = 0; k < job.count;) {
      const size_t end = HWY_MIN(k + job.steps, job.count);
      for (size_t line = 0; line < job.ahead_lines; ++line, ahead += 64) {
        __builtin_prefetch(ahead, 0, 2);
      }
      for (; k < end; ++k) {
        V w[kVectors];
        HWY_UNROLL(4)
        for (size_t v = 0; v < kVectors; ++v) {
          w[v] = hn::LoadU(d, weights[v]);
          weights[v] += kPanelLanes;
        }
        HWY_UNROLL(8)
        for (size_t r = 0; r < kRows; ++r) {
          const V x = hn::Set(d, rows[r][k]);
          HWY_UNROLL(4)
          for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(x, w[v], sums[r][v]);
        }
      }
    }
  }
  const size_t full = job.columns / L;
  const size_t rest = job.columns % L;
  if (job.residual != nullptr) {
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      const float* from = job.residual + r * job.residual_step;
      HWY_UNROLL(4)
      for (size_t v = 0; v < kVectors; ++v) {
        const V value = v < full ? hn::LoadU(d, from + v * L) : LoadFirst(d, from + v * L, rest);
        sums[r][v] = hn::Add(sums[r][v], value);
      }
    }
  }
  const V low = hn::Set(d, job.low), high = hn::Set(d, job.high);
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    float* to = job.y + r * job.y_step;
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      // Operands in the order that lets a NaN through.
      const V value = hn::Min(high, hn::Max(low, sums[r][v]));
      if (v < full) {
        hn::StoreU(value, d, to + v * L);
      } else {
        StoreFirst(value, d, to + v * L, rest);
      }
    }
  }
}

using TileFunction = void (*)(const TileJob&);

template <size_t kVectors, size_t... kRowsMinusOne>
constexpr auto TileRow(std::index_sequence<kRowsMinusOne...>) {
  struct Row {
    TileFunction of[kMaxTileRows] = {Tile<kRowsMinusOne + 1, kVectors>...};
  };
  return Row{};
}
template <size_t... kVectorsMinusOne>
constexpr auto AllTiles(std::index_sequence<kVectorsMinusOne...>) {
  struct Tiles {
    TileFunction of[kMaxTileVectors][kMaxTileRows];
  };
  Tiles tiles{};
  auto copy = [&](size_t v, const auto& row) {
    for (size_t r = 0; r < kMaxTileRows; ++r) tiles.of[v][r] = row.of[r];
  };
  (copy(kVectorsMinusOne,
        TileRow<kVectorsMinusOne + 1>(std::make_index_sequence<TileRows(kVectorsMinusOne + 1)>())),
   ...);
  return tiles;
}
// [vectors - 1][rows - 1]; null beyond TileRows(vectors).
constexpr auto kTiles = AllTiles(std::make_index_sequence<kMaxTileVectors>());

// Where products may be split along n: whole panels, whole tiles.
constexpr size_t kTileColumns = HWY_MAX(kPanelLanes, kUsualTileVectors* kTileLanes);

// For each few columns of weights, which then stay in the cache, all rows.
void MultiplyBlock(const BlockJob& job) {
  TileJob tile{};
  tile.row_step = job.row_count;
  tile.taps = job.taps;
  tile.count = job.count;
  tile.panels = job.panels;
  tile.panel_step = job.panel_step;
  tile.y_step = job.y_step;
  tile.residual_step = job.residual_step;
  tile.low = job.low;
  tile.high = job.high;
  const size_t vectors = (job.columns + kTileLanes - 1) / kTileLanes;
  for (size_t v = 0; v < vectors;) {
    const size_t left = vectors - v;
    const size_t width = left <= kMaxTileVectors ? left : kUsualTileVectors;
    const size_t column = v * kTileLanes;
    tile.columns = HWY_MIN(job.columns - column, width * kTileLanes);
    tile.lane = column;
    if (job.init != nullptr) tile.init = job.init + column;
    const size_t tiles = (job.row_count + TileRows(width) - 1) / TileRows(width);
    // While the rows go by, the next columns' weights come nearer; many rows outweigh the wait.
    const size_t next = v + width < vectors ? (column + width * kTileLanes) / kPanelLanes : 0;
    const float* ahead = next > 0 ? job.panels + next * job.panel_step : job.next_panels;
    const bool fetch = ahead != nullptr && tiles <= kMaxTilesToFetch;
    const size_t lines = kStepsPerFetch * width * kTileLanes * sizeof(float) / 64;
    tile.steps = fetch ? kStepsPerFetch : job.count;
    tile.ahead_lines = fetch ? (lines + tiles - 1) / tiles : 0;
    tile.ahead = reinterpret_cast<const char*>(ahead);
    for (size_t i = 0; i < tiles; ++i) {
      const Range rows = PartOf(job.row_count, tiles, i);
      tile.rows = job.rows + rows.begin;
      tile.y = job.y + rows.begin * job.y_step + column;
      if (job.residual != nullptr) {
        tile.residual = job.residual + rows.begin * job.residual_step + column;
      }
      kTiles.of[width - 1][rows.end - rows.begin - 1](tile);
      const size_t fetches = job.taps * ((job.count + kStepsPerFetch - 1) / kStepsPerFetch);
      tile.ahead += fetches * tile.ahead_lines * 64;
    }
    v += width;
  }
}

Gemm MakeGemm() { return {MultiplyBlock, kTileColumns}; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(MakeGemm);

Gemm BestGemm() { return HWY_DYNAMIC_DISPATCH(MakeGemm)(); }

}  // namespace pleat::kernels
#endif  // HWY_ONCE
