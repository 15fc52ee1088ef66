#include "kernels/conv.h"

#include <gtest/gtest.h>

#include <string_view>

#include "hwy/aligned_allocator.h"
#include "kernels/making.h"
#include "tests/kernels/product_support.h"

namespace pleat::kernels {
namespace {

using tests::ExpectedSums;
using tests::Flush;
using tests::Random;

// The problem's spatial sizes and what is left to derive.
ConvProblem Sized(ConvProblem p) {
  for (int d = 0; d < 3; ++d) {
    const int64_t extent = (p.kernel[d] - 1) * p.dilation[d] + 1;
    p.out[d] = (p.in[d] + p.pad_begin[d] + p.pad_end[d] - extent) / p.stride[d] + 1;
  }
  return p;
}

std::string Text(const ConvProblem& p) {
  std::string text = "n" + std::to_string(p.batch) + " c" + std::to_string(p.in_channels) + " m" +
                     std::to_string(p.out_channels) + " g" + std::to_string(p.groups);
  for (int d = 0; d < 3; ++d) {
    text += " [" + std::to_string(p.in[d]) + " k" + std::to_string(p.kernel[d]) + " s" +
            std::to_string(p.stride[d]) + " d" + std::to_string(p.dilation[d]) + " p" +
            std::to_string(p.pad_begin[d]) + "," + std::to_string(p.pad_end[d]) + "]";
  }
  return text + " layout" + std::to_string(static_cast<int>(p.weight_layout)) + " act" +
         std::to_string(static_cast<int>(p.activation.kind)) + (p.has_bias ? " bias" : "") +
         (p.has_residual ? " residual" : "") + (p.tap_bias ? " taps" : "") +
         (p.prologue ? " prologue" : "") + (p.weights ? "" : " dynamic") +
         (p.channels_last ? " last" : " first");
}

int64_t Pixels(const int64_t (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }

// Place of a channel of a pixel in a tensor, and the tensor's length.
struct Layout {
  int64_t pixels, channels, step;
  bool last;
  int64_t At(int64_t n, int64_t pixel, int64_t c) const {
    return last ? (n * pixels + pixel) * step + c : (n * channels + c) * pixels + pixel;
  }
  size_t Length(int64_t batch) const {
    const int64_t count = batch * pixels;
    if (count == 0) return 0;
    return static_cast<size_t>(last ? (count - 1) * step + channels : count * channels);
  }
};

const Activation kPrologues[] = {{UnaryKind::kClip, 0, std::numeric_limits<float>::infinity()},
                                 {UnaryKind::kLeakyRelu, 0.1f},
                                 {UnaryKind::kIdentity}};

template <class T>
void Check(ConvProblem p, Random& random, tests::Ran& ran, double extras = 0.2) {
  p.type = ElementTypeOf<T>();
  const Layout x{Pixels(p.in), p.in_channels, p.in_pixel_stride ? p.in_pixel_stride : p.in_channels,
                 p.channels_last};
  const Layout y{Pixels(p.out), p.out_channels,
                 p.out_pixel_stride ? p.out_pixel_stride : p.out_channels, p.channels_last};
  const Layout r{Pixels(p.out), p.out_channels,
                 p.residual_pixel_stride ? p.residual_pixel_stride : p.out_channels,
                 p.channels_last};
  const int64_t inputs = p.in_channels / p.groups, outputs = p.out_channels / p.groups;
  const int64_t taps = Pixels(p.kernel);
  const auto xs = random.Values<T>(x.Length(p.batch));
  const auto onnx = random.Values<float>(static_cast<size_t>(p.out_channels * inputs * taps));
  const auto bias = random.Values<T>(static_cast<size_t>(p.out_channels));
  const auto residual = random.Values<T>(p.has_residual ? r.Length(p.batch) : 0);

  std::vector<float> packed(static_cast<size_t>(ConvWeightElements(p, p.weight_layout)));
  PackConvWeights(p, p.weight_layout, onnx.data(), packed.data());
  const std::vector<T> w(packed.begin(), packed.end());
  // Weights as the kernel gets them: 64-byte aligned when constant.
  tests::Guarded<T> constant((w.size() + 63) / 64 * 64);
  std::copy(w.begin(), w.end(), constant.data());
  std::vector<std::vector<T>> operands = {xs};
  if (p.weights != nullptr) {
    p.weights = constant.data();
  } else {
    operands.push_back(w);
  }
  const bool dynamic_bias = p.has_bias && random.Chance(0.3);
  if (p.has_bias) p.bias = dynamic_bias ? nullptr : bias.data();
  if (dynamic_bias) operands.push_back(bias);
  if (p.has_residual) operands.push_back(residual);

  // A table takes the plain bias in, which is constant then.
  std::vector<double> tap_bias;
  if (!dynamic_bias && random.Chance(extras)) {
    tap_bias = random.Values<double>(static_cast<size_t>(p.out_channels * taps));
    p.tap_bias = tap_bias.data();
  }

  std::vector<T> scale, shift;
  if (random.Chance(extras)) {
    scale = random.Values<T>(static_cast<size_t>(p.in_channels), -2, 2);
    shift = random.Values<T>(static_cast<size_t>(p.in_channels), -1, 1);
    p.prologue = {scale.data(), shift.data(), kPrologues[random.Below(3)]};
  }

  ExpectedSums expected;
  std::vector<int64_t> places;
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t o = 0; o < y.pixels; ++o) {
      const int64_t at[3] = {o / (p.out[1] * p.out[2]), o / p.out[2] % p.out[1], o % p.out[2]};
      for (int64_t m = 0; m < p.out_channels; ++m) {
        double sum = 0, magnitude = 0;
        for (int64_t t = 0; t < taps; ++t) {
          const int64_t k[3] = {t / (p.kernel[1] * p.kernel[2]), t / p.kernel[2] % p.kernel[1],
                                t % p.kernel[2]};
          int64_t pixel = 0;
          bool inside = true;
          for (int d = 0; d < 3; ++d) {
            const int64_t i = at[d] * p.stride[d] - p.pad_begin[d] + k[d] * p.dilation[d];
            inside = inside && i >= 0 && i < p.in[d];
            pixel = pixel * p.in[d] + i;
          }
          if (inside && p.tap_bias != nullptr) {
            const double b = tap_bias[static_cast<size_t>(m * taps + t)];
            sum += b;
            magnitude += std::abs(b);
          }
          for (int64_t c = 0; inside && c < inputs; ++c) {
            const int64_t channel = m / outputs * inputs + c;
            double a = xs[static_cast<size_t>(x.At(n, pixel, channel))];
            double size = std::abs(a);
            if (p.prologue) {
              const auto i = static_cast<size_t>(channel);
              size = size * std::abs(double{scale[i]}) + std::abs(double{shift[i]});
              a = ApplyPrologue<T>(p.prologue, a, i);
            }
            const double b = onnx[static_cast<size_t>((m * inputs + c) * taps + t)];
            sum += a * b;
            magnitude += size * std::abs(b);
          }
        }
        if (p.has_bias) {
          sum += bias[static_cast<size_t>(m)];
          magnitude += std::abs(bias[static_cast<size_t>(m)]);
        }
        if (p.has_residual) {
          const double value = residual[static_cast<size_t>(r.At(n, o, m))];
          sum += value;
          magnitude += std::abs(value);
        }
        // A transform mixes what the border left out of this output's own sum.
        expected.magnitudes.push_back(std::max(magnitude, 0.25 * static_cast<double>(inputs)));
        expected.sums.push_back(sum);
        places.push_back(y.At(n, o, m));
      }
    }
  }
  const auto before = random.Values<T>(y.Length(p.batch));
  tests::CheckCandidates<T>(ConvCandidates(), p, operands, before, places, expected,
                            random.Chance(0.5) ? Flush::kEnd : Flush::kBegin, Text(p), ran);
}

// Non-null stands for "constant"; Check replaces it.
const float kSomeWeights = 0;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const Activation kActivations[] = {{UnaryKind::kIdentity},   {UnaryKind::kClip, 0, kInfinity},
                                   {UnaryKind::kClip, 0, 6}, {UnaryKind::kLeakyRelu, 0.1f},
                                   {UnaryKind::kSwish, 1},   {UnaryKind::kHardSwish}};

ConvProblem RandomProblem(Random& random) {
  constexpr int64_t kChannels[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 32, 33, 48, 64, 72};
  ConvProblem p;
  p.weights = random.Chance(0.85) ? &kSomeWeights : nullptr;
  p.channels_last = random.Chance(0.9);
  p.batch = random.Chance(0.7) ? 1 : random.Between(2, 3);
  const int rank = random.Chance(0.7) ? 2 : random.Chance(0.6) ? 1 : 3;
  const int64_t per_in = kChannels[random.Below(rank == 3 ? 7 : 15)];
  const int64_t per_out = kChannels[random.Below(rank == 3 ? 9 : 15)];
  if (random.Chance(0.25)) {
    p.groups = kChannels[random.Below(15)];
    p.in_channels = p.groups;
    p.out_channels = p.groups * random.Between(1, 2);
    if (random.Chance(0.7)) p.out_channels = p.groups;
  } else if (random.Chance(0.2)) {
    const int64_t width = int64_t{1} << random.Between(1, 4);
    p.in_channels = width * random.Between(2, 9);
    p.out_channels = p.in_channels;
    p.groups = p.in_channels / width;
  } else {
    p.groups = random.Chance(0.8) ? 1 : random.Between(2, 3);
    p.in_channels = p.groups * per_in;
    p.out_channels = p.groups * per_out;
  }
  for (int d = 3 - rank; d < 3; ++d) {
    p.kernel[d] = random.Chance(0.5) ? 3 : random.Between(1, 5);
    p.stride[d] = random.Chance(0.6) ? 1 : random.Between(2, 3);
    p.dilation[d] = random.Chance(0.8) ? 1 : 2;
    p.pad_begin[d] = random.Chance(0.5) ? p.kernel[d] / 2 : random.Between(0, 3);
    p.pad_end[d] = random.Chance(0.5) ? p.kernel[d] / 2 : random.Between(0, 3);
    const int64_t extent = (p.kernel[d] - 1) * p.dilation[d] + 1;
    const int64_t least = std::max<int64_t>(1, extent - p.pad_begin[d] - p.pad_end[d]);
    p.in[d] = std::max(least, random.Between(1, rank == 3 ? 5 : 17));
  }
  if (p.channels_last && random.Chance(0.2)) p.in_pixel_stride = p.in_channels + random.Below(20);
  if (p.channels_last && random.Chance(0.2)) p.out_pixel_stride = p.out_channels + random.Below(20);
  p.has_bias = random.Chance(0.7);
  p.has_residual = random.Chance(0.25);
  if (p.channels_last && random.Chance(0.3)) {
    p.residual_pixel_stride = p.out_channels + random.Below(20);
  }
  p.activation = kActivations[random.Below(6)];
  if (random.Chance(0.5)) p.weight_layout = WeightLayout::kPanels16;
  if (p.in_channels == p.groups && random.Chance(0.5)) {
    p.weight_layout = WeightLayout::kTapsChannels;
  }
  return Sized(p);
}

TEST(Conv, EveryCandidateMatchesItsDefinition) {
  Random random(1);
  tests::Ran ran;
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i)
    Check<float>(RandomProblem(random), random, ran);
  for (const auto& candidate : ConvCandidates())
    EXPECT_GE(ran[candidate.name], 8) << candidate.name;
}

TEST(Conv, ReferenceComputesInDouble) {
  Random random(2);
  tests::Ran ran;
  for (int i = 0; i < 60 && !HasFatalFailure(); ++i)
    Check<double>(RandomProblem(random), random, ran);
  EXPECT_EQ(ran["reference"], 60);
}

// Sizes of the networks people run: whole blocks of every loop, with tails.
TEST(Conv, EveryCandidateMatchesOnLargerSizes) {
  struct Size {
    int64_t in, c, m, kernel, stride, pad, groups;
  };
  Random random(3);
  tests::Ran ran;
  for (const Size& s :
       {Size{56, 3, 64, 7, 2, 3, 1}, Size{29, 64, 64, 3, 1, 1, 1}, Size{14, 128, 80, 3, 1, 1, 1},
        Size{7, 160, 96, 3, 1, 1, 1}, Size{28, 40, 120, 1, 1, 0, 1}, Size{28, 96, 24, 1, 1, 0, 1},
        Size{33, 72, 72, 3, 1, 1, 72}, Size{30, 72, 72, 5, 2, 2, 72}, Size{20, 64, 48, 3, 2, 1, 1},
        Size{31, 32, 64, 3, 1, 1, 2}, Size{33, 104, 104, 3, 1, 1, 13},
        Size{28, 40, 40, 3, 2, 1, 10}}) {
    ConvProblem p;
    p.weights = &kSomeWeights;
    p.in_channels = s.c;
    p.out_channels = s.m;
    p.groups = s.groups;
    for (int d = 1; d < 3; ++d) {
      p.in[d] = s.in + d;
      p.kernel[d] = s.kernel;
      p.stride[d] = s.stride;
      p.pad_begin[d] = p.pad_end[d] = s.pad;
    }
    p.has_bias = true;
    p.activation = kActivations[1];
    Check<float>(Sized(p), random, ran);
    p.select.exact = s.c == 160;  // sums in shorter chains
    if (p.select.exact) Check<float>(Sized(p), random, ran);
    if (HasFatalFailure()) return;
  }
}

// Groups narrower than a vector, and as wide as one or several.
TEST(Conv, NarrowGroups) {
  Random random(7);
  tests::Ran ran;
  for (int i = 0; i < 60 && !HasFatalFailure(); ++i) {
    ConvProblem p;
    p.weights = &kSomeWeights;
    p.batch = random.Between(1, 2);
    const int64_t width = int64_t{2} << i % 3;
    p.in_channels = width * random.Between(16 / width, 6 + 16 / width);
    p.out_channels = p.in_channels;
    p.groups = p.in_channels / width;
    for (int d = 1; d < 3; ++d) {
      p.kernel[d] = d == 2 ? 3 : random.Between(1, 3);
      p.stride[d] = random.Between(1, 2);
      p.pad_begin[d] = random.Between(0, 3);
      p.pad_end[d] = random.Between(0, 3);
      p.in[d] = random.Between(3, 19);
    }
    if (random.Chance(0.3)) p.in_pixel_stride = p.in_channels + random.Below(20);
    if (random.Chance(0.3)) p.out_pixel_stride = p.out_channels + random.Below(20);
    p.has_bias = random.Chance(0.7);
    p.has_residual = random.Chance(0.5);
    p.activation = kActivations[random.Below(6)];
    if (random.Chance(0.5)) p.weight_layout = WeightLayout::kPanels16;
    Check<float>(Sized(p), random, ran, 0.5);
  }
  EXPECT_GE(ran["grouped"], 20);
}

// Tiles at the border have a bias for each pixel, and pixels outside skip the prologue.
TEST(Conv, TapBiasAndPrologueInTiles) {
  Random random(6);
  tests::Ran ran;
  for (int i = 0; i < 40 && !HasFatalFailure(); ++i) {
    ConvProblem p;
    p.weights = &kSomeWeights;
    p.batch = random.Between(1, 2);
    p.in_channels = random.Between(3, 40);
    p.out_channels = random.Between(3, 40);
    for (int d = 1; d < 3; ++d) {
      p.kernel[d] = 3;
      p.pad_begin[d] = random.Between(0, 2);
      p.pad_end[d] = random.Between(0, 2);
      p.in[d] = random.Between(3, 15);
    }
    p.has_bias = random.Chance(0.5);
    p.has_residual = random.Chance(0.5);
    p.activation = kActivations[random.Below(6)];
    Check<float>(Sized(p), random, ran, 0.7);
  }
  for (const char* name : {"winograd2", "winograd4", "winograd6", "direct"}) {
    EXPECT_GE(ran[name], 40) << name;
  }
}

// Threads that help to transform the filters change no bit of them.
TEST(Conv, KernelsMadeByThreadsAreTheSame) {
  Random random(8);
  ConvProblem p;
  p.in_channels = 24;
  p.out_channels = 150;
  for (int d = 1; d < 3; ++d) {
    p.in[d] = p.out[d] = 14;
    p.kernel[d] = 3;
    p.pad_begin[d] = p.pad_end[d] = 1;
  }
  const auto count = static_cast<size_t>(ConvWeightElements(p, WeightLayout::kOnnx));
  const std::vector<float> weights = random.Values<float>(count);
  p.weights = weights.data();
  const auto x = random.Values<float>(static_cast<size_t>(14 * 14 * p.in_channels));
  ThreadPool alone(1), three(3);
  for (const auto& candidate : ConvCandidates()) {
    if (!std::string_view(candidate.name).starts_with("winograd")) continue;
    std::vector<float> outputs[2];
    for (ThreadPool* pool : {&alone, &three}) {
      const MakingThreads helpers(*pool);
      const auto kernel = candidate.make(p);
      const auto scratch = hwy::AllocateAligned<std::byte>(kernel->scratch_bytes(1) + 1);
      std::vector<float>& y = outputs[pool == &three];
      y.resize(static_cast<size_t>(14 * 14 * p.out_channels));
      const void* in = x.data();
      void* out = y.data();
      kernel->Run({&in, &out, scratch.get(), &alone});
    }
    EXPECT_EQ(outputs[0], outputs[1]) << candidate.name;
  }
}

TEST(Conv, PackedWeightsKeepEveryWeightOnce) {
  ConvProblem p;
  p.in_channels = 6;
  p.out_channels = 36;
  p.groups = 2;
  p.kernel[2] = 3;
  std::vector<float> onnx(static_cast<size_t>(ConvWeightElements(p, WeightLayout::kOnnx)));
  for (size_t i = 0; i < onnx.size(); ++i) onnx[i] = static_cast<float>(i + 1);
  std::vector<float> packed(static_cast<size_t>(ConvWeightElements(p, WeightLayout::kPanels16)));
  EXPECT_EQ(packed.size(), 2u * 2 * 3 * 3 * 16);
  PackConvWeights(p, WeightLayout::kPanels16, onnx.data(), packed.data());
  // Group 1, output 17 of it, tap 2, input 1.
  EXPECT_EQ(packed[((((1 * 2 + 1) * 3 + 2) * 3) + 1) * 16 + 1], onnx[(35 * 3 + 1) * 3 + 2]);
  double sum = 0, packed_sum = 0;
  for (float value : onnx) sum += value;
  for (float value : packed) packed_sum += value;
  EXPECT_EQ(sum, packed_sum);
}

// With every instruction set, and where no NaN is read there is none.
TEST(Conv, NaNsPassTheBounds) {
  Random random(9);
  for (const int64_t groups : {1, 6, 24}) {
    ConvProblem p;
    p.in_channels = p.out_channels = 24;
    p.groups = groups;
    for (int d = 1; d < 3; ++d) {
      p.kernel[d] = 3;
      p.pad_begin[d] = p.pad_end[d] = 1;
      p.in[d] = 9;
    }
    p = Sized(p);
    p.activation = {UnaryKind::kClip, 0, 6};
    const auto weights = random.Values<float>(
        static_cast<size_t>(ConvWeightElements(p, WeightLayout::kOnnx)));
    p.weights = weights.data();
    auto x = random.Values<float>(9 * 9 * 24);
    for (size_t c = 0; c < 24; ++c) x[(4 * 9 + 4) * 24 + c] = std::nanf("");
    for (const std::string& set : InstructionSets()) {
      UseInstructionSet(set);
      for (const auto& candidate : ConvCandidates()) {
        p.select.only = candidate.name;
        if (!candidate.refuse(p).empty()) continue;
        if (candidate.name == std::string("xnnpack")) continue;  // it makes NaNs numbers
        const auto kernel = candidate.make(p);
        tests::Guarded<std::byte> scratch((kernel->scratch_bytes(1) + 63) / 64 * 64);
        std::vector<float> y(x.size());
        const void* in = x.data();
        void* out = y.data();
        kernel->Run({&in, &out, scratch.data(), &tests::Pool(1)});
        for (size_t pixel = 0; pixel < 9 * 9; ++pixel) {
          const bool near = pixel / 9 - 3 < 3 && pixel % 9 - 3 < 3;
          if (!near && std::string(candidate.name).starts_with("winograd")) continue;
          for (size_t c = 0; c < 24; ++c) {
            ASSERT_EQ(std::isnan(y[pixel * 24 + c]), near)
                << candidate.name << " " << set << " groups " << groups << " pixel " << pixel;
          }
        }
      }
    }
  }
  UseInstructionSet(InstructionSets()[0]);
}

TEST(Conv, EmptyImagesAreFine) {
  ConvProblem p;
  p.batch = 0;
  p.in[2] = p.out[2] = 5;
  p.in_channels = p.out_channels = 4;
  p.weights = &kSomeWeights;
  Random random(4);
  tests::Ran ran;
  Check<float>(p, random, ran);
}

}  // namespace
}  // namespace pleat::kernels
