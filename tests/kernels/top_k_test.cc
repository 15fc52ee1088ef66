// TopK, ArgReduce and CumSum: primitives along one axis.
#include "kernels/top_k.h"

#include <algorithm>

#include "kernels/arg_reduce.h"
#include "kernels/cum_sum.h"
#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Few different numbers, so that there are equals, and sometimes a NaN.
std::vector<float> Numbers(tests::Random& random, int64_t count) {
  std::vector<float> numbers;
  const bool with_nan = random.Chance(0.3);
  for (int64_t i = 0; i < count; ++i) {
    const bool nan = with_nan && random.Chance(0.1);
    numbers.push_back(nan ? kNaN : static_cast<float>(random.Between(-4, 4)));
  }
  return numbers;
}

// Number k of the line with this output.
float At(const std::vector<float>& x, int64_t size, int64_t inner, int64_t output, int64_t k) {
  return x[static_cast<size_t>((output / inner * size + k) * inner + output % inner)];
}

// The order of TopK: NaN above all, then by value.
bool Above(float a, float b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

TEST(TopK, GivesTheSortedBeginningWithEqualsInOrder) {
  tests::Random random(41);
  for (int round = 0; round < 80; ++round) {
    TopKProblem p{.outer = random.Between(1, 3),
                  .size = random.Between(1, 40),
                  .inner = random.Between(1, 4),
                  .largest = random.Chance(0.5)};
    p.k = random.Between(0, p.size);
    const std::vector<float> x = Numbers(random, p.outer * p.size * p.inner);
    const size_t outputs = static_cast<size_t>(p.outer * p.k * p.inner);
    ForEveryKernel(TopKCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const auto both =
          RunEveryWay(kernel, Buffers().In(x).Out<float>(outputs).Out<int64_t>(outputs));
      const auto values = As<float>(both[0]);
      const auto indices = As<int64_t>(both[1]);
      for (int64_t line = 0; line < p.outer * p.inner; ++line) {
        std::vector<int64_t> order(static_cast<size_t>(p.size));
        for (int64_t k = 0; k < p.size; ++k) order[static_cast<size_t>(k)] = k;
        std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
          const float a = At(x, p.size, p.inner, line, i);
          const float b = At(x, p.size, p.inner, line, j);
          return p.largest ? Above(a, b) : Above(b, a);
        });
        for (int64_t k = 0; k < p.k; ++k) {
          const size_t at =
              static_cast<size_t>((line / p.inner * p.k + k) * p.inner + line % p.inner);
          ASSERT_EQ(indices[at], order[static_cast<size_t>(k)]);
          ASSERT_EQ(UlpsOff(values[at], At(x, p.size, p.inner, line, indices[at])), 0);
        }
      }
      TopKProblem only = p;
      only.values = false;
      EXPECT_EQ(RunEveryWay(*TopKCandidates().back().make(only),
                            Buffers().In(x).Out<int64_t>(outputs))[0],
                both[1]);
    });
  }
}

TEST(ArgReduce, EveryKernelFindsTheFirstOrLastExtreme) {
  tests::Random random(42);
  for (int round = 0; round < 200; ++round) {
    ArgReduceProblem p{
        .outer = random.Between(1, 40),
        .size = random.Chance(0.2) ? random.Between(100, 600) : random.Between(1, 40),
        .inner = random.Chance(0.5) ? 1 : random.Between(1, 40),
        .max = random.Chance(0.5),
        .last_index = random.Chance(0.5)};
    if (p.size > 99) p.outer = 2;
    const std::vector<float> x = Numbers(random, p.outer * p.size * p.inner);
    const int64_t outputs = p.outer * p.inner;
    ForEveryKernel(ArgReduceCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const auto y = As<int64_t>(
          RunEveryWay(kernel, Buffers().In(x).Out<int64_t>(static_cast<size_t>(outputs)))[0]);
      for (int64_t i = 0; i < outputs; ++i) {
        const auto value = [&](int64_t k) { return At(x, p.size, p.inner, i, k); };
        int64_t expected = 0;
        for (int64_t k = 1; k < p.size; ++k) {
          const bool numbers = !std::isnan(value(k)) && !std::isnan(value(expected));
          const bool better =
              numbers ? (p.max ? value(k) > value(expected) : value(k) < value(expected))
                      : std::isnan(value(k)) && !std::isnan(value(expected));
          const bool equal = numbers ? value(k) == value(expected)
                                     : std::isnan(value(k)) && std::isnan(value(expected));
          if (better || (equal && p.last_index)) expected = k;
        }
        ASSERT_EQ(y[static_cast<size_t>(i)], expected) << i;
      }
    });
  }
}

TEST(ArgReduce, NothingToFindTouchesNothing) {
  for (const ArgReduceProblem& p : {ArgReduceProblem{.outer = 0, .size = 3, .inner = 2},
                                    ArgReduceProblem{.outer = 2, .size = 3, .inner = 0},
                                    ArgReduceProblem{.outer = 0, .size = 0, .inner = 2}}) {
    ForEveryKernel(ArgReduceCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      RunEveryWay(kernel, Buffers().In(std::vector<float>()).Out<int64_t>(0));
    });
  }
}

TEST(CumSum, EveryKernelSumsOrMultipliesEveryLine) {
  tests::Random random(43);
  for (int round = 0; round < 60; ++round) {
    CumSumProblem p{.outer = random.Between(1, 3),
                    .size = random.Between(0, 60),
                    .inner = random.Between(1, 5),
                    .exclusive = random.Chance(0.5),
                    .reverse = random.Chance(0.5),
                    .product = random.Chance(0.3)};
    const size_t count = static_cast<size_t>(p.outer * p.size * p.inner);
    const std::vector<float> x = random.Values<float>(count);
    ForEveryKernel(CumSumCandidates(), p, [&](const Kernel& kernel, const std::string&) {
      const Buffers buffers = Buffers().In(x).Out<float>(count);
      const auto y = As<float>(RunEveryWay(kernel, buffers)[0]);
      EXPECT_EQ(RunEveryWay(kernel, buffers, true), RunEveryWay(kernel, buffers));
      for (int64_t line = 0; line < p.outer * p.inner; ++line) {
        double sum = p.product ? 1 : 0;
        for (int64_t step = 0; step < p.size; ++step) {
          const int64_t k = p.reverse ? p.size - 1 - step : step;
          const double next = At(x, p.size, p.inner, line, k);
          const double after = p.product ? sum * next : sum + next;
          ASSERT_NEAR(At(y, p.size, p.inner, line, k), p.exclusive ? sum : after, 1e-5);
          sum = after;
        }
      }
    });
  }
}

}  // namespace
}  // namespace pleat::kernels
