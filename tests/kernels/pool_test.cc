#include "kernels/pool.h"

#include <algorithm>

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

size_t InputCount(const PoolProblem& p) {
  return static_cast<size_t>(p.batch * p.channels * p.in[0] * p.in[1] * p.in[2]);
}
size_t OutputCount(const PoolProblem& p) {
  return static_cast<size_t>(p.batch * p.channels * p.out[0] * p.out[1] * p.out[2]);
}

// The same problem by the reference in double.
std::vector<double> Definition(PoolProblem problem, const std::vector<float>& x) {
  problem.type = ElementType::kFloat64;
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<double> y(OutputCount(problem));
  const void* in = wide.data();
  void* out = y.data();
  ThreadPool threads(1);
  PoolCandidates().back().make(problem)->Run({&in, &out, nullptr, &threads});
  return y;
}

// Output sizes that let every window start on the padded image, the last one jutting out of it by
// up to `beyond`.
void SetOut(PoolProblem* p, const int64_t (&beyond)[3] = {0, 0, 0}) {
  for (int d = 0; d < 3; ++d) {
    const int64_t extent = (p->kernel[d] - 1) * p->dilation[d] + 1;
    const int64_t room = p->in[d] + p->pad_begin[d] + p->pad_end[d] - extent;
    p->out[d] = (room + beyond[d]) / p->stride[d] + 1;
  }
}

void CheckAll(const PoolProblem& problem, const std::vector<float>& x) {
  const std::vector<double> expected = Definition(problem, x);
  const double bound = problem.kind == PoolKind::kMax ? 0 : 4e-7 * (problem.kernel[2] + 8);
  ForEveryKernel(PoolCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(expected.size()))[0]);
    for (size_t i = 0; i < y.size(); ++i) {
      if (std::isfinite(expected[i])) {
        ASSERT_NEAR(y[i], expected[i], bound * (1 + std::abs(expected[i]))) << i;
      } else {
        ASSERT_EQ(UlpsOff(y[i], expected[i]), 0) << i;
      }
    }
  });
}

std::string Text(const PoolProblem& p) {
  std::string text = p.channels_last ? "channels last" : "channels first";
  text += " c" + std::to_string(p.channels);
  for (int d = 0; d < 3; ++d) {
    text += " i" + std::to_string(p.in[d]) + "k" + std::to_string(p.kernel[d]) + "s" +
            std::to_string(p.stride[d]) + "d" + std::to_string(p.dilation[d]) + "p" +
            std::to_string(p.pad_begin[d]) + "," + std::to_string(p.pad_end[d]) + "o" +
            std::to_string(p.out[d]);
  }
  return text;
}

TEST(Pool, EveryKernelMatchesTheDefinition) {
  tests::Random random(11);
  for (int round = 0; round < 150; ++round) {
    PoolProblem p{.kind = static_cast<PoolKind>(random.Below(3)),
                  .channels_last = random.Chance(0.7),
                  .batch = random.Between(1, 2),
                  .channels = random.Chance(0.3) ? random.Between(60, 140) : random.Between(1, 40),
                  .count_include_pad = random.Chance(0.5),
                  .p = random.Between(1, 3)};
    int64_t beyond[3] = {0, 0, 0};
    for (int d = random.Chance(0.2) ? 0 : random.Chance(0.8) ? 1 : 2; d < 3; ++d) {
      p.kernel[d] = random.Between(1, 5);
      p.stride[d] = random.Between(1, 3);
      p.dilation[d] = random.Chance(0.8) ? 1 : random.Between(2, 3);
      const int64_t extent = (p.kernel[d] - 1) * p.dilation[d] + 1;
      p.pad_begin[d] = random.Below(extent);
      p.pad_end[d] = random.Below(extent);
      p.in[d] = std::max<int64_t>(random.Between(1, d == 2 ? 20 : 7),
                                  extent - p.pad_begin[d] - p.pad_end[d]);
      beyond[d] = random.Below(p.stride[d]);
      // As ceil mode does: no window starts behind the image and its begin pad.
      const int64_t room = p.in[d] + p.pad_begin[d] + p.pad_end[d] - extent;
      const int64_t last = (room + beyond[d]) / p.stride[d] * p.stride[d];
      if (last >= p.in[d] + p.pad_begin[d]) beyond[d] = 0;
    }
    SetOut(&p, beyond);
    SCOPED_TRACE(Text(p));
    CheckAll(p, random.Values<float>(InputCount(p), -3, 3));
  }
}

TEST(Pool, ShapesOfKnownNetworksAndTheirLimits) {
  tests::Random random(12);
  const auto check = [&](PoolProblem p) {
    SetOut(&p);
    SCOPED_TRACE(Text(p));
    CheckAll(p, random.Values<float>(InputCount(p)));
  };
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    check({.kind = kind,
           .channels = 64,
           .in = {1, 23, 21},
           .kernel = {1, 3, 3},
           .stride = {1, 2, 2},
           .pad_begin = {0, 1, 1},
           .pad_end = {0, 1, 1}});
    check({.kind = kind,
           .channels = 96,
           .in = {1, 9, 11},
           .kernel = {1, 5, 5},
           .pad_begin = {0, 2, 2},
           .pad_end = {0, 2, 2}});
    check({.kind = kind, .channels = 300, .in = {1, 7, 7}, .kernel = {1, 7, 7}});
    check({.kind = kind,
           .channels = 3,
           .in = {1, 13, 300},
           .kernel = {1, 13, 13},
           .pad_begin = {0, 6, 6},
           .pad_end = {0, 6, 6}});
    check({.kind = kind,
           .channels = 200,
           .in = {1, 5, 130},
           .kernel = {1, 3, 3},
           .pad_begin = {0, 1, 1},
           .pad_end = {0, 1, 1}});
    check({.kind = kind,
           .channels = 17,
           .in = {4, 5, 6},
           .kernel = {2, 3, 2},
           .stride = {2, 1, 2},
           .pad_begin = {1, 1, 1},
           .pad_end = {1, 1, 0}});
    check({.kind = kind,
           .channels = 5,
           .in = {1, 1, 1},
           .kernel = {1, 2, 2},
           .dilation = {1, 2, 3},
           .pad_begin = {0, 1, 2},
           .pad_end = {0, 1, 1}});
    check({.kind = kind, .batch = 0, .channels = 5, .in = {1, 2, 2}, .kernel = {1, 2, 2}});
    check({.kind = kind, .batch = 2, .channels = 0, .in = {1, 2, 2}, .kernel = {1, 2, 2}});
  }
}

TEST(Pool, ReadsAndWritesPartsOfWiderPixels) {
  tests::Random random(15);
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const int64_t channels : {1, 3, 17, 70}) {
      PoolProblem p{.kind = kind,
                    .batch = 2,
                    .channels = channels,
                    .in = {1, 6, 9},
                    .kernel = {1, 3, 3},
                    .stride = {1, 1 + channels % 2, 1},
                    .pad_begin = {0, 1, 1},
                    .pad_end = {0, 1, 1}};
      SetOut(&p);
      const std::vector<float> x = random.Values<float>(InputCount(p));
      const std::vector<double> expected = Definition(p, x);
      p.in_pixel_stride = channels + random.Between(1, 20);
      p.out_pixel_stride = channels + random.Between(1, 20);
      // The last pixel ends the buffer: what lies behind it is somebody else's.
      const auto wide = [&](size_t count, int64_t step) {
        return count / static_cast<size_t>(channels) * static_cast<size_t>(step) -
               static_cast<size_t>(step - channels);
      };
      const auto at = [&](size_t i, int64_t step) {
        return i / static_cast<size_t>(channels) * static_cast<size_t>(step) +
               i % static_cast<size_t>(channels);
      };
      std::vector<float> spread(wide(x.size(), p.in_pixel_stride), kNaN);
      for (size_t i = 0; i < x.size(); ++i) spread[at(i, p.in_pixel_stride)] = x[i];
      const size_t length = wide(expected.size(), p.out_pixel_stride);
      SCOPED_TRACE(Text(p));
      ForEveryKernel(PoolCandidates(), p, [&](const Kernel& kernel, const std::string&) {
        std::vector<std::byte> bytes =
            RunEveryWay(kernel, Buffers().In(spread).Out<float>(length))[0];
        const auto y = As<float>(bytes);
        for (size_t i = 0; i < expected.size(); ++i) {
          const size_t place = at(i, p.out_pixel_stride);
          ASSERT_NEAR(y[place], expected[i], 1e-5) << i;
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(4 * place), 4, std::byte{0xcd});
        }
        EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0xcd}),
                  static_cast<std::ptrdiff_t>(bytes.size()))
            << "a gap was written";
      });
    }
  }
}

TEST(Pool, NaNReachesEveryMaximumItIsIn) {
  tests::Random random(13);
  for (const int64_t size : {3, 5}) {
    PoolProblem p{.channels = 70,
                  .in = {1, 9, 12},
                  .kernel = {1, size, size},
                  .stride = {1, 1, size - 2},
                  .pad_begin = {0, 1, 1},
                  .pad_end = {0, 1, 1}};
    SetOut(&p);
    std::vector<float> x = random.Values<float>(InputCount(p));
    for (int i = 0; i < 12; ++i) {
      const std::vector<float> odd = {kNaN, std::numeric_limits<float>::infinity(),
                                      -std::numeric_limits<float>::infinity()};
      x[static_cast<size_t>(random.Below(static_cast<int64_t>(x.size())))] =
          odd[static_cast<size_t>(i % 3)];
    }
    CheckAll(p, x);
  }
}

TEST(Pool, IndicesPointAtTheMaxima) {
  tests::Random random(14);
  for (const bool channels_last : {false, true}) {
    PoolProblem p{.channels_last = channels_last,
                  .batch = 2,
                  .channels = 3,
                  .in = {1, 6, 5},
                  .kernel = {1, 2, 3},
                  .stride = {1, 2, 1},
                  .pad_begin = {0, 0, 1},
                  .pad_end = {0, 0, 1},
                  .indices = true};
    SetOut(&p);
    const std::vector<float> x = random.Values<float>(InputCount(p));
    const size_t count = OutputCount(p);
    ForEveryKernel(PoolCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const auto both = RunEveryWay(kernel, Buffers().In(x).Out<float>(count).Out<int64_t>(count));
      const auto y = As<float>(both[0]);
      const auto indices = As<int64_t>(both[1]);
      for (size_t i = 0; i < count; ++i) {
        const int64_t pixels = p.in[1] * p.in[2];
        const int64_t image = indices[i] / pixels;
        const int64_t at =
            channels_last ? (image / 3 * pixels + indices[i] % pixels) * 3 + image % 3 : indices[i];
        EXPECT_EQ(x[static_cast<size_t>(at)], y[i]);
      }
      PoolProblem only = p;
      only.values = false;
      EXPECT_EQ(
          RunEveryWay(*PoolCandidates().back().make(only), Buffers().In(x).Out<int64_t>(count))[0],
          both[1]);
    });
  }
}

}  // namespace
}  // namespace pleat::kernels
