#include "kernels/conv_transpose.h"

#include <gtest/gtest.h>

#include "tests/kernels/product_support.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Random;

int64_t Pixels(const int64_t (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }

std::string Text(const ConvTransposeProblem& p) {
  std::string text = "n" + std::to_string(p.batch) + " c" + std::to_string(p.in_channels) + " m" +
                     std::to_string(p.out_channels) + " g" + std::to_string(p.groups);
  for (int d = 0; d < 3; ++d) {
    text += " [" + std::to_string(p.in[d]) + ">" + std::to_string(p.out[d]) + " k" +
            std::to_string(p.kernel[d]) + " s" + std::to_string(p.stride[d]) + " d" +
            std::to_string(p.dilation[d]) + " p" + std::to_string(p.pad_begin[d]) + "]";
  }
  return text + (p.channels_last ? " last" : " first") + (p.weights ? "" : " dynamic");
}

// The definition read forwards: every input pixel adds its kernel to the output.
template <class T>
void Check(ConvTransposeProblem p, Random& random, tests::Ran& ran) {
  p.type = ElementTypeOf<T>();
  const int64_t inputs = p.in_channels / p.groups, outputs = p.out_channels / p.groups;
  const int64_t taps = Pixels(p.kernel), in_pixels = Pixels(p.in), out_pixels = Pixels(p.out);
  const auto x = random.Values<T>(static_cast<size_t>(p.batch * in_pixels * p.in_channels));
  const auto w = random.Values<T>(static_cast<size_t>(p.in_channels * outputs * taps));
  const auto bias = random.Values<T>(static_cast<size_t>(p.out_channels));
  const auto place = [&](int64_t n, int64_t pixels, int64_t pixel, int64_t channels, int64_t c) {
    return static_cast<size_t>(p.channels_last ? (n * pixels + pixel) * channels + c
                                               : (n * channels + c) * pixels + pixel);
  };
  const bool dynamic_bias = p.has_bias && random.Chance(0.3);
  std::vector<double> tap_bias;
  if (!dynamic_bias && random.Chance(0.3)) {
    tap_bias = random.Values<double>(static_cast<size_t>(p.out_channels * taps));
    p.tap_bias = tap_bias.data();
  }
  tests::ExpectedSums expected;
  const auto length = static_cast<size_t>(p.batch * out_pixels * p.out_channels);
  expected.sums.assign(length, 0);
  expected.magnitudes.assign(length, 0);
  std::vector<int64_t> places;
  for (size_t i = 0; i < length; ++i) {
    const auto index = static_cast<int64_t>(i);
    places.push_back(p.out_pixel_stride == 0
                         ? index
                         : index / p.out_channels * p.out_pixel_stride + index % p.out_channels);
    const auto m = static_cast<size_t>(p.channels_last
                                           ? static_cast<int64_t>(i) % p.out_channels
                                           : static_cast<int64_t>(i) / out_pixels % p.out_channels);
    if (p.has_bias) {
      expected.sums[i] = bias[m];
      expected.magnitudes[i] = std::abs(bias[m]);
    }
  }
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t pixel = 0; pixel < in_pixels; ++pixel) {
      const int64_t at[3] = {pixel / (p.in[1] * p.in[2]), pixel / p.in[2] % p.in[1],
                             pixel % p.in[2]};
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t k[3] = {t / (p.kernel[1] * p.kernel[2]), t / p.kernel[2] % p.kernel[1],
                              t % p.kernel[2]};
        int64_t target = 0;
        bool inside = true;
        for (int d = 0; d < 3; ++d) {
          const int64_t o = at[d] * p.stride[d] - p.pad_begin[d] + k[d] * p.dilation[d];
          inside = inside && o >= 0 && o < p.out[d];
          target = target * p.out[d] + o;
        }
        if (!inside) continue;
        for (int64_t m = 0; m < p.out_channels && p.tap_bias != nullptr; ++m) {
          const double b = tap_bias[static_cast<size_t>(m * taps + t)];
          const size_t to = place(n, out_pixels, target, p.out_channels, m);
          expected.sums[to] += b;
          expected.magnitudes[to] += std::abs(b);
        }
        for (int64_t c = 0; c < p.in_channels; ++c) {
          const double a = x[place(n, in_pixels, pixel, p.in_channels, c)];
          for (int64_t m = 0; m < outputs; ++m) {
            const double b = w[static_cast<size_t>((c * outputs + m) * taps + t)];
            const size_t to =
                place(n, out_pixels, target, p.out_channels, c / inputs * outputs + m);
            expected.sums[to] += a * b;
            expected.magnitudes[to] += std::abs(a * b);
          }
        }
      }
    }
  }
  tests::Guarded<T> constant((w.size() + 63) / 64 * 64);
  std::copy(w.begin(), w.end(), constant.data());
  std::vector<std::vector<T>> operands = {x};
  if (p.weights != nullptr) {
    p.weights = constant.data();
  } else {
    operands.push_back(w);
  }
  if (p.has_bias) p.bias = dynamic_bias ? nullptr : bias.data();
  if (dynamic_bias) operands.push_back(bias);
  const auto y = random.Values<T>(static_cast<size_t>(places.back() + 1));
  tests::CheckCandidates<T>(ConvTransposeCandidates(), p, operands, y, places, expected,
                            random.Chance(0.5) ? Flush::kEnd : Flush::kBegin, Text(p), ran);
}

const float kSomeWeights = 0;

ConvTransposeProblem RandomProblem(Random& random) {
  constexpr int64_t kChannels[] = {1, 2, 3, 5, 8, 16, 17, 24, 33, 40};
  const Activation activations[] = {
      {UnaryKind::kIdentity}, {UnaryKind::kClip, 0, 6}, {UnaryKind::kSigmoid}};
  ConvTransposeProblem p;
  p.weights = random.Chance(0.8) ? &kSomeWeights : nullptr;
  p.channels_last = random.Chance(0.85);
  p.batch = random.Between(1, 2);
  const int rank = random.Chance(0.7) ? 2 : random.Chance(0.6) ? 1 : 3;
  p.groups = random.Chance(0.7) ? 1 : random.Between(2, 4);
  p.in_channels = p.groups * kChannels[random.Below(rank == 3 ? 5 : 10)];
  p.out_channels = p.groups * kChannels[random.Below(rank == 3 ? 5 : 10)];
  for (int d = 3 - rank; d < 3; ++d) {
    p.in[d] = random.Between(1, rank == 3 ? 4 : 9);
    p.kernel[d] = random.Between(1, 4);
    p.stride[d] = random.Between(1, 3);
    p.dilation[d] = random.Chance(0.8) ? 1 : 2;
    p.pad_begin[d] = random.Between(0, 2);
    const int64_t full = (p.in[d] - 1) * p.stride[d] + (p.kernel[d] - 1) * p.dilation[d] + 1;
    // Pads at the end and output padding: anything is allowed.
    p.out[d] = std::max<int64_t>(1, full - p.pad_begin[d] + random.Between(-2, 2));
  }
  if (p.channels_last && random.Chance(0.3)) {
    p.out_pixel_stride = p.out_channels + random.Below(20);
  }
  p.has_bias = random.Chance(0.7);
  p.activation = activations[random.Below(3)];
  return p;
}

TEST(ConvTranspose, EveryCandidateMatchesItsDefinition) {
  Random random(1);
  tests::Ran ran;
  for (int i = 0; i < 520 && !HasFatalFailure(); ++i) {
    Check<float>(RandomProblem(random), random, ran);
  }
  for (const auto& candidate : ConvTransposeCandidates()) EXPECT_GE(ran[candidate.name], 60);
}

TEST(ConvTranspose, ReferenceComputesInDouble) {
  Random random(2);
  tests::Ran ran;
  for (int i = 0; i < 60 && !HasFatalFailure(); ++i) {
    Check<double>(RandomProblem(random), random, ran);
  }
}

}  // namespace
}  // namespace pleat::kernels
