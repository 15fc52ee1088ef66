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
constexpr size_t kUsualTileVectors = kVectorsPerPanel == 2 ? 2 : kMaxTileVectors;

// Rows of a tile `vectors` wide: accumulators, one row of weights and a broadcast fit in registers,
// and rows a multiple of 4 KiB apart in the ways of a cache set.
constexpr size_t TileRows(size_t vectors) {
  return HWY_MIN((kTileRegisters - vectors - 1) / vectors, size_t{8});
}
constexpr size_t kMaxTileRows = TileRows(1);
// What all registers hold is more than any tile.
constexpr size_t kMaxTileFloats = kTileRegisters * kTileLanes;

constexpr size_t kStepsPerFetch = 16;
constexpr size_t kMaxTilesToFetch = 16;

// Tiles of the same height, one below the other; each is kept in registers while it runs along the
// sum. Fields mean what they mean in BlockJob.
struct TileJob {
  const float* const* rows;
  size_t row_step;  // between taps
  size_t offset;
  size_t tiles;
  size_t taps;
  size_t count;
  size_t chain;    // steps of the sum before it is carried
  float* carried;  // room for a tile; null for a sum of one chain
  const float* panels;
  size_t panel_step;
  size_t lane;        // first output of the tile, counted from the start of `panels`
  const float* init;  // as wide as the tile, or null
  const float* const* inits;
  size_t init_offset;
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

// Adds the sums of a chain to those carried, in memory, and starts them again from zero.
template <size_t kRows, size_t kVectors>
HWY_INLINE void Carry(hn::Vec<TileTag> (&sums)[kRows][kVectors], float* carried, bool first) {
  const TileTag d;
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) {
      float* to = carried + (r * kVectors + v) * kTileLanes;
      if (!first) sums[r][v] = hn::Add(hn::Load(d, to), sums[r][v]);
      hn::Store(sums[r][v], d, to);
      sums[r][v] = hn::Zero(d);
    }
  }
}
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddCarried(const float* carried, hn::Vec<TileTag> (&sums)[kRows][kVectors]) {
  const TileTag d;
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = hn::Add(hn::Load(d, carried + (r * kVectors + v) * kTileLanes), sums[r][v]);
    }
  }
}

// Adds the residual, applies the bounds and stores.
template <size_t kRows, size_t kVectors>
HWY_INLINE void FinishTile(const TileJob& job, float* y, const float* residual,
                           hn::Vec<TileTag> (&sums)[kRows][kVectors]) {
  const TileTag d;
  using V = hn::Vec<TileTag>;
  constexpr size_t L = kTileLanes;
  const size_t full = job.columns / L;
  const size_t rest = job.columns % L;
  if (residual != nullptr) {
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      const float* from = residual + r * job.residual_step;
      HWY_UNROLL(8)
      for (size_t v = 0; v < kVectors; ++v) {
        if (v < full) {
          sums[r][v] = hn::Add(sums[r][v], hn::LoadU(d, from + v * L));
        } else if (rest > 0 && v == full) {
          sums[r][v] = hn::Add(sums[r][v], LoadFirst(d, from + v * L, rest));
        }
      }
    }
  }
  const V low = hn::Set(d, job.low), high = hn::Set(d, job.high);
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    float* to = y + r * job.y_step;
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) {
      // Operands in the order that lets a NaN through.
      const V value = hn::Min(high, hn::Max(low, sums[r][v]));
      if (v < full) {
        hn::StoreU(value, d, to + v * L);
      } else if (rest > 0 && v == full) {
        StoreFirst(value, d, to + v * L, rest);
      }
    }
  }
}

// Steps [k, end) of the sum. `weights` move on.
template <size_t kRows, size_t kVectors>
HWY_INLINE void Steps(const float* const (&rows)[kRows], const float* (&weights)[kVectors],
                      size_t k, size_t end, hn::Vec<TileTag> (&sums)[kRows][kVectors]) {
  const TileTag d;
  using V = hn::Vec<TileTag>;
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

// Sums of one chain, and nothing to fetch: kShort.
template <size_t kRows, size_t kVectors, bool kShort>
void Tiles(const TileJob& job) {
  const TileTag d;
  using V = hn::Vec<TileTag>;
  constexpr size_t L = kTileLanes;
  const float* first[kVectors];
  HWY_UNROLL(4)
  for (size_t v = 0; v < kVectors; ++v) {
    const size_t lane = job.lane + v * L;
    first[v] = job.panels + lane / kPanelLanes * job.panel_step + lane % kPanelLanes;
  }
  const char* ahead = job.ahead;
  float* y = job.y;
  const float* residual = job.residual;
  for (size_t tile = 0; tile < job.tiles; ++tile, y += kRows * job.y_step) {
    V sums[kRows][kVectors];
    const float* weights[kVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      weights[v] = first[v];
      const V init = job.init == nullptr ? hn::Zero(d) : hn::LoadU(d, job.init + v * L);
      HWY_UNROLL(8)
      for (size_t r = 0; r < kRows; ++r) sums[r][v] = init;
    }
    if (job.inits != nullptr) {
      HWY_UNROLL(8)
      for (size_t r = 0; r < kRows; ++r) {
        const float* init = job.inits[tile * kRows + r] + job.init_offset + job.lane;
        HWY_UNROLL(4)
        for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::LoadU(d, init + v * L);
      }
    }
    const float* const* taps = job.rows + tile * kRows;
    size_t left = job.chain;
    bool first_chain = true;
    for (size_t t = 0; t < job.taps; ++t, taps += job.row_step) {
      const float* rows[kRows];
      HWY_UNROLL(8)
      for (size_t r = 0; r < kRows; ++r) rows[r] = taps[r];
      const size_t last = job.offset + job.count;
      if (kShort) {
        Steps(rows, weights, job.offset, last, sums);
        continue;
      }
      for (size_t k = job.offset; k < last;) {
        if (left == 0) {
          Carry(sums, job.carried, first_chain);
          first_chain = false;
          left = job.chain;
        }
        const size_t end = k + HWY_MIN(HWY_MIN(job.steps, left), last - k);
        left -= end - k;
        for (size_t line = 0; line < job.ahead_lines; ++line, ahead += 64) {
          __builtin_prefetch(ahead, 0, 2);
        }
        Steps(rows, weights, k, end, sums);
        k = end;
      }
    }
    if (!kShort && job.carried != nullptr) AddCarried(job.carried, sums);
    FinishTile<kRows, kVectors>(job, y, residual, sums);
    if (residual != nullptr) residual += kRows * job.residual_step;
  }
}

// A single row times kPanels whole panels: many chains at once, weights fetched well ahead.
constexpr size_t kRowPanels = HWY_MAX(size_t{1}, 8 / kVectorsPerPanel);
constexpr size_t kRowFetch = 20;  // steps

template <size_t kPanels>
void Row(const TileJob& job) {
  const TileTag d;
  using V = hn::Vec<TileTag>;
  constexpr size_t L = kTileLanes;
  constexpr size_t kVectors = kPanels * kVectorsPerPanel;
  V sums[1][kVectors];
  const float* weights[kPanels];
  HWY_UNROLL(8)
  for (size_t p = 0; p < kPanels; ++p) {
    weights[p] = job.panels + (job.lane / kPanelLanes + p) * job.panel_step;
  }
  const float* init =
      job.inits == nullptr ? job.init : job.inits[0] + job.init_offset + job.lane;
  HWY_UNROLL(8)
  for (size_t v = 0; v < kVectors; ++v) {
    sums[0][v] = init == nullptr ? hn::Zero(d) : hn::LoadU(d, init + v * L);
  }
  size_t left = job.chain, step = 0;
  bool first_chain = true;
  for (size_t t = 0; t < job.taps; ++t) {
    const float* row = job.rows[t * job.row_step] + job.offset;
    for (size_t k = 0; k < job.count;) {
      if (left == 0) {
        Carry(sums, job.carried, first_chain);
        first_chain = false;
        left = job.chain;
      }
      const size_t end = k + HWY_MIN(left, job.count - k);
      left -= end - k;
      for (; k < end; ++k, ++step) {
        const V x = hn::Set(d, row[k]);
        HWY_UNROLL(8)
        for (size_t p = 0; p < kPanels; ++p) {
          const float* from = weights[p] + step * kPanelLanes;
          __builtin_prefetch(from + kRowFetch * kPanelLanes, 0, 3);
          HWY_UNROLL(4)
          for (size_t v = 0; v < kVectorsPerPanel; ++v) {
            V& sum = sums[0][p * kVectorsPerPanel + v];
            sum = hn::MulAdd(x, hn::LoadU(d, from + v * L), sum);
          }
        }
      }
    }
  }
  if (job.carried != nullptr) AddCarried(job.carried, sums);
  FinishTile<1, kVectors>(job, job.y, job.residual, sums);
}

using TileFunction = void (*)(const TileJob&);

struct TileTable {
  TileFunction of[kMaxTileVectors][kMaxTileRows];
};
template <bool kShort, size_t kVectors, size_t... kRowsMinusOne>
constexpr void FillTable(TileTable& table, std::index_sequence<kRowsMinusOne...>) {
  ((table.of[kVectors - 1][kRowsMinusOne] = Tiles<kRowsMinusOne + 1, kVectors, kShort>), ...);
}
template <bool kShort, size_t... kVectorsMinusOne>
constexpr TileTable AllTiles(std::index_sequence<kVectorsMinusOne...>) {
  TileTable table{};
  (FillTable<kShort, kVectorsMinusOne + 1>(
       table, std::make_index_sequence<TileRows(kVectorsMinusOne + 1)>()),
   ...);
  return table;
}
// [vectors - 1][rows - 1]; null beyond TileRows(vectors).
constexpr auto kShortTiles = AllTiles<true>(std::make_index_sequence<kMaxTileVectors>());
constexpr auto kTiles = AllTiles<false>(std::make_index_sequence<kMaxTileVectors>());

// Where products may be split along n: whole panels, whole tiles.
constexpr size_t kTileColumns = HWY_MAX(kPanelLanes, 2 * kTileLanes);

// All columns of one row.
void MultiplyRow(TileJob tile, const BlockJob& job) {
  constexpr size_t kColumns = kRowPanels * kPanelLanes;
  for (size_t column = 0; column < job.columns;) {
    const bool wide = job.columns - column > kColumns - kPanelLanes;
    tile.columns = HWY_MIN(job.columns - column, wide ? kColumns : kPanelLanes);
    tile.lane = column;
    tile.y = job.y + column;
    if (job.init != nullptr) tile.init = job.init + column;
    if (job.residual != nullptr) tile.residual = job.residual + column;
    if (wide) {
      Row<kRowPanels>(tile);
    } else {
      Row<1>(tile);
    }
    column += tile.columns;
  }
}

// For each few columns of weights, which then stay in the cache, all rows.
void MultiplyBlock(const BlockJob& job) {
  TileJob tile{};
  tile.rows = job.rows;
  tile.row_step = job.row_count;
  tile.offset = job.offset;
  tile.taps = job.taps;
  tile.count = job.count;
  // Whole taps where they are short.
  const size_t steps = job.chain_steps;
  tile.chain = job.count == 0 || job.count >= steps ? steps : steps / job.count * job.count;
  HWY_ALIGN float carried[kMaxTileFloats];
  if (job.taps * job.count > tile.chain) tile.carried = carried;
  tile.panels = job.panels;
  tile.panel_step = job.panel_step;
  tile.y_step = job.y_step;
  tile.residual_step = job.residual_step;
  tile.inits = job.inits;
  tile.init_offset = job.init_offset;
  tile.low = job.low;
  tile.high = job.high;
  if (job.row_count == 0) return;
  if (job.row_count == 1) return MultiplyRow(tile, job);
  const size_t vectors = (job.columns + kTileLanes - 1) / kTileLanes;
  for (size_t v = 0; v < vectors;) {
    const size_t left = vectors - v;
    // The last two are of a like width.
    const size_t width = left <= kMaxTileVectors  ? left
                         : left == kMaxTileVectors + 1 ? (left + 1) / 2
                                                       : kUsualTileVectors;
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
    tile.steps = fetch ? kStepsPerFetch : HWY_MAX(job.count, size_t{1});
    tile.ahead_lines = fetch ? (lines + tiles - 1) / tiles : 0;
    tile.ahead = reinterpret_cast<const char*>(ahead);
    const size_t fetches = job.taps * ((job.count + kStepsPerFetch - 1) / kStepsPerFetch);
    // Rows are spread evenly: tiles of two heights.
    size_t row = 0;
    const size_t height = job.row_count / tiles, higher = job.row_count % tiles;
    for (const bool high : {true, false}) {
      const size_t rows = height + (high ? 1 : 0);
      tile.tiles = high ? higher : tiles - higher;
      if (tile.tiles == 0) continue;
      tile.rows = job.rows + row;
      if (job.inits != nullptr) tile.inits = job.inits + row;
      tile.y = job.y + row * job.y_step + column;
      if (job.residual != nullptr) {
        tile.residual = job.residual + row * job.residual_step + column;
      }
      const bool is_short = tile.carried == nullptr && !fetch;
      (is_short ? kShortTiles : kTiles).of[width - 1][rows - 1](tile);
      tile.ahead += tile.tiles * fetches * tile.ahead_lines * 64;
      row += tile.tiles * rows;
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
