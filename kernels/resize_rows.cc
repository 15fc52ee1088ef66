// Linear and cubic resampling of float32 planes, row by row: the input rows that a row of outputs
// needs are combined into one, then that row's columns. With one channel the vectors run along the
// outputs of the row, else along the channels.
#include "kernels/resize_row.h"

#include <algorithm>
#include <limits>

#include "kernels/resize_plane.h"
#include "kernels/split.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/resize_rows.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace {

using Tag = hn::ScalableTag<float>;
using V = hn::Vec<Tag>;

// y[i] = sum over t of weights[t] * x[positions[t] * step + i], for i in [0, count).
HWY_INLINE void Combine(const float* x, const int32_t* positions, const float* weights,
                        int32_t taps, int64_t step, int64_t count, float* y) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    V a = hn::Zero(d), b = a, c = a, e = a;
    for (int32_t t = 0; t < taps; ++t) {
      const float* from = x + positions[t] * step + i;
      const V w = hn::Set(d, weights[t]);
      a = hn::MulAdd(w, hn::LoadU(d, from), a);
      b = hn::MulAdd(w, hn::LoadU(d, from + lanes), b);
      c = hn::MulAdd(w, hn::LoadU(d, from + 2 * lanes), c);
      e = hn::MulAdd(w, hn::LoadU(d, from + 3 * lanes), e);
    }
    hn::StoreU(a, d, y + i);
    hn::StoreU(b, d, y + i + lanes);
    hn::StoreU(c, d, y + i + 2 * lanes);
    hn::StoreU(e, d, y + i + 3 * lanes);
  }
  for (; i < count; i += lanes) {
    const size_t width = static_cast<size_t>(std::min(lanes, count - i));
    V a = hn::Zero(d);
    for (int32_t t = 0; t < taps; ++t) {
      const float* from = x + positions[t] * step + i;
      const V w = hn::Set(d, weights[t]);
      a = hn::MulAdd(w, width == hn::Lanes(d) ? hn::LoadU(d, from) : LoadFirst(d, from, width), a);
    }
    if (width == hn::Lanes(d)) {
      hn::StoreU(a, d, y + i);
    } else {
      StoreFirst(a, d, y + i, width);
    }
  }
}

// The columns of a row of single numbers. The table is transposed: [taps][width].
void CombineColumns(const float* x, const ResizeWeights& columns, int64_t width, float* y) {
  const Tag d;
  const hn::RebindToSigned<Tag> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t o = 0;
  for (; o + lanes <= width; o += lanes) {
    V sum = hn::Zero(d);
    for (int64_t t = 0; t < columns.taps; ++t) {
      const V w = hn::LoadU(d, columns.weights.data() + t * width + o);
      const V v = hn::GatherIndex(d, x, hn::LoadU(di, columns.positions.data() + t * width + o));
      sum = hn::IfThenElse(hn::Ne(w, hn::Zero(d)), hn::MulAdd(w, v, sum), sum);
    }
    hn::StoreU(sum, d, y + o);
  }
  for (; o < width; ++o) {
    hn::CappedTag<float, 1> d1;
    auto sum = hn::Zero(d1);
    for (int64_t t = 0; t < columns.taps; ++t) {
      const float w = columns.weights[static_cast<size_t>(t * width + o)];
      const float v = x[columns.positions[static_cast<size_t>(t * width + o)]];
      if (w != 0) sum = hn::MulAdd(hn::Set(d1, w), hn::Set(d1, v), sum);
    }
    y[o] = hn::GetLane(sum);
  }
}

}  // namespace

void RunResizeRow(const ResizeRow& row) {
  const size_t first = static_cast<size_t>(row.output_row * row.rows->taps);
  const int32_t* positions = row.rows->positions.data() + first;
  const float* weights = row.rows->weights.data() + first;
  const int32_t taps = row.rows->counts[static_cast<size_t>(row.output_row)];
  const float* combined = row.x + positions[0] * row.row_step;
  const bool plain = taps == 1 && weights[0] == 1;
  if (row.columns == nullptr) {
    Combine(row.x, positions, weights, taps, row.row_step, row.row_step, row.y);
    return;
  }
  if (!plain) {
    Combine(row.x, positions, weights, taps, row.row_step, row.row_step, row.scratch);
    combined = row.scratch;
  }
  const ResizeWeights& columns = *row.columns;
  if (row.channels == 1) {
    CombineColumns(combined, columns, row.width, row.y);
    return;
  }
  for (int64_t o = 0; o < row.width; ++o) {
    Combine(combined, columns.positions.data() + o * columns.taps,
            columns.weights.data() + o * columns.taps, columns.counts[static_cast<size_t>(o)],
            row.channels, row.channels, row.y + o * row.channels);
  }
}

auto ChooseResizeRow() { return &RunResizeRow; }

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseResizeRow);

namespace {

ResizeWeights WeightsOf(const ResizeTable& table) {
  ResizeWeights weights{.taps = table.taps};
  const size_t taps = static_cast<size_t>(table.taps);
  weights.positions.resize(table.positions.size());
  weights.weights.resize(table.positions.size());
  for (size_t first = 0; first < table.positions.size(); first += taps) {
    int32_t count = 0;
    for (size_t t = first; t < first + taps; ++t) {
      const float weight = static_cast<float>(table.weights[t]);
      if (weight == 0) continue;
      weights.positions[first + static_cast<size_t>(count)] =
          static_cast<int32_t>(table.positions[t]);
      weights.weights[first + static_cast<size_t>(count++)] = weight;
    }
    weights.counts.push_back(count);
  }
  return weights;
}

// [out][taps] to [taps][out].
template <class T>
void Transpose(int64_t taps, std::vector<T>* table) {
  const size_t rows = table->size() / static_cast<size_t>(taps);
  std::vector<T> transposed(table->size());
  for (size_t i = 0; i < table->size(); ++i) {
    transposed[i % static_cast<size_t>(taps) * rows + i / static_cast<size_t>(taps)] = (*table)[i];
  }
  *table = std::move(transposed);
}

class ResizeRows final : public Kernel {
 public:
  ResizeRows(const ResizeProblem& problem, const ResizePlane& plane)
      : plane_(plane),
        same_columns_(problem.Leaves(plane.width)),
        row_step_(plane.width.in * plane.channels),
        rows_(WeightsOf(MakeResizeTable(problem, plane.height))),
        columns_(WeightsOf(MakeResizeTable(problem, plane.width))),
        run_(HWY_DYNAMIC_DISPATCH(ChooseResizeRow)()) {
    if (plane.channels == 1) {
      Transpose(columns_.taps, &columns_.positions);
      Transpose(columns_.taps, &columns_.weights);
    }
  }

  size_t scratch_bytes(int threads) const override {
    return static_cast<size_t>(threads) * static_cast<size_t>(ScratchFloats()) * sizeof(float);
  }

  size_t packed_bytes() const override {
    return (rows_.weights.size() + columns_.weights.size()) * 8 +
           (rows_.counts.size() + columns_.counts.size()) * 4;
  }

  void Run(const Operands& operands) const override {
    const float* x = static_cast<const float*>(operands.inputs[0]);
    float* y = static_cast<float*>(operands.outputs[0]);
    float* scratch = static_cast<float*>(operands.scratch);
    const int64_t height = plane_.height.out;
    const int64_t out_step = plane_.width.out * plane_.channels;
    if (out_step == 0) return;
    ForRanges(*operands.threads, plane_.images * height, kGrain / (out_step + row_step_),
              [&](int64_t begin, int64_t end, size_t slot) {
                for (int64_t i = begin; i < end; ++i) {
                  run_({.x = x + i / height * plane_.height.in * row_step_,
                        .row_step = row_step_,
                        .channels = plane_.channels,
                        .rows = &rows_,
                        .output_row = i % height,
                        .columns = same_columns_ ? nullptr : &columns_,
                        .width = plane_.width.out,
                        .y = y + i * out_step,
                        .scratch = scratch + static_cast<int64_t>(slot) * ScratchFloats()});
                }
              });
  }

 private:
  static constexpr int64_t kGrain = 16384;
  int64_t ScratchFloats() const { return same_columns_ ? 0 : (row_step_ + 15) / 16 * 16; }

  const ResizePlane plane_;
  const bool same_columns_;
  const int64_t row_step_;
  const ResizeWeights rows_;
  ResizeWeights columns_;
  void (*const run_)(const ResizeRow&);
};

Refusal Refuse(const ResizeProblem& problem) {
  if (problem.type != ElementType::kFloat32) return "float32 only";
  if (problem.mode == ResizeMode::kNearest) return "no nearest neighbours";
  if (problem.coordinates == CoordinateMode::kTfCropAndResize) return "no cropping";
  const std::optional<ResizePlane> plane = PlaneOf(problem);
  if (!plane) return "more than two neighbouring axes change";
  if (std::max(plane->height.in, plane->width.in) > std::numeric_limits<int32_t>::max()) {
    return "an axis is longer than 2^31";
  }
  return {};
}

std::unique_ptr<Kernel> Make(const ResizeProblem& problem) {
  return std::make_unique<ResizeRows>(problem, *PlaneOf(problem));
}

}  // namespace

extern const Candidate<ResizeProblem> kResizeRows = {"rows", Refuse, Make};

}  // namespace pleat::kernels
#endif  // HWY_ONCE
