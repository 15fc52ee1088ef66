#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "kernels/half.h"
#include "tests/kernels/product_support.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<Float16> Halves(const std::vector<float>& values) {
  std::vector<Float16> halves;
  for (const float value : values) halves.push_back(ToFloat16(value));
  return halves;
}

template <class T>
std::vector<T> Convert(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// `products` products whose b is shared or not, in random form.
template <class T>
void Check(MatMulProblem p, size_t products, bool shared_b, bool constant, Random& random,
           tests::Ran& ran) {
  p.type = ElementTypeOf<T>();
  const auto m = static_cast<size_t>(p.m), n = static_cast<size_t>(p.n);
  const auto k = static_cast<size_t>(p.k);
  const bool half = p.weight_layout == WeightLayout::kPanels16Half;
  const bool packed = half || p.weight_layout == WeightLayout::kPanels16;
  const size_t b_count = shared_b ? 1 : products;
  const auto a = random.Values<T>(products * m * k);
  auto b = random.Values<float>(b_count * k * n);
  if (half) {
    for (float& value : b) value = ToFloat(ToFloat16(value));
  }
  std::vector<float> stored = b;
  if (packed) {
    const auto panel = static_cast<size_t>(PanelElements(p.k, p.n));
    stored.assign(b_count * panel, 0);
    for (size_t i = 0; i < b_count; ++i) {
      PackPanels(p.k, p.n, false, b.data() + i * k * n, stored.data() + i * panel);
    }
  }
  p.a_offsets.clear();
  p.b_offsets.clear();
  for (size_t i = 0; i < products; ++i) {
    p.a_offsets.push_back(static_cast<int64_t>(i * m * k));
    p.b_offsets.push_back(static_cast<int64_t>(shared_b ? 0 : i * stored.size() / b_count));
  }
  const auto w = Convert<T>(stored);
  tests::Guarded<T> aligned((w.size() + 63) / 64 * 64);
  std::copy(w.begin(), w.end(), aligned.data());
  const std::vector<Float16> halves = half ? Halves(stored) : std::vector<Float16>();
  tests::Guarded<Float16> aligned_halves((halves.size() + 63) / 64 * 64);
  std::copy(halves.begin(), halves.end(), aligned_halves.data());
  std::vector<std::vector<T>> operands = {a};
  if (half) {
    p.weights = aligned_halves.data();
  } else if (constant) {
    p.weights = aligned.data();
  } else {
    operands.push_back(w);
  }
  const int64_t bias_count =
      std::max<int64_t>(0, (p.m - 1) * p.bias_stride_m + (p.n - 1) * p.bias_stride_n + 1);
  const auto c = random.Values<T>(static_cast<size_t>(bias_count));
  const bool dynamic_bias = p.has_bias && random.Chance(0.5);
  if (p.has_bias && !dynamic_bias) p.bias = c.data();
  if (dynamic_bias) operands.push_back(c);
  const auto residual = random.Values<T>(products * m * n);
  if (p.has_residual) operands.push_back(residual);

  tests::ExpectedSums expected;
  std::vector<int64_t> places;
  for (size_t i = 0; i < products; ++i) {
    for (size_t row = 0; row < m; ++row) {
      for (size_t column = 0; column < n; ++column) {
        double sum = 0, magnitude = 0;
        for (size_t t = 0; t < k; ++t) {
          const double x = a[i * m * k + (p.transpose_a ? t * m + row : row * k + t)];
          const size_t from = shared_b ? 0 : i * k * n;
          const double y = b[from + (p.transpose_b ? column * k + t : t * n + column)];
          sum += p.alpha * x * y;
          magnitude += std::abs(p.alpha * x * y);
        }
        const size_t place = (i * m + row) * n + column;
        if (p.has_bias) {
          const double value = p.beta * c[row * static_cast<size_t>(p.bias_stride_m) +
                                          column * static_cast<size_t>(p.bias_stride_n)];
          sum += value;
          magnitude += std::abs(value);
        }
        if (p.has_residual) {
          sum += residual[place];
          magnitude += std::abs(residual[place]);
        }
        expected.sums.push_back(sum);
        expected.magnitudes.push_back(magnitude);
        places.push_back(static_cast<int64_t>(place));
      }
    }
  }
  const std::string label =
      "m" + std::to_string(p.m) + " n" + std::to_string(p.n) + " k" + std::to_string(p.k) + " x" +
      std::to_string(products) + (p.transpose_a ? " ta" : "") + (p.transpose_b ? " tb" : "") +
      (half ? " halves" : packed ? " panels" : "") + (constant ? "" : " dynamic") +
      (p.has_bias
           ? " bias " + std::to_string(p.bias_stride_m) + "," + std::to_string(p.bias_stride_n)
           : "");
  tests::CheckCandidates<T>(MatMulCandidates(), p, operands, random.Values<T>(products * m * n),
                            places, expected, random.Chance(0.5) ? Flush::kEnd : Flush::kBegin,
                            label, ran);
}

template <class T>
void CheckRandom(Random& random, tests::Ran& ran) {
  constexpr int64_t kSizes[] = {1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 24, 31, 33, 49, 64, 100};
  const Activation activations[] = {
      {UnaryKind::kIdentity}, {UnaryKind::kClip, 0, kInfinity}, {UnaryKind::kSigmoid}};
  MatMulProblem p;
  p.m = random.Chance(0.3) ? 1 : kSizes[random.Below(17)];
  p.n = kSizes[random.Below(17)];
  p.k = random.Chance(0.03) ? 0 : kSizes[random.Below(17)];
  p.transpose_a = random.Chance(0.3);
  p.transpose_b = random.Chance(0.4);
  if (!p.transpose_b && random.Chance(0.4)) p.weight_layout = WeightLayout::kPanels16;
  if (random.Chance(0.3)) p.alpha = 0.75;
  if (random.Chance(0.3)) p.beta = -1.5;
  p.has_bias = random.Chance(0.7);
  const int form = static_cast<int>(random.Below(6));
  if (form == 0) p.bias_stride_n = 0;
  if (form == 1 || form == 2) p.bias_stride_m = p.n;
  if (form == 2) {
    p.bias_stride_m = 1;
    p.bias_stride_n = 0;
  }
  p.has_residual = random.Chance(0.25);
  p.activation = activations[random.Below(3)];
  const size_t products = random.Chance(0.6) ? 1 : static_cast<size_t>(random.Between(2, 5));
  Check<T>(p, products, random.Chance(0.5), random.Chance(0.6), random, ran);
}

TEST(MatMul, EveryCandidateMatchesItsDefinition) {
  Random random(1);
  tests::Ran ran;
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) CheckRandom<float>(random, ran);
  for (const char* candidate : {"panels", "reference"}) EXPECT_GE(ran[candidate], 100);
}

TEST(MatMul, WeightsOfFloat16AreReadInPlace) {
  constexpr int64_t kSizes[] = {1, 5, 15, 16, 17, 47, 64, 65, 130, 513};
  Random random(5);
  tests::Ran ran;
  for (int i = 0; i < 80 && !HasFatalFailure(); ++i) {
    MatMulProblem p;
    p.m = random.Chance(0.5) ? 1 : random.Between(2, 6);
    p.n = kSizes[random.Below(10)];
    p.k = random.Chance(0.05) ? 0 : kSizes[random.Below(10)];
    p.weight_layout = WeightLayout::kPanels16Half;
    p.transpose_a = random.Chance(0.2);
    if (random.Chance(0.2)) p.alpha = 0.75;
    if (random.Chance(0.3)) p.beta = -1.5;
    p.has_bias = random.Chance(0.7);
    p.bias_stride_n = random.Chance(0.8) ? 1 : 0;
    p.bias_stride_m = random.Chance(0.2) ? p.n : 0;
    p.has_residual = random.Chance(0.25);
    p.activation = random.Chance(0.5) ? Activation{UnaryKind::kClip, 0, kInfinity}
                                      : Activation{UnaryKind::kSigmoid};
    Check<float>(p, random.Chance(0.8) ? 1 : 3, true, true, random, ran);
  }
  for (const auto& candidate : MatMulCandidates()) EXPECT_GE(ran[candidate.name], 30);
}

TEST(MatMul, EveryFloat16WeightIsItsValue) {
  constexpr int64_t kAll = 65536;
  std::vector<Float16> weights;
  for (uint32_t bits = 0; bits < kAll; ++bits) weights.push_back({static_cast<uint16_t>(bits)});
  const float one = 1;
  std::vector<float> y(weights.size());
  const void* in = &one;
  void* out = y.data();
  MatMulProblem p;
  p.n = kAll;
  p.weight_layout = WeightLayout::kPanels16Half;
  p.weights = weights.data();
  for (const std::string& set : InstructionSets()) {
    UseInstructionSet(set);
    for (const auto& candidate : MatMulCandidates()) {
      const auto kernel = candidate.make(p);
      std::vector<std::byte> scratch(kernel->scratch_bytes(1) + 64);
      void* aligned = scratch.data();
      size_t room = scratch.size();
      std::align(64, kernel->scratch_bytes(1), aligned, room);
      kernel->Run({&in, &out, aligned, &tests::Pool(1)});
      for (size_t i = 0; i < y.size(); ++i) {
        const float want = ToFloat(weights[i]);
        ASSERT_TRUE(y[i] == want || (std::isnan(y[i]) && std::isnan(want)))
            << candidate.name << " " << set << ": " << i << " is " << want << ", got " << y[i];
      }
    }
  }
  UseInstructionSet(InstructionSets()[0]);
}

TEST(MatMul, ReferenceComputesInDouble) {
  Random random(2);
  tests::Ran ran;
  for (int i = 0; i < 60 && !HasFatalFailure(); ++i) CheckRandom<double>(random, ran);
}

TEST(MatMul, EveryCandidateMatchesOnLargerSizes) {
  Random random(3);
  tests::Ran ran;
  for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1000, 512}, {197, 192, 64}, {300, 40, 700}}) {
    MatMulProblem p;
    p.m = m;
    p.n = n;
    p.k = k;
    p.has_bias = true;
    Check<float>(p, 1, true, true, random, ran);
    if (HasFatalFailure()) return;
  }
}

TEST(MatMul, EmptyProductsAreFine) {
  Random random(4);
  tests::Ran ran;
  for (auto [m, n, k] : {std::array<int64_t, 3>{0, 3, 4}, {3, 0, 4}, {3, 4, 0}}) {
    MatMulProblem p;
    p.m = m;
    p.n = n;
    p.k = k;
    Check<float>(p, 1, true, true, random, ran);
  }
}

}  // namespace
}  // namespace pleat::kernels
