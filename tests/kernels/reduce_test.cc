#include "kernels/reduce.h"

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using K = ReduceKind;

ReduceProblem Problem(K kind, const std::vector<int64_t>& sizes, bool first_reduced) {
  ReduceProblem problem{.kind = kind};
  for (size_t i = 0; i < sizes.size(); ++i) problem.Append(sizes[i], (i % 2 == 0) == first_reduced);
  return problem;
}

// x as the problem reads it; `magnitude`: the sizes of what is added up for that.
template <class T>
std::vector<T> Read(const ReduceProblem& problem, const std::vector<float>& x, bool magnitude) {
  std::vector<T> read(x.begin(), x.end());
  if (!problem.prologue) return read;
  const auto* scale = static_cast<const float*>(problem.prologue.scale);
  const auto* shift = static_cast<const float*>(problem.prologue.shift);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i % static_cast<size_t>(problem.channels);
    read[i] = static_cast<T>(magnitude ? std::abs(x[i] * scale[c]) + std::abs(shift[c])
                                       : ApplyPrologue<float>(problem.prologue, x[i], c));
  }
  return read;
}

// The same problem by the reference in double.
std::vector<double> Definition(ReduceProblem problem, const std::vector<float>& x) {
  problem.type = ElementType::kFloat64;
  const std::vector<double> wide = Read<double>(problem, x, false);
  problem.prologue = {};
  std::vector<double> y(static_cast<size_t>(problem.Outputs()));
  const void* in = wide.data();
  void* out = y.data();
  ThreadPool threads(1);
  ReduceCandidates().back().make(problem)->Run({&in, &out, nullptr, &threads});
  return y;
}

// A sum may be off by a few units of the sum of its terms' sizes.
std::vector<double> Bounds(ReduceProblem problem, const std::vector<float>& x) {
  const K kind = problem.kind;
  if (kind == K::kMax || kind == K::kMin) {
    return std::vector<double>(static_cast<size_t>(problem.Outputs()), 0);
  }
  const bool squares = kind == K::kSumSquare || kind == K::kL2;
  const std::vector<float> sizes = Read<float>(problem, x, true);
  problem.kind = squares ? K::kSumSquare : K::kL1;
  problem.prologue = {};
  std::vector<double> bounds = Definition(problem, sizes);
  for (double& bound : bounds) {
    if (kind == K::kL2) bound = std::sqrt(bound);
    if (kind == K::kMean) bound /= static_cast<double>(problem.Terms());
    bound *= 6e-7;
  }
  return bounds;
}

void CheckAll(const ReduceProblem& problem, const std::vector<float>& x, double slack = 1) {
  const std::vector<double> expected = Definition(problem, x);
  const std::vector<double> bounds = Bounds(problem, x);
  ForEveryKernel(ReduceCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(expected.size()))[0]);
    for (size_t i = 0; i < y.size(); ++i) {
      if (std::isfinite(expected[i])) {
        ASSERT_NEAR(y[i], expected[i], slack * bounds[i] + 1e-30) << i;
      } else {
        ASSERT_EQ(UlpsOff(y[i], expected[i]), 0) << i;
      }
    }
  });
}

TEST(Reduce, AxesMergeAndAlternate) {
  ReduceProblem problem;
  for (const auto& [size, reduced] : std::vector<std::pair<int64_t, bool>>{{1, true},
                                                                           {2, false},
                                                                           {3, false},
                                                                           {1, true},
                                                                           {4, true},
                                                                           {5, true},
                                                                           {1, false},
                                                                           {6, true}}) {
    problem.Append(size, reduced);
  }
  EXPECT_EQ(problem.rank, 2);
  EXPECT_FALSE(problem.first_reduced);
  EXPECT_EQ(problem.Outputs(), 6);
  EXPECT_EQ(problem.Terms(), 120);
}

TEST(Reduce, EveryKernelMatchesTheDefinition) {
  tests::Random random(21);
  const std::vector<K> kinds = {K::kSum, K::kMean, K::kMax, K::kMin, K::kL1, K::kL2, K::kSumSquare};
  for (int round = 0; round < 120; ++round) {
    std::vector<int64_t> sizes;
    const int64_t rank = random.Between(1, 4);
    for (int64_t i = 0; i < rank; ++i) {
      sizes.push_back(random.Chance(0.3) ? random.Between(60, 180) : random.Between(2, 20));
      if (rank > 2) sizes.back() = std::min<int64_t>(sizes.back(), 40);
    }
    const auto kind = kinds[static_cast<size_t>(random.Below(static_cast<int64_t>(kinds.size())))];
    const ReduceProblem problem = Problem(kind, sizes, random.Chance(0.5));
    SCOPED_TRACE("kind " + std::to_string(static_cast<int>(kind)) + " rank " +
                 std::to_string(problem.rank) + " of " + std::to_string(problem.sizes[0]) + "," +
                 std::to_string(problem.sizes[1]) + "," + std::to_string(problem.sizes[2]));
    CheckAll(problem,
             random.Values<float>(static_cast<size_t>(problem.Outputs() * problem.Terms()), -2, 2));
  }
}

TEST(Reduce, PrologueRunsAlongTheChannels) {
  tests::Random random(27);
  for (const K kind : {K::kSum, K::kMean}) {
    for (const int64_t channels : {1, 2, 63, 64, 65, 200}) {
      for (const int64_t terms : {1, 2, 49, 64, 65, 300}) {
        for (const Activation& activation :
             {Activation{UnaryKind::kClip, 0, 6}, Activation{UnaryKind::kSwish, 1}}) {
          ReduceProblem problem{.kind = kind};
          problem.Append(2, false);
          problem.Append(terms, true);
          problem.Append(channels, false);
          const auto scale = random.Values<float>(static_cast<size_t>(channels), -2, 2);
          const auto shift = random.Values<float>(static_cast<size_t>(channels), -1, 1);
          problem.channels = channels;
          problem.prologue = {scale.data(), shift.data(), activation};
          SCOPED_TRACE("channels " + std::to_string(channels) + " terms " + std::to_string(terms));
          CheckAll(problem, random.Values<float>(static_cast<size_t>(2 * terms * channels), -2, 2));
        }
      }
    }
  }
}

TEST(Reduce, OddSizesAlongAndAcrossTheVectors) {
  tests::Random random(22);
  for (const K kind : {K::kSum, K::kMax, K::kL2}) {
    for (const int64_t size : {1, 2, 7, 8, 9, 31, 33, 63, 65, 1023, 1025, 2049}) {
      for (const auto& sizes :
           {std::vector<int64_t>{3, size}, {3, size, 5}, {1, size}, {1, 65, size}}) {
        const ReduceProblem problem = Problem(kind, sizes, false);
        SCOPED_TRACE("size " + std::to_string(size));
        CheckAll(problem, random.Values<float>(
                              static_cast<size_t>(problem.Outputs() * problem.Terms()), -2, 2));
      }
    }
  }
}

TEST(Reduce, LongSumsKeepTheirAccuracy) {
  const int64_t terms = 1 << 20;
  for (const auto& sizes : {std::vector<int64_t>{1, terms}, {1, terms, 3}}) {
    const ReduceProblem problem = Problem(K::kMean, sizes, false);
    CheckAll(problem, std::vector<float>(static_cast<size_t>(problem.Outputs() * terms), 0.1f), 6);
  }
}

TEST(Reduce, NaNAndInfinityReachTheResult) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  tests::Random random(23);
  for (const K kind : {K::kSum, K::kMean, K::kMax, K::kMin, K::kL1, K::kL2, K::kSumSquare}) {
    for (const float odd : {kNaN, kInf, -kInf}) {
      for (const auto& sizes : {std::vector<int64_t>{40, 37}, {4, 37, 10}}) {
        const ReduceProblem problem = Problem(kind, sizes, false);
        auto x = random.Values<float>(static_cast<size_t>(problem.Outputs() * problem.Terms()));
        for (int i = 0; i < 9; ++i) {
          x[static_cast<size_t>(random.Below(static_cast<int64_t>(x.size())))] = odd;
        }
        CheckAll(problem, x);
      }
    }
  }
}

TEST(Reduce, EmptyProblemsTouchNothing) {
  for (const auto& sizes : {std::vector<int64_t>{0, 5}, {5, 0}, {0}, {3, 0, 4}, {}}) {
    for (const K kind : {K::kSum, K::kMean, K::kMax}) {
      const ReduceProblem problem = Problem(kind, sizes, false);
      const std::vector<float> x(sizes.empty() ? 1 : 0, 2);
      CheckAll(problem, x);
    }
  }
}

}  // namespace
}  // namespace pleat::kernels
