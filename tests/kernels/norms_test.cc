// Softmax and the normalisations, every way to compute them against the formula in their headers.
#include "kernels/batch_norm_training.h"
#include "kernels/instance_norm.h"
#include "kernels/layer_norm.h"
#include "kernels/local_response_norm.h"
#include "kernels/softmax.h"
#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

struct Sizes {
  int64_t outer, along, inner;
  size_t count() const { return static_cast<size_t>(outer * along * inner); }
};

template <class P, class T, class... Parameters>
void CheckEveryKernel(std::span<const Candidate<P>> candidates, const P& problem,
                      const std::vector<double>& definition, double bound, bool in_place,
                      const std::vector<T>& x, const std::vector<Parameters>&... parameters) {
  ForEveryKernel(candidates, problem, [&](const Kernel& kernel, const std::string&) {
    Buffers buffers = Buffers().In(x);
    (buffers.In(parameters), ...);
    buffers.template Out<T>(x.size());
    const auto results = RunEveryWay(kernel, buffers);
    if (in_place) {
      EXPECT_EQ(RunEveryWay(kernel, buffers, true), results);
    }
    const auto y = As<T>(results[0]);
    double worst = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      const double off = std::abs(y[i] - definition[i]) / (1 + std::abs(definition[i]));
      if (!(off <= worst)) worst = off;
    }
    EXPECT_LE(worst, bound);
  });
}

std::vector<double> SoftmaxOf(const std::vector<float>& x, const Sizes& s, bool log) {
  std::vector<double> y(x.size());
  for (int64_t row = 0; row < s.outer * s.inner; ++row) {
    const int64_t first = row / s.inner * s.along * s.inner + row % s.inner;
    double most = -HUGE_VAL, sum = 0;
    const auto at = [&](int64_t l) { return static_cast<size_t>(first + l * s.inner); };
    for (int64_t l = 0; l < s.along; ++l) most = std::max<double>(most, x[at(l)]);
    for (int64_t l = 0; l < s.along; ++l) sum += std::exp(x[at(l)] - most);
    for (int64_t l = 0; l < s.along; ++l) {
      y[at(l)] = log ? x[at(l)] - most - std::log(sum) : std::exp(x[at(l)] - most) / sum;
    }
  }
  return y;
}

TEST(Softmax, MatchesTheFormula) {
  tests::Random random(1);
  for (const Sizes& s : std::vector<Sizes>{{1, 1, 1},
                                           {3, 0, 2},
                                           {0, 5, 1},
                                           {5, 3, 1},
                                           {2, 8, 1},
                                           {3, 33, 1},
                                           {7, 1000, 1},
                                           {300, 65, 1},
                                           {1, 9001, 1},
                                           {2, 5, 3},
                                           {2, 21, 700},
                                           {1, 300, 17},
                                           {3, 7, 16}}) {
    for (const double range : {1.0, 30.0, 300.0}) {
      const auto x = random.Values<float>(s.count(), -range, range);
      for (const bool log : {false, true}) {
        const SoftmaxProblem problem{
            .outer = s.outer, .length = s.along, .inner = s.inner, .log = log};
        CheckEveryKernel(SoftmaxCandidates(), problem, SoftmaxOf(x, s, log), 4e-7, true, x);
      }
    }
  }
}

TEST(Softmax, SmallProbabilitiesKeepTheirDigits) {
  const std::vector<float> x = {0, -20, -60, -80};
  const SoftmaxProblem problem{.length = 4};
  ForEveryKernel(SoftmaxCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(4))[0]);
    const auto definition = SoftmaxOf(x, {1, 4, 1}, false);
    for (size_t i = 0; i < 4; ++i) EXPECT_LE(UlpsOff(y[i], definition[i]), 4);
  });
}

TEST(Softmax, MaskedAndBrokenRows) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const int64_t inner : {1, 2}) {
    for (const bool log : {false, true}) {
      const SoftmaxProblem problem{.length = 3, .inner = inner, .log = log};
      const auto row = [&](float a, float b, float c) {
        std::vector<float> x;
        for (const float value : {a, b, c}) x.insert(x.end(), static_cast<size_t>(inner), value);
        return x;
      };
      ForEveryKernel(SoftmaxCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
        const auto run = [&](const std::vector<float>& x) {
          return As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(x.size()))[0]);
        };
        const auto masked = run(row(1, -inf, 1));
        EXPECT_FLOAT_EQ(masked[0], log ? std::log(0.5f) : 0.5f);
        EXPECT_EQ(masked[static_cast<size_t>(inner)], log ? -inf : 0);
        for (const float y : run(row(-inf, -inf, -inf))) EXPECT_TRUE(std::isnan(y));
        for (const float y : run(row(1, nan, 2))) EXPECT_TRUE(std::isnan(y));
      });
    }
  }
}

TEST(Softmax, Double) {
  const std::vector<double> x = {1, 2};
  const SoftmaxProblem problem{.type = ElementType::kFloat64, .length = 2};
  const double sum = std::exp(-1.0) + 1;
  CheckEveryKernel(SoftmaxCandidates(), problem, {std::exp(-1.0) / sum, 1 / sum}, 1e-15, true, x);
}

// Mean and population variance of the elements that share along-index c, or of each row when
// `rows`: (x - mean) / sqrt(variance + epsilon) for every element.
template <class T>
std::vector<double> Units(const std::vector<T>& x, const std::vector<size_t>& group, size_t groups,
                          double epsilon) {
  std::vector<double> count(groups), mean(groups), variance(groups), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) ++count[group[i]], mean[group[i]] += x[i];
  for (size_t g = 0; g < groups; ++g) mean[g] /= count[g];
  for (size_t i = 0; i < x.size(); ++i) {
    variance[group[i]] += (x[i] - mean[group[i]]) * (x[i] - mean[group[i]]);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = (x[i] - mean[group[i]]) / std::sqrt(variance[group[i]] / count[group[i]] + epsilon);
  }
  return y;
}

template <class T>
void CheckLayerNorm(double bound) {
  tests::Random random(2);
  for (const Sizes& s :
       std::vector<Sizes>{{0, 4}, {3, 0}, {1, 1}, {5, 3}, {3, 17}, {9, 64}, {70, 257}, {2, 9001}}) {
    for (const double offset : {0.0, 100.0}) {
      const auto count = static_cast<size_t>(s.outer * s.along);
      const auto x = random.Values<T>(count, offset - 2, offset + 2);
      const auto scale = random.Values<T>(static_cast<size_t>(s.along), 0.5, 2);
      const auto bias = random.Values<T>(static_cast<size_t>(s.along));
      std::vector<size_t> rows(count);
      for (size_t i = 0; i < count; ++i) rows[i] = i / static_cast<size_t>(s.along);
      const auto units = Units(x, rows, static_cast<size_t>(s.outer), 1e-3);
      for (const bool has_bias : {false, true}) {
        auto definition = units;
        for (size_t i = 0; i < count; ++i) {
          const size_t l = i % static_cast<size_t>(s.along);
          definition[i] = units[i] * scale[l] + (has_bias ? bias[l] : 0);
        }
        const LayerNormProblem problem{.type = ElementTypeOf<T>(),
                                       .rows = s.outer,
                                       .length = s.along,
                                       .epsilon = 1e-3,
                                       .has_bias = has_bias};
        // The mean rounded to float32 is off by up to half a place of the offset.
        CheckEveryKernel(LayerNormCandidates(), problem, definition, bound * (1 + offset), true, x,
                         scale, bias);
      }
    }
  }
}

TEST(LayerNorm, MatchesTheFormula) {
  CheckLayerNorm<float>(2e-6);
  CheckLayerNorm<double>(1e-14);
}

template <class T>
void CheckInstanceNorm(double bound) {
  tests::Random random(3);
  for (const Sizes& s : std::vector<Sizes>{
           {0, 3, 4}, {2, 3, 0}, {1, 1, 1}, {2, 3, 7}, {2, 17, 33}, {1, 40, 300}, {2, 33, 1000}}) {
    for (const bool last : {false, true}) {
      const auto x = random.Values<T>(s.count(), -1, 5);
      const auto channels = static_cast<size_t>(s.along), space = static_cast<size_t>(s.inner);
      const auto scale = random.Values<T>(channels, 0.5, 2);
      const auto bias = random.Values<T>(channels);
      std::vector<size_t> images(x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        images[i] = last ? i / (channels * space) * channels + i % channels : i / space;
      }
      auto definition = Units(x, images, static_cast<size_t>(s.outer) * channels, 1e-3);
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t c = images[i] % channels;
        definition[i] = definition[i] * scale[c] + bias[c];
      }
      const InstanceNormProblem problem{.type = ElementTypeOf<T>(),
                                        .channels_last = last,
                                        .batch = s.outer,
                                        .channels = s.along,
                                        .space = s.inner,
                                        .epsilon = 1e-3};
      CheckEveryKernel(InstanceNormCandidates(), problem, definition, bound, true, x, scale, bias);
    }
  }
}

TEST(InstanceNorm, MatchesTheFormulaInBothLayouts) {
  CheckInstanceNorm<float>(3e-6);
  CheckInstanceNorm<double>(1e-14);
}

TEST(InstanceNorm, AConstantImageGivesTheBias) {
  for (const bool last : {false, true}) {
    const InstanceNormProblem problem{.channels_last = last, .channels = 2, .space = 50};
    const std::vector<float> x(100, 3.3f), scale = {1, 1}, bias = {0.25f, 0.25f};
    CheckEveryKernel(InstanceNormCandidates(), problem, std::vector<double>(100, 0.25), 1e-3, true,
                     x, scale, bias);
  }
}

template <class T>
void CheckLocalResponseNorm(double bound) {
  tests::Random random(4);
  for (const Sizes& s : std::vector<Sizes>{
           {0, 3, 1}, {2, 0, 3}, {1, 1, 1}, {30, 5, 1}, {40, 96, 1}, {2, 7, 33}, {1, 20, 1000}}) {
    for (const int64_t size : {1, 2, 5, 6, 1000}) {
      for (const double beta : {0.75, 0.5, 1.3}) {
        const auto x = random.Values<T>(s.count(), -5, 5);
        const double alpha = 0.5;
        std::vector<double> definition(x.size());
        for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
          const int64_t c = i / s.inner % s.along;
          double squares = 0;
          for (int64_t k = 0; k < s.along; ++k) {
            if (k < c - (size - 1) / 2 || k > c + size / 2) continue;
            const double value = x[static_cast<size_t>(i + (k - c) * s.inner)];
            squares += value * value;
          }
          const auto at = static_cast<size_t>(i);
          definition[at] = x[at] / std::pow(2 + alpha / static_cast<double>(size) * squares, beta);
        }
        const LocalResponseNormProblem problem{.type = ElementTypeOf<T>(),
                                               .outer = s.outer,
                                               .channels = s.along,
                                               .inner = s.inner,
                                               .size = size,
                                               .alpha = alpha,
                                               .beta = beta,
                                               .bias = 2};
        CheckEveryKernel(LocalResponseNormCandidates(), problem, definition, bound, false, x);
      }
    }
  }
}

TEST(LocalResponseNorm, MatchesTheFormula) {
  CheckLocalResponseNorm<float>(2e-6);
  CheckLocalResponseNorm<double>(1e-14);
}

TEST(BatchNormTraining, UsesTheBatchAndMovesTheAverages) {
  // One channel 1, 3 (mean 2, variance 1), the other 5, 5 (mean 5, variance 0).
  const std::vector<float> x = {1, 3, 5, 5}, gamma = {2, 1}, beta = {0.5f, 7};
  const std::vector<float> mean = {10, 0}, variance = {4, 1};
  for (const std::vector<bool>& wants : {std::vector<bool>{true, true, true},
                                         {true, false, false},
                                         {true, false, true},
                                         {false, true, false}}) {
    BatchNormTrainingProblem problem{
        .outer = 1, .channels = 2, .inner = 2, .epsilon = 0, .momentum = 0.75};
    problem.epsilon = 1e-12;
    Buffers buffers = Buffers().In(x).In(gamma).In(beta).In(mean).In(variance);
    for (size_t i = 0; i < 3; ++i) {
      problem.wants[i] = wants[i];
      if (wants[i]) buffers.Out<float>(i == 0 ? 4 : 2);
    }
    ForEveryKernel(BatchNormTrainingCandidates(), problem,
                   [&](const Kernel& kernel, const std::string&) {
                     auto results = RunEveryWay(kernel, buffers);
                     const auto take = [&] {
                       const auto values = As<float>(results.front());
                       results.erase(results.begin());
                       return values;
                     };
                     if (wants[0]) {
                       const auto y = take();
                       EXPECT_FLOAT_EQ(y[0], -1.5f);
                       EXPECT_FLOAT_EQ(y[1], 2.5f);
                       EXPECT_FLOAT_EQ(y[2], 7);
                     }
                     if (wants[1]) {
                       EXPECT_EQ(take(), (std::vector<float>{8, 1.25f}));
                     }
                     if (wants[2]) {
                       EXPECT_EQ(take(), (std::vector<float>{3.25f, 0.75f}));
                     }
                   });
  }
}

}  // namespace
}  // namespace pleat::kernels
