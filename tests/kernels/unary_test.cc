#include "kernels/unary.h"

#include <bit>

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using K = UnaryKind;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr double kTiny = 0x1p-126;  // the vector forms flush results below to zero

struct Case {
  K kind;
  float a, b;
  double ulps;              // allowed, against the definition
  double negligible = 0;    // absolute error that does not count
  double conditioning = 0;  // further ulps for each unit of |x|, where an exponent is rounded
};

const std::vector<Case> kCases = {
    {K::kIdentity, 0, 0, 0},
    {K::kClip, 0, kInf, 0},
    {K::kClip, 0, 6, 0},
    {K::kClip, -1, 1, 0},
    {K::kLeakyRelu, 0.01f, 0, 0.5},
    {K::kElu, 1, 0, 3},
    {K::kElu, 0.3f, 0, 3},
    {K::kSelu, 1.6732632f, 1.0507010f, 4},
    {K::kCelu, 1, 0, 3},
    {K::kCelu, 2, 0, 3},
    {K::kCelu, 1.3f, 0, 3, 0, 4},
    {K::kCelu, -1.5f, 0, 1},
    {K::kSigmoid, 0, 0, 3, kTiny},
    {K::kHardSigmoid, 0.2f, 0.5f, 1, 6e-8},
    {K::kSwish, 1, 0, 4, 100 * kTiny},
    {K::kSwish, 1.702f, 0, 4, 100 * kTiny, 4},
    {K::kHardSwish, 0, 0, 3},
    {K::kTanh, 0, 0, 4, kTiny},
    {K::kSoftplus, 0, 0, 4, kTiny},
    {K::kSoftsign, 0, 0, 2},
    {K::kMish, 0, 0, 5, 100 * kTiny},
    {K::kGelu, 0, 0, 6, 100 * kTiny},
    {K::kGeluTanh, 0, 0, 5, 100 * kTiny, 50},
    {K::kErf, 0, 0, 4, kTiny},
    {K::kThresholdedRelu, 0.5f, 0, 0},
    {K::kShrink, 0.5f, 0.25f, 0.5},
    {K::kAbs, 0, 0, 0},
    {K::kNeg, 0, 0, 0},
    {K::kExp, 0, 0, 2},
    {K::kLog, 0, 0, 2},
    {K::kSqrt, 0, 0, 0.5},
    {K::kReciprocal, 0, 0, 0.5},
    {K::kFloor, 0, 0, 0},
    {K::kCeil, 0, 0, 0},
    {K::kRound, 0, 0, 0},
    {K::kRound, 3, -9, 0},
    {K::kRound, 2, -16, 0},
    {K::kSign, 0, 0, 0},
    {K::kSin, 0, 0, 0.5},
    {K::kAffine, 0.5f, 2, 0.5},
    {K::kScaledTanh, 1.7159f, 0.5f, 5, 100 * kTiny},
    {K::kTan, 0, 0, 0.5},
    {K::kAcosh, 0, 0, 0.5},
};

// Bit patterns of every magnitude and sign, and the numbers where something special happens.
std::vector<float> Everything() {
  std::vector<float> x = {0.0f,      -0.0f,      1.0f,  -1.0f,  kInf,   -kInf,   kNaN,
                          0x1p-149f, -0x1p-149f, 88.0f, -88.0f, 104.0f, -104.0f, 0.5f,
                          -0.5f,     2.5f,       -2.5f, 3.0f,   -3.0f,  6.0f};
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 65497) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  tests::Random random(7);
  for (const double range : {1.0, 10.0, 100.0}) {
    for (const float value : random.Values<float>(20000, -range, range)) x.push_back(value);
  }
  return x;
}

TEST(Unary, EveryFunctionMatchesItsDefinitionEverywhere) {
  const std::vector<float> x = Everything();
  for (const Case& c : kCases) {
    UnaryProblem problem{.activation = {c.kind, c.a, c.b}, .count = static_cast<int64_t>(x.size())};
    ForEveryKernel(UnaryCandidates(), problem, [&](const Kernel& kernel, const std::string& name) {
      std::vector<float> y(x.size());
      const void* in = x.data();
      void* out = y.data();
      ThreadPool threads(1);
      kernel.Run({&in, &out, nullptr, &threads});
      double worst = -1;
      float at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double definition = ApplyUnary(c.kind, c.a, c.b, x[i]);
        const double size = std::min(std::abs(static_cast<double>(x[i])), 100.0);
        const double allowed = name == "reference" ? 0.5 : c.ulps + c.conditioning * size;
        const double off = UlpsOff(y[i], definition, c.negligible) - allowed;
        if (!(off <= worst)) worst = off, at = x[i];
      }
      EXPECT_LE(worst, 0) << "kind " << static_cast<int>(c.kind) << " a " << c.a << " at " << at;
    });
  }
}

TEST(Unary, OddSizesThreadsAndInPlaceAgreeBitForBit) {
  tests::Random random(3);
  for (const Case& c : kCases) {
    for (const int64_t count : kOddSizes) {
      const std::vector<float> x = random.Values<float>(static_cast<size_t>(count), -8, 8);
      UnaryProblem problem{.activation = {c.kind, c.a, c.b}, .count = count};
      ForEveryKernel(UnaryCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
        const Buffers buffers = Buffers().In(x).Out<float>(x.size());
        const auto y = As<float>(RunEveryWay(kernel, buffers)[0]);
        EXPECT_EQ(RunEveryWay(kernel, buffers, true), RunEveryWay(kernel, buffers));
        for (size_t i = 0; i < x.size(); ++i) {
          const double definition = ApplyUnary(c.kind, c.a, c.b, x[i]);
          EXPECT_LE(UlpsOff(y[i], definition, c.negligible),
                    std::max(c.ulps, 0.5) + c.conditioning * std::abs(x[i]));
        }
      });
    }
  }
}

TEST(Unary, LargeInputsAreSplitWithoutSeams) {
  tests::Random random(5);
  const std::vector<float> x = random.Values<float>(100003, -5, 5);
  UnaryProblem problem{.activation = {K::kTanh}, .count = static_cast<int64_t>(x.size())};
  ForEveryKernel(UnaryCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(x.size()))[0]);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_LE(UlpsOff(y[i], std::tanh(x[i])), 4);
  });
}

TEST(Unary, AnElementDoesNotDependOnItsPlace) {
  for (const std::string& set : InstructionSets()) {
    UseInstructionSet(set);
    for (const Case& c : kCases) {
      const Activation activation{c.kind, c.a, c.b};
      std::vector<float> same(37, 0.7311f);
      ApplyActivation(activation, same.data(), same.size());
      for (size_t i = 0; i < same.size(); ++i) {
        EXPECT_EQ(std::bit_cast<uint32_t>(same[i]), std::bit_cast<uint32_t>(same[0])) << i;
      }
    }
  }
  UseInstructionSet(InstructionSets().front());
}

TEST(Unary, IntegersAreExactAndWrap) {
  const auto run = [](Activation activation, std::vector<int64_t> x) {
    UnaryProblem problem{.type = ElementType::kInt64,
                         .activation = activation,
                         .count = static_cast<int64_t>(x.size())};
    const auto kernel = UnaryCandidates().back().make(problem);
    return As<int64_t>(RunEveryWay(*kernel, Buffers().In(x).Out<int64_t>(x.size()))[0]);
  };
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kBig = (int64_t{1} << 53) + 1;
  EXPECT_EQ(run({K::kNeg}, {kMin, kBig, 0}), (std::vector<int64_t>{kMin, -kBig, 0}));
  EXPECT_EQ(run({K::kAbs}, {kMin, -kBig, 4}), (std::vector<int64_t>{kMin, kBig, 4}));
  EXPECT_EQ(run({K::kSign}, {kMin, 0, 4}), (std::vector<int64_t>{-1, 0, 1}));
  EXPECT_EQ(run({K::kClip, 0, kInf}, {-5, kBig}), (std::vector<int64_t>{0, kBig}));
  EXPECT_EQ(run({K::kClip, -kInf, 6}, {-5, kBig}), (std::vector<int64_t>{-5, 6}));
  EXPECT_EQ(run({K::kBitwiseNot}, {0, kBig}), (std::vector<int64_t>{-1, -kBig - 1}));
}

TEST(Unary, BoolsAndQuestions) {
  UnaryProblem negate{.type = ElementType::kBool, .activation = {K::kNot}, .count = 2};
  const std::vector<uint8_t> bits = {0, 1};
  EXPECT_EQ(As<uint8_t>(RunEveryWay(*UnaryCandidates().back().make(negate),
                                    Buffers().In(bits).Out<bool>(2))[0]),
            (std::vector<uint8_t>{1, 0}));
  const std::vector<float> x = {1, kNaN, kInf, -kInf};
  for (const auto& [activation, expected] :
       std::vector<std::pair<Activation, std::vector<uint8_t>>>{
           {{K::kIsNaN}, {0, 1, 0, 0}},
           {{K::kIsInf, 1, 1}, {0, 0, 1, 1}},
           {{K::kIsInf, 0, 1}, {0, 0, 1, 0}}}) {
    UnaryProblem problem{.activation = activation, .count = 4};
    const std::vector<uint8_t>& wanted = expected;
    ForEveryKernel(UnaryCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
      EXPECT_EQ(As<uint8_t>(RunEveryWay(kernel, Buffers().In(x).Out<bool>(4))[0]), wanted);
    });
  }
}

}  // namespace
}  // namespace pleat::kernels
