#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm.cc"
#include "hwy/foreach_target.h"
// Per target.
#include <utility>

#include "hwy/highway.h"
#include "kernels/bounds-inl.h"
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
constexpr bool kPanelIsVector = kVectorsPerPanel == 1;
constexpr size_t kMaxTileVectors = kPanelIsVector || kVectorsPerPanel == 4 ? 4 : 3;
constexpr size_t kUsualTileVectors =
    kPanelIsVector ? 3 : (kVectorsPerPanel == 2 ? 2 : kMaxTileVectors);

// Rows of a tile `vectors` wide: accumulators, one row of weights and a broadcast fit in registers,
// and rows a multiple of 4 KiB apart in the ways of a cache set.
constexpr size_t TileRows(size_t vectors) {
  return HWY_MIN((kTileRegisters - vectors - 1) / vectors, size_t{8});
}
constexpr size_t kMaxTileRows = TileRows(1);
// What all registers hold is more than any tile.
constexpr size_t kMaxTileFloats = kTileRegisters * kTileLanes;
// Steps of a sum whose weights, as wide as a tile, stay in the L1 cache while the rows go by.
constexpr size_t kCachedSteps = kPanelIsVector ? 128 : 256;
constexpr size_t kUnrolledSteps = kPanelIsVector ? 2 : 1;
// Tiles whose unfinished sums are kept meanwhile.
constexpr size_t kMaxCarriedTiles = 16;

constexpr size_t kStepsPerFetch = 16;
constexpr size_t kMaxTilesToFetch = 16;

// A sum is cut into chains of steps [step, step + steps) of taps [tap, tap + taps).
struct Chain {
  size_t tap, taps, step, steps;
  bool first, last;
};
class Chains {
 public:
  Chains(size_t taps, size_t count, size_t most) : taps_(taps), count_(count) {
    most = HWY_MIN(most, kCachedSteps);
    if (taps * count <= most) return;
    if (count <= most) {
      const size_t groups = CeilDiv(taps, most / count);
      taps_each_ = CeilDiv(taps, groups);
      number_ = CeilDiv(taps, taps_each_);
      return;
    }
    taps_each_ = 1;
    steps_each_ = (CeilDiv(count, CeilDiv(count, most)) + 15) / 16 * 16;
    per_tap_ = CeilDiv(count, steps_each_);
    number_ = taps * per_tap_;
  }
  size_t number() const { return number_; }
  Chain operator[](size_t i) const {
    Chain chain{};
    chain.first = i == 0;
    chain.last = i + 1 == number_;
    chain.tap = i / per_tap_ * taps_each_;
    chain.taps = HWY_MIN(taps_each_, taps_ - chain.tap);
    chain.step = i % per_tap_ * steps_each_;
    chain.steps = HWY_MIN(steps_each_, count_ - chain.step);
    return chain;
  }

 private:
  static size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }
  size_t taps_, count_;
  size_t taps_each_ = taps_, steps_each_ = count_, per_tap_ = 1, number_ = 1;
};

// One chain of tiles of the same height, one below the other; each is kept in registers while it
// runs along. Fields mean what they mean in BlockJob.
struct TileJob {
  const float* const* rows;
  size_t row_step;  // between taps
  size_t offset;
  size_t tiles;
  size_t taps;
  size_t count;
  bool first, last;  // of the chains of the sum
  float* carried;    // sums of the chains before, tile by tile
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

template <size_t kRows, size_t kVectors>
HWY_INLINE void Carry(const hn::Vec<TileTag> (&sums)[kRows][kVectors], float* carried) {
  const TileTag d;
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) {
      hn::Store(sums[r][v], d, carried + (r * kVectors + v) * kTileLanes);
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
      const V value = Bounded(sums[r][v], low, high);
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
  HWY_UNROLL(kUnrolledSteps)
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
  float* carried = job.carried;
  const bool starts = kShort || job.first;
  for (size_t tile = 0; tile < job.tiles; ++tile, y += kRows * job.y_step) {
    V sums[kRows][kVectors];
    const float* weights[kVectors];
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      weights[v] = first[v];
      const bool none = job.init == nullptr || !starts;
      const V init = none ? hn::Zero(d) : hn::LoadU(d, job.init + v * L);
      HWY_UNROLL(8)
      for (size_t r = 0; r < kRows; ++r) sums[r][v] = init;
    }
    if (job.inits != nullptr && starts) {
      HWY_UNROLL(8)
      for (size_t r = 0; r < kRows; ++r) {
        const float* init = job.inits[tile * kRows + r] + job.init_offset + job.lane;
        HWY_UNROLL(4)
        for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::LoadU(d, init + v * L);
      }
    }
    const float* const* taps = job.rows + tile * kRows;
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
        const size_t end = k + HWY_MIN(job.steps, last - k);
        for (size_t line = 0; line < job.ahead_lines; ++line, ahead += 64) {
          __builtin_prefetch(ahead, 0, 2);
        }
        Steps(rows, weights, k, end, sums);
        k = end;
      }
    }
    if (!kShort) {
      if (!job.first) AddCarried(carried, sums);
      if (!job.last) Carry(sums, carried);
      carried += kRows * kVectors * L;
      if (!job.last) continue;
    }
    FinishTile<kRows, kVectors>(job, y, residual, sums);
    if (residual != nullptr) residual += kRows * job.residual_step;
  }
}

// A single row times kPanels whole panels: many chains at once, weights fetched well ahead.
constexpr size_t kRowPanels = HWY_MIN(size_t{4}, HWY_MAX(size_t{1}, 8 / kVectorsPerPanel));
constexpr size_t kRowFetch = 20;  // steps

template <size_t kPanels>
void Row(const TileJob& job, const Chains& chains) {
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
  HWY_ALIGN float carried[kVectors * kTileLanes];
  size_t step = 0;
  for (size_t i = 0; i < chains.number(); ++i) {
    const Chain chain = chains[i];
    for (size_t t = chain.tap; t < chain.tap + chain.taps; ++t) {
      const float* row = job.rows[t * job.row_step] + job.offset;
      for (size_t k = chain.step; k < chain.step + chain.steps; ++k, ++step) {
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
    if (!chain.first) AddCarried(carried, sums);
    if (chain.last) break;
    Carry(sums, carried);
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) sums[0][v] = hn::Zero(d);
  }
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

// Of `left` vectors, those that the next tiles take: the last few are of a like width.
constexpr size_t TileVectors(size_t left) {
  if (left <= kMaxTileVectors) return left;
  if (left == kMaxTileVectors + 1) return (left + 1) / 2;
  return kPanelIsVector && left % kUsualTileVectors != 0 ? kMaxTileVectors : kUsualTileVectors;
}

// Where products may be split along n: whole panels, whole tiles.
constexpr size_t kTileColumns = HWY_MAX(kPanelLanes, 2 * kTileLanes);

// All columns of one row.
void MultiplyRow(TileJob tile, const BlockJob& job, const Chains& chains) {
  constexpr size_t kColumns = kRowPanels * kPanelLanes;
  for (size_t column = 0; column < job.columns;) {
    const bool wide = job.columns - column > kColumns - kPanelLanes;
    tile.columns = HWY_MIN(job.columns - column, wide ? kColumns : kPanelLanes);
    tile.lane = column;
    tile.y = job.y + column;
    if (job.init != nullptr) tile.init = job.init + column;
    if (job.residual != nullptr) tile.residual = job.residual + column;
    if (wide) {
      Row<kRowPanels>(tile, chains);
    } else {
      Row<1>(tile, chains);
    }
    column += tile.columns;
  }
}

// The rows of `tile` spread evenly: tiles of two heights. One chain.
void MultiplyTiles(TileJob tile, size_t width, size_t row_count, size_t tiles, bool is_short) {
  const size_t fetches = tile.taps * ((tile.count + kStepsPerFetch - 1) / kStepsPerFetch);
  const size_t height = row_count / tiles, higher = row_count % tiles;
  for (const bool high : {true, false}) {
    const size_t rows = height + (high ? 1 : 0);
    tile.tiles = high ? higher : tiles - higher;
    if (tile.tiles == 0) continue;
    (is_short ? kShortTiles : kTiles).of[width - 1][rows - 1](tile);
    const size_t done = tile.tiles * rows;
    tile.ahead += tile.tiles * fetches * tile.ahead_lines * 64;
    tile.carried += done * width * kTileLanes;
    tile.rows += done;
    if (tile.inits != nullptr) tile.inits += done;
    tile.y += done * tile.y_step;
    if (tile.residual != nullptr) tile.residual += done * tile.residual_step;
  }
}

// For each few columns of weights, which then stay in the cache, all rows.
void MultiplyBlock(const BlockJob& job) {
  TileJob tile{};
  tile.row_step = job.row_count;
  tile.panel_step = job.panel_step;
  tile.y_step = job.y_step;
  tile.residual_step = job.residual_step;
  tile.init_offset = job.init_offset;
  tile.low = job.low;
  tile.high = job.high;
  if (job.row_count == 0) return;
  const Chains chains(job.taps, job.count, job.chain_steps);
  if (job.row_count == 1) {
    tile.rows = job.rows;
    tile.offset = job.offset;
    tile.panels = job.panels;
    tile.inits = job.inits;
    return MultiplyRow(tile, job, chains);
  }
  HWY_ALIGN float carried[kMaxCarriedTiles * kMaxTileFloats];
  const size_t vectors = (job.columns + kTileLanes - 1) / kTileLanes;
  for (size_t v = 0; v < vectors;) {
    const size_t left = vectors - v;
    const size_t width = TileVectors(left);
    const size_t column = v * kTileLanes;
    tile.columns = HWY_MIN(job.columns - column, width * kTileLanes);
    tile.lane = column;
    if (job.init != nullptr) tile.init = job.init + column;
    const size_t tiles = (job.row_count + TileRows(width) - 1) / TileRows(width);
    // While the last rows go by, the next columns' weights come nearer; many outweigh the wait.
    const size_t next = v + width < vectors ? (column + width * kTileLanes) / kPanelLanes : 0;
    const float* ahead = next > 0 ? job.panels + next * job.panel_step : job.next_panels;
    const size_t lines = kStepsPerFetch * width * kTileLanes * sizeof(float) / 64;
    const bool one_chain = chains.number() == 1;
    const size_t groups = one_chain ? 1 : (tiles + kMaxCarriedTiles - 1) / kMaxCarriedTiles;
    for (size_t group = 0; group < groups; ++group) {
      const size_t row = job.row_count * group / groups;
      const size_t row_count = job.row_count * (group + 1) / groups - row;
      const size_t group_tiles = (row_count + TileRows(width) - 1) / TileRows(width);
      const bool fetch =
          ahead != nullptr && group + 1 == groups && group_tiles <= kMaxTilesToFetch;
      tile.ahead_lines = fetch ? (lines + group_tiles - 1) / group_tiles : 0;
      tile.y = job.y + row * job.y_step + column;
      if (job.inits != nullptr) tile.inits = job.inits + row;
      if (job.residual != nullptr) tile.residual = job.residual + row * job.residual_step + column;
      tile.carried = carried;
      tile.ahead = reinterpret_cast<const char*>(ahead);
      for (size_t i = 0; i < chains.number(); ++i) {
        const Chain chain = chains[i];
        tile.rows = job.rows + chain.tap * job.row_count + row;
        tile.offset = job.offset + chain.step;
        tile.taps = chain.taps;
        tile.count = chain.steps;
        tile.panels = job.panels + (chain.tap * job.count + chain.step) * kPanelLanes;
        tile.first = chain.first;
        tile.last = chain.last;
        tile.steps = fetch ? kStepsPerFetch : HWY_MAX(chain.steps, size_t{1});
        MultiplyTiles(tile, width, row_count, group_tiles, one_chain && !fetch);
        const size_t fetches = chain.taps * ((chain.steps + kStepsPerFetch - 1) / kStepsPerFetch);
        tile.ahead += group_tiles * fetches * tile.ahead_lines * 64;
      }
    }
    v += width;
  }
}

// Multiply-adds, or what else there is to issue; then what a tile takes besides.
double TilesCycles(size_t tiles, size_t rows, size_t width, size_t steps) {
  const auto sums = static_cast<double>(rows * width);
  const double issued = sums + static_cast<double>(rows + width + 5);
  const double step = 0.5 + HWY_MAX(sums / 2, issued / 4);
  return static_cast<double>(tiles) * (static_cast<double>(steps) * step + 3 * sums + 20);
}

double BlockCycles(size_t rows, size_t columns, size_t steps) {
  if (rows == 1) {
    const size_t panels = (columns + kPanelLanes - 1) / kPanelLanes;
    // Weights are waited for, more so by a panel alone.
    const size_t many = panels / kRowPanels * kRowPanels;
    return static_cast<double>(steps * (8 * many + 12 * (panels - many)));
  }
  double cycles = 0;
  for (size_t left = (columns + kTileLanes - 1) / kTileLanes; left > 0;) {
    const size_t width = TileVectors(left);
    const size_t tiles = (rows + TileRows(width) - 1) / TileRows(width);
    const size_t higher = rows % tiles;
    cycles += TilesCycles(higher, rows / tiles + 1, width, steps);
    cycles += TilesCycles(tiles - higher, rows / tiles, width, steps);
    left -= width;
  }
  return cycles;
}

Gemm MakeGemm() { return {MultiplyBlock, kTileColumns, BlockCycles}; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(MakeGemm);

Gemm BestGemm() { return HWY_DYNAMIC_DISPATCH(MakeGemm)(); }

}  // namespace pleat::kernels
#endif  // HWY_ONCE
