// Primitives of detection: samples of pictures, regions, overlapping boxes, different slices.
#include <algorithm>
#include <map>
#include <set>

#include "kernels/grid_sample.h"
#include "kernels/non_max_suppression.h"
#include "kernels/roi_align.h"
#include "kernels/unique.h"
#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// The interpolating kernel at a distance.
double Kernel1d(GridInterpolation interpolation, double distance) {
  const double d = std::abs(distance), a = -0.75;
  if (interpolation == GridInterpolation::kLinear) return std::max(0.0, 1 - d);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
}

double Mirror(double at, double low, double high) {
  if (high <= low) return low;
  while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at;
  return at;
}

// An element of a line that goes on for ever by the padding; -1 where there is a zero.
int64_t PaddedIndex(const GridSampleProblem& p, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  if (p.padding == GridPadding::kZeros) return -1;
  if (p.padding == GridPadding::kBorder) return std::clamp<int64_t>(i, 0, size - 1);
  const double edge = p.align_corners ? 0 : 0.5;
  return static_cast<int64_t>(
      Mirror(static_cast<double>(i), -edge, static_cast<double>(size) - 1 + edge));
}

double Coordinate(const GridSampleProblem& p, double grid, int64_t size) {
  const double n = static_cast<double>(size);
  double at = p.align_corners ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
  if (p.interpolation == GridInterpolation::kNearest) at = std::nearbyint(at);
  const double edge = p.align_corners ? 0 : 0.5;
  if (p.padding == GridPadding::kBorder && (at < -edge || at > n - 1 + edge)) {
    at = std::clamp(at, 0.0, n - 1);
  }
  if (p.padding == GridPadding::kReflection) at = Mirror(at, -edge, n - 1 + edge);
  return at;
}

// The sum over every element near, axis by axis.
double Sample(const GridSampleProblem& p, const double* x, const float* grid, size_t axis = 0) {
  const size_t rank = p.sizes.size();
  if (axis == rank) return *x;
  const int64_t size = p.sizes[axis];
  int64_t stride = 1;
  for (size_t d = axis + 1; d < rank; ++d) stride *= p.sizes[d];
  const double at = Coordinate(p, static_cast<double>(grid[rank - 1 - axis]), size);
  const auto near = static_cast<int64_t>(std::floor(at));
  double sum = 0;
  for (int64_t i = near - 3; i <= near + 4; ++i) {
    const bool nearest = p.interpolation == GridInterpolation::kNearest;
    const double weight = nearest ? (i == near ? 1 : 0)
                                  : Kernel1d(p.interpolation, at - static_cast<double>(i));
    const int64_t index = PaddedIndex(p, i, size);
    if (weight == 0 || index < 0) continue;
    sum += weight * Sample(p, x + index * stride, grid, axis + 1);
  }
  return sum;
}

TEST(GridSample, EverySampleIsTheSumOverElementsNear) {
  tests::Random random(71);
  for (int round = 0; round < 150; ++round) {
    GridSampleProblem p{.batch = random.Between(1, 2),
                        .channels = random.Between(1, 3),
                        .places = random.Between(1, 20),
                        .interpolation = static_cast<GridInterpolation>(random.Below(3)),
                        .padding = static_cast<GridPadding>(random.Below(3)),
                        .align_corners = random.Chance(0.5)};
    const int64_t rank = random.Between(1, 3);
    int64_t plane = 1;
    for (int64_t d = 0; d < rank; ++d) {
      p.sizes.push_back(random.Between(1, 5));
      plane *= p.sizes.back();
    }
    const auto pictures = static_cast<size_t>(p.batch * p.channels);
    const auto x = random.Values<float>(pictures * static_cast<size_t>(plane));
    const auto grid =
        random.Values<float>(static_cast<size_t>(p.batch * p.places * rank), -1.8, 1.8);
    const std::vector<double> wide(x.begin(), x.end());
    const size_t outputs = pictures * static_cast<size_t>(p.places);
    ForEveryKernel(GridSampleCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const auto y =
          As<float>(RunEveryWay(kernel, Buffers().In(x).In(grid).Out<float>(outputs))[0]);
      for (size_t i = 0; i < outputs; ++i) {
        const size_t picture = i / static_cast<size_t>(p.places);
        const size_t n = picture / static_cast<size_t>(p.channels);
        const size_t place = i % static_cast<size_t>(p.places);
        const float* at = grid.data() + (n * static_cast<size_t>(p.places) + place) *
                                            static_cast<size_t>(rank);
        ASSERT_NEAR(y[i], Sample(p, wide.data() + picture * static_cast<size_t>(plane), at), 1e-5)
            << "round " << round;
      }
    });
  }
}

TEST(GridSample, PlacesThatAreNoNumbersLieOutside) {
  const std::vector<float> x = {1, 2, 3, 4}, grid = {kNaN, 0, 1e30f, 0, -1e30f, 0, 0, INFINITY};
  for (const GridPadding padding :
       {GridPadding::kZeros, GridPadding::kBorder, GridPadding::kReflection}) {
    const GridSampleProblem p{.sizes = {2, 2}, .places = 4, .padding = padding};
    const auto y = As<float>(RunEveryWay(*GridSampleCandidates()[0].make(p),
                                         Buffers().In(x).In(grid).Out<float>(4))[0]);
    for (const float value : y) EXPECT_TRUE(value >= 0 && value <= 4) << value;
    if (padding == GridPadding::kZeros) {
      EXPECT_EQ(y, (std::vector<float>{0, 0, 0, 0}));
    }
  }
}

double Bilinear(const float* x, int64_t height, int64_t width, double v, double h, bool largest) {
  const auto at = [](double place, int64_t size) {
    return std::clamp(place, 0.0, static_cast<double>(size - 1));
  };
  v = at(v, height), h = at(h, width);
  double sum = 0, most = -INFINITY;
  for (const double i : {std::floor(v), std::floor(v) + 1}) {
    for (const double j : {std::floor(h), std::floor(h) + 1}) {
      const double weight = (1 - std::abs(v - i)) * (1 - std::abs(h - j));
      const auto row = std::min(static_cast<int64_t>(i), height - 1);
      const auto column = std::min(static_cast<int64_t>(j), width - 1);
      const double part = weight * static_cast<double>(x[row * width + column]);
      sum += part;
      most = std::max(most, part);
    }
  }
  return largest ? most : sum;
}

double RegionBin(const RoiAlignProblem& p, const float* x, const float* roi, int64_t i, int64_t j) {
  const double offset = p.half_pixel ? 0.5 : 0;
  double begin[2], bin[2];
  int64_t samples[2];
  for (int d = 0; d < 2; ++d) {  // down, across
    begin[d] = static_cast<double>(roi[1 - d]) * p.scale - offset;
    double length = static_cast<double>(roi[3 - d]) * p.scale - offset - begin[d];
    if (!p.half_pixel) length = std::max(length, 1.0);
    bin[d] = length / static_cast<double>(d == 0 ? p.bins_high : p.bins_wide);
    samples[d] = p.samples > 0 ? p.samples : static_cast<int64_t>(std::ceil(bin[d]));
  }
  double sum = 0, most = -INFINITY;
  for (int64_t a = 0; a < samples[0]; ++a) {
    for (int64_t b = 0; b < samples[1]; ++b) {
      const double v = begin[0] + static_cast<double>(i) * bin[0] +
                       (static_cast<double>(a) + 0.5) * bin[0] / static_cast<double>(samples[0]);
      const double h = begin[1] + static_cast<double>(j) * bin[1] +
                       (static_cast<double>(b) + 0.5) * bin[1] / static_cast<double>(samples[1]);
      const bool outside = v < -1 || h < -1 || v > static_cast<double>(p.height) ||
                           h > static_cast<double>(p.width);
      sum += outside ? 0 : Bilinear(x, p.height, p.width, v, h, false);
      most = std::max(most, outside ? 0 : Bilinear(x, p.height, p.width, v, h, true));
    }
  }
  return p.max ? most : sum / static_cast<double>(samples[0] * samples[1]);
}

TEST(RoiAlign, EveryBinIsTheMeanOrLargestOfItsSamples) {
  tests::Random random(72);
  for (int round = 0; round < 80; ++round) {
    const RoiAlignProblem p{.batch = random.Between(1, 3),
                            .channels = random.Between(1, 3),
                            .height = random.Between(2, 9),
                            .width = random.Between(2, 9),
                            .regions = random.Between(1, 4),
                            .bins_high = random.Between(1, 3),
                            .bins_wide = random.Between(1, 3),
                            .samples = random.Between(0, 3),
                            .scale = random.Chance(0.5) ? 1 : 0.5,
                            .half_pixel = random.Chance(0.5),
                            .max = random.Chance(0.3)};
    const int64_t plane = p.height * p.width;
    const auto x = random.Values<float>(static_cast<size_t>(p.batch * p.channels * plane));
    std::vector<float> rois;
    std::vector<int64_t> pictures;
    for (int64_t r = 0; r < p.regions; ++r) {
      const double left = random.Uniform(-6, 12), top = random.Uniform(-6, 12);
      const double right = left + random.Uniform(0.1, 9), bottom = top + random.Uniform(0.1, 9);
      for (const double at : {left, top, right, bottom}) rois.push_back(static_cast<float>(at));
      pictures.push_back(random.Below(p.batch));
    }
    const int64_t bins = p.bins_high * p.bins_wide;
    const auto outputs = static_cast<size_t>(p.regions * p.channels * bins);
    ForEveryKernel(RoiAlignCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const auto y = As<float>(RunEveryWay(
          kernel, Buffers().In(x).In(rois).In(pictures).Out<float>(outputs))[0]);
      for (int64_t k = 0; k < static_cast<int64_t>(outputs); ++k) {
        const int64_t region = k / bins / p.channels, channel = k / bins % p.channels;
        const int64_t picture = pictures[static_cast<size_t>(region)];
        const double expected =
            RegionBin(p, x.data() + (picture * p.channels + channel) * plane,
                      rois.data() + region * 4, k % bins / p.bins_wide, k % p.bins_wide);
        ASSERT_NEAR(y[static_cast<size_t>(k)], expected, 1e-5) << "round " << round;
      }
    });
  }
}

TEST(RoiAlign, RegionsWithoutEndOrNumberGiveZeros) {
  const RoiAlignProblem p{.height = 2, .width = 2, .regions = 3, .bins_high = 2, .bins_wide = 2};
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<float> rois = {kNaN, 0, 1, 1, 0, 0, INFINITY, 1, 1e20f, 1e20f, 3e20f, 3e20f};
  const auto y = As<float>(
      RunEveryWay(*RoiAlignCandidates()[0].make(p),
                  Buffers().In(x).In(rois).In(std::vector<int64_t>{0, 9, -7}).Out<float>(12))[0]);
  EXPECT_EQ(y, std::vector<float>(12, 0.0f));
}

double Overlap(const float* a, const float* b) {
  const auto edge = [](const float* box, int low, bool upper) {
    const auto [less, more] = std::minmax(box[low], box[low + 2]);
    return static_cast<double>(upper ? more : less);
  };
  double common = 1, area_a = 1, area_b = 1;
  for (const int d : {0, 1}) {
    common *= std::max(0.0, std::min(edge(a, d, true), edge(b, d, true)) -
                                std::max(edge(a, d, false), edge(b, d, false)));
    area_a *= edge(a, d, true) - edge(a, d, false);
    area_b *= edge(b, d, true) - edge(b, d, false);
  }
  return common / (area_a + area_b - common);
}

TEST(NonMaxSuppression, EachBoxIsChosenOrCoveredByABetterOne) {
  tests::Random random(73);
  for (int round = 0; round < 60; ++round) {
    const NonMaxSuppressionProblem p{.batch = random.Between(1, 2),
                                     .classes = random.Between(1, 3),
                                     .boxes = random.Between(0, 25),
                                     .most = 100,
                                     .overlap = 0.3,
                                     .has_threshold = random.Chance(0.5),
                                     .threshold = 0.2};
    const auto boxes = random.Values<float>(static_cast<size_t>(p.batch * p.boxes * 4), 0, 3);
    const auto scores = random.Values<float>(static_cast<size_t>(p.batch * p.classes * p.boxes), 0);
    const auto chosen = NonMaxSuppression(p, boxes.data(), scores.data());
    ASSERT_EQ(chosen.size() % 3, 0u);
    std::map<int64_t, std::vector<int64_t>> by_line;
    for (size_t i = 0; i < chosen.size(); i += 3) {
      by_line[chosen[i] * p.classes + chosen[i + 1]].push_back(chosen[i + 2]);
    }
    for (int64_t line = 0; line < p.batch * p.classes; ++line) {
      const float* box = boxes.data() + line / p.classes * p.boxes * 4;
      const float* score = scores.data() + line * p.boxes;
      const std::vector<int64_t>& mine = by_line[line];
      for (size_t i = 1; i < mine.size(); ++i) EXPECT_GE(score[mine[i - 1]], score[mine[i]]);
      for (int64_t b = 0; b < p.boxes; ++b) {
        const bool is_chosen = std::find(mine.begin(), mine.end(), b) != mine.end();
        const bool counts = !p.has_threshold || static_cast<double>(score[b]) > p.threshold;
        const bool covered = std::any_of(mine.begin(), mine.end(), [&](int64_t other) {
          return other != b && score[other] >= score[b] &&
                 Overlap(box + 4 * b, box + 4 * other) > p.overlap;
        });
        EXPECT_EQ(is_chosen, counts && !covered) << "round " << round;
      }
    }
  }
}

TEST(NonMaxSuppression, LimitsEqualsAndNumbersThatAreNone) {
  const std::vector<float> boxes = {0.5f, 0.5f, 1, 1, 0.5f, 0.5f, 1, 1, 5, 5, 1, 1, 9, 9, 1, 1};
  const std::vector<float> scores = {0.5f, 0.5f, kNaN, 0.1f};
  NonMaxSuppressionProblem p{
      .batch = 1, .classes = 1, .boxes = 4, .centred = true, .most = 4, .overlap = 0.5};
  EXPECT_EQ(NonMaxSuppression(p, boxes.data(), scores.data()),
            (std::vector<int64_t>{0, 0, 0, 0, 0, 3}));
  p.most = 1;
  EXPECT_EQ(NonMaxSuppression(p, boxes.data(), scores.data()), (std::vector<int64_t>{0, 0, 0}));
  p.most = 0;
  EXPECT_TRUE(NonMaxSuppression(p, boxes.data(), scores.data()).empty());
}

TEST(Unique, FindsWhatASetFinds) {
  tests::Random random(74);
  for (int round = 0; round < 60; ++round) {
    UniqueProblem p{.type = ElementType::kInt32,
                    .outer = random.Between(1, 2),
                    .size = random.Between(0, 12),
                    .inner = random.Between(1, 2),
                    .sorted = random.Chance(0.5)};
    std::vector<int32_t> x(static_cast<size_t>(p.outer * p.size * p.inner));
    for (int32_t& value : x) value = static_cast<int32_t>(random.Between(-1, 1));
    std::vector<std::vector<int32_t>> slices;
    for (int64_t i = 0; i < p.size; ++i) {
      slices.emplace_back();
      for (int64_t o = 0; o < p.outer; ++o) {
        for (int64_t k = 0; k < p.inner; ++k) {
          slices.back().push_back(x[static_cast<size_t>((o * p.size + i) * p.inner + k)]);
        }
      }
    }
    const std::set<std::vector<int32_t>> different(slices.begin(), slices.end());
    const UniqueSlices found = FindUnique(p, x.data());
    ASSERT_EQ(found.first.size(), different.size());
    ASSERT_EQ(found.inverse.size(), slices.size());
    for (size_t i = 0; i < slices.size(); ++i) {
      const auto which = static_cast<size_t>(found.inverse[i]);
      EXPECT_EQ(slices[static_cast<size_t>(found.first[which])], slices[i]);
      EXPECT_EQ(found.count[which], std::count(slices.begin(), slices.end(), slices[i]));
      EXPECT_EQ(found.first[which],
                std::find(slices.begin(), slices.end(), slices[i]) - slices.begin());
    }
    for (size_t u = 1; u < found.first.size(); ++u) {
      const auto before = static_cast<size_t>(found.first[u - 1]);
      const auto at = static_cast<size_t>(found.first[u]);
      EXPECT_TRUE(p.sorted ? slices[before] < slices[at] : before < at);
    }
  }
}

TEST(Unique, NaNIsOneNumberAboveAllOthers) {
  const std::vector<float> x = {kNaN, 2, kNaN, INFINITY};
  const UniqueSlices found = FindUnique({.size = 4}, x.data());
  EXPECT_EQ(found.first, (std::vector<int64_t>{1, 3, 0}));
  EXPECT_EQ(found.count, (std::vector<int64_t>{1, 1, 2}));
}

}  // namespace
}  // namespace pleat::kernels
