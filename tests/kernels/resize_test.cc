#include "kernels/resize.h"

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using Mode = ResizeMode;
using Coordinates = CoordinateMode;

size_t Count(const ResizeProblem& p, int64_t ResizeAxis::*size) {
  int64_t count = 1;
  for (int axis = 0; axis < p.rank; ++axis) count *= p.axes[axis].*size;
  return static_cast<size_t>(count);
}

// The same problem by the reference in double.
std::vector<double> Definition(ResizeProblem problem, const std::vector<float>& x) {
  problem.type = ElementType::kFloat64;
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<double> y(Count(problem, &ResizeAxis::out));
  const void* in = wide.data();
  void* out = y.data();
  ThreadPool threads(1);
  ResizeCandidates().back().make(problem)->Run({&in, &out, nullptr, &threads});
  return y;
}

void CheckAll(const ResizeProblem& problem, const std::vector<float>& x) {
  const std::vector<double> expected = Definition(problem, x);
  const double bound = problem.mode == Mode::kNearest ? 0 : 4e-6;
  ForEveryKernel(ResizeCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(expected.size()))[0]);
    for (size_t i = 0; i < y.size(); ++i) {
      if (std::isfinite(expected[i])) {
        ASSERT_NEAR(y[i], expected[i], bound) << i;
      } else {
        ASSERT_EQ(UlpsOff(y[i], expected[i]), 0) << i;
      }
    }
  });
}

void Append(ResizeProblem* problem, int64_t in, int64_t out) {
  problem->Append({in, out, static_cast<double>(out) / static_cast<double>(in)});
}

std::string Text(const ResizeProblem& p) {
  std::string text = "mode " + std::to_string(static_cast<int>(p.mode)) + " coordinates " +
                     std::to_string(static_cast<int>(p.coordinates));
  for (int axis = 0; axis < p.rank; ++axis) {
    text += " " + std::to_string(p.axes[axis].in) + ">" + std::to_string(p.axes[axis].out);
  }
  return text + (p.antialias ? " antialias" : "") + (p.exclude_outside ? " exclude" : "");
}

TEST(Resize, EveryKernelMatchesTheDefinition) {
  tests::Random random(31);
  for (int round = 0; round < 100; ++round) {
    ResizeProblem p{.mode = static_cast<Mode>(random.Below(3)),
                    .coordinates = static_cast<Coordinates>(random.Below(7)),
                    .nearest = static_cast<NearestMode>(random.Below(4)),
                    .cubic_a = random.Chance(0.5) ? -0.75 : -0.5,
                    .exclude_outside = random.Chance(0.3),
                    .antialias = random.Chance(0.3)};
    const auto alone = [&](int64_t high) {
      const int64_t size = random.Between(1, high);
      p.Append({size, size, 1});
    };
    const auto change = [&] { Append(&p, random.Between(1, 24), random.Between(1, 40)); };
    if (random.Chance(0.7)) alone(3);
    change();
    if (random.Chance(0.1)) alone(3);
    if (random.Chance(0.7)) change();
    if (random.Chance(0.6)) alone(random.Chance(0.3) ? 150 : 20);
    SCOPED_TRACE(Text(p));
    CheckAll(p, random.Values<float>(Count(p, &ResizeAxis::in), -2, 2));
  }
}

TEST(Resize, FractionalScalesRoundTheSizeDown) {
  tests::Random random(32);
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic}) {
    for (int coordinates = 0; coordinates < 7; ++coordinates) {
      ResizeProblem p{.mode = mode, .coordinates = static_cast<Coordinates>(coordinates)};
      p.Append({10, 7, 0.75});
      p.Append({11, 25, 2.3});
      p.Append({6, 6, 1});
      SCOPED_TRACE(Text(p));
      CheckAll(p, random.Values<float>(Count(p, &ResizeAxis::in), -2, 2));
    }
  }
}

TEST(Resize, UnreadPixelsDoNotMatter) {
  // With aligned corners every other output is a pixel itself: its neighbour has weight 0.
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const int64_t channels : {1, 5, 40}) {
    ResizeProblem p{.mode = Mode::kLinear, .coordinates = Coordinates::kAlignCorners};
    Append(&p, 9, 17);
    Append(&p, 20, 39);
    p.Append({channels, channels, 1});
    std::vector<float> x(Count(p, &ResizeAxis::in), 1);
    for (size_t i = 0; i < x.size(); i += 7) x[i] = kInf;
    CheckAll(p, x);
  }
}

TEST(Resize, CropsAndExtrapolates) {
  tests::Random random(33);
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic}) {
    ResizeProblem p{
        .mode = mode, .coordinates = Coordinates::kTfCropAndResize, .extrapolation_value = 3};
    p.Append({9, 12, 12.0 / 9, -0.25, 0.5});
    p.Append({7, 7, 1, 0.25, 1.5});
    const std::vector<float> x = random.Values<float>(63);
    CheckAll(p, x);
    EXPECT_EQ(Definition(p, x).front(), 3);
    EXPECT_EQ(Definition(p, x).back(), 3);
    EXPECT_NE(Definition(p, x)[6 * 7], 3);
  }
}

TEST(Resize, CopiesNumbersOfAnyWidth) {
  ResizeProblem p{.type = ElementType::kUint8,
                  .coordinates = Coordinates::kAsymmetric,
                  .nearest = NearestMode::kFloor};
  Append(&p, 2, 4);
  Append(&p, 2, 3);
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  ForEveryKernel(ResizeCandidates(), p, [&](const Kernel& kernel, const std::string&) {
    EXPECT_EQ(As<uint8_t>(RunEveryWay(kernel, Buffers().In(bytes).Out<uint8_t>(12))[0]),
              (std::vector<uint8_t>{1, 1, 2, 1, 1, 2, 3, 3, 4, 3, 3, 4}));
  });
  p.type = ElementType::kInt64;
  const std::vector<int64_t> words = {-1, int64_t{1} << 60, 3, 4};
  ForEveryKernel(ResizeCandidates(), p, [&](const Kernel& kernel, const std::string&) {
    EXPECT_EQ(As<int64_t>(RunEveryWay(kernel, Buffers().In(words).Out<int64_t>(12))[0])[2],
              int64_t{1} << 60);
  });
}

TEST(Resize, WeightsOfEveryOutputSumToOne) {
  tests::Random random(34);
  for (int round = 0; round < 100; ++round) {
    ResizeProblem p{.mode = random.Chance(0.5) ? Mode::kLinear : Mode::kCubic,
                    .coordinates = static_cast<Coordinates>(random.Below(4)),
                    .exclude_outside = random.Chance(0.5),
                    .antialias = random.Chance(0.5)};
    Append(&p, random.Between(1, 60), random.Between(1, 60));
    const ResizeTable table = MakeResizeTable(p, 0);
    for (size_t first = 0; first < table.weights.size(); first += static_cast<size_t>(table.taps)) {
      double sum = 0;
      for (size_t t = first; t < first + static_cast<size_t>(table.taps); ++t) {
        sum += table.weights[t];
        EXPECT_GE(table.positions[t], 0);
        EXPECT_LT(table.positions[t], p.axes[0].in);
      }
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
}

TEST(Resize, EmptyTensorsTouchNothing) {
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic}) {
    for (const int64_t empty : {0, 1, 2}) {
      ResizeProblem p{.mode = mode, .antialias = true};
      if (empty == 0) {
        p.Append({3, 0, 0});
      } else {
        p.Append({3, 6, 2});
      }
      p.Append({4, empty == 1 ? int64_t{0} : 8, empty == 1 ? 0.0 : 2.0});
      if (empty == 2) p.Append({0, 0, 1});
      CheckAll(p, std::vector<float>(Count(p, &ResizeAxis::in), 1));
    }
  }
}

}  // namespace
}  // namespace pleat::kernels
