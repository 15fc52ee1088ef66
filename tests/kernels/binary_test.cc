#include "kernels/binary.h"

#include <cmath>

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using K = BinaryKind;
using Dims = std::vector<int64_t>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

int64_t Count(const Dims& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

Dims BroadcastShape(const Dims& a, const Dims& b) {
  Dims shape(std::max(a.size(), b.size()), 1);
  for (const Dims* from : {&a, &b}) {
    for (size_t i = 0; i < from->size(); ++i) {
      int64_t& size = shape[shape.size() - from->size() + i];
      if ((*from)[i] != 1) size = (*from)[i];
    }
  }
  return shape;
}

// Where the element at `index` of a dense `out` lies in a dense `shape` that broadcasts to it.
size_t Source(int64_t index, const Dims& out, const Dims& shape) {
  int64_t offset = 0, step = 1;
  for (size_t back = 1; back <= out.size(); ++back) {
    const int64_t at = index % out[out.size() - back];
    index /= out[out.size() - back];
    if (back > shape.size()) continue;
    const int64_t size = shape[shape.size() - back];
    if (size != 1) offset += at * step;
    step *= size;
  }
  return static_cast<size_t>(offset);
}

const std::vector<std::pair<Dims, Dims>> kShapes = {
    {{}, {}},
    {{0}, {1}},
    {{3, 0, 2}, {2}},
    {{1000}, {1000}},
    {{1000}, {1}},
    {{}, {33}},
    {{2, 5, 3, 17}, {17}},
    {{17}, {2, 5, 3, 17}},
    {{2, 5, 3, 17}, {2, 1, 1, 17}},
    {{2, 1, 1, 17}, {2, 5, 3, 17}},
    {{2, 17, 5, 3}, {17, 1, 1}},
    {{2, 17, 5, 3}, {2, 17, 1, 1}},
    {{7, 1}, {1, 9}},
    {{2, 1, 3, 1, 2, 1, 2, 2}, {1, 3, 1, 2, 1, 5, 1, 2}},
    {{4, 1, 33}, {4, 8, 1}},
    {{1, 64, 300}, {1, 64, 300}},
    {{3, 160, 100}, {3, 1, 100}},
};

const std::vector<Activation> kActivations = {
    {}, {UnaryKind::kClip, 0, kInf}, {UnaryKind::kClip, 0, 6}, {UnaryKind::kTanh}};

TEST(Binary, EveryKindOnEveryPatternOfBroadcasting) {
  tests::Random random(11);
  for (int k = 0; k <= static_cast<int>(K::kFMod); ++k) {
    const auto kind = static_cast<K>(k);
    for (const std::pair<Dims, Dims>& shapes : kShapes) {
      const Dims &a_shape = shapes.first, &b_shape = shapes.second;
      const Dims shape = BroadcastShape(a_shape, b_shape);
      const double low = kind == K::kPow ? 0.1 : -3;
      const auto a = random.Values<float>(static_cast<size_t>(Count(a_shape)), low, 3);
      const auto b = random.Values<float>(static_cast<size_t>(Count(b_shape)), -3, 3);
      for (const Activation& act : kActivations) {
        const BinaryProblem problem{
            .kind = kind, .a_shape = a_shape, .b_shape = b_shape, .activation = act};
        ForEveryKernel(BinaryCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
          const auto count = static_cast<size_t>(Count(shape));
          const Buffers buffers = Buffers().In(a).In(b).Out<float>(count);
          const auto results = RunEveryWay(kernel, buffers);
          const auto y = As<float>(results[0]);
          double worst = 0;
          for (size_t i = 0; i < count; ++i) {
            const auto at = static_cast<int64_t>(i);
            const double linear =
                ApplyBinary(kind, a[Source(at, shape, a_shape)], b[Source(at, shape, b_shape)]);
            const double off = UlpsOff(y[i], ApplyUnary(act.kind, act.a, act.b, linear));
            worst = std::max(worst, off);
          }
          EXPECT_LE(worst, act.kind == UnaryKind::kTanh ? 4 : 0.5)
              << "kind " << k << " case " << &a_shape - &kShapes[0].first;
          if (a_shape == shape) {
            EXPECT_EQ(RunEveryWay(kernel, buffers, true), results);
          }
        });
      }
    }
  }
}

std::vector<float> Combined(K kind, std::vector<float> a, std::vector<float> b,
                            Activation activation = {}) {
  const BinaryProblem problem{.kind = kind,
                              .a_shape = {static_cast<int64_t>(a.size())},
                              .b_shape = {static_cast<int64_t>(b.size())},
                              .activation = activation};
  std::vector<float> first;
  ForEveryKernel(BinaryCandidates(), problem, [&](const Kernel& kernel, const std::string& name) {
    const Buffers buffers = Buffers().In(a).In(b).Out<float>(std::max(a.size(), b.size()));
    const auto y = As<float>(RunEveryWay(kernel, buffers)[0]);
    if (first.empty()) first = y;
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_LE(UlpsOff(y[i], first[i]), 4) << name << i;
    }
  });
  return first;
}

TEST(Binary, NaNSurvives) {
  for (const K kind : {K::kAdd, K::kMul, K::kMin, K::kMax, K::kPRelu}) {
    for (const Activation& activation : kActivations) {
      const auto y = Combined(kind, {kNaN, 1, 2, kNaN}, {1, kNaN, 2, kNaN}, activation);
      EXPECT_TRUE(std::isnan(y[0]));
      EXPECT_TRUE(kind == K::kPRelu || std::isnan(y[1]));
      EXPECT_FALSE(std::isnan(y[2]));
      EXPECT_TRUE(std::isnan(y[3]));
    }
  }
}

TEST(Binary, SignsAndPowers) {
  EXPECT_EQ(Combined(K::kMod, {-7, 7, -6}, {3, -3, 3}), (std::vector<float>{2, -2, 0}));
  const std::vector<float> zeros = Combined(K::kMod, {0, -0.f, 6, -6}, {-2, 2, -3, 3});
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(zeros[i], 0);
    EXPECT_EQ(std::signbit(zeros[i]), i % 2 == 0) << i;
  }
  EXPECT_EQ(Combined(K::kFMod, {-7, 7, -6}, {3, -3, 3}), (std::vector<float>{-1, 1, 0}));
  EXPECT_EQ(Combined(K::kPow, {-3, 2}, {2}), (std::vector<float>{9, 4}));
  EXPECT_EQ(Combined(K::kPow, {-3, 2}, {1}), (std::vector<float>{-3, 2}));
  EXPECT_EQ(Combined(K::kPow, {9, 0.25f}, {0.5f}), (std::vector<float>{3, 0.5f}));
  EXPECT_EQ(Combined(K::kPow, {9, 0.25f}, {-1, 2}, {UnaryKind::kClip, 0.5f, 6}),
            (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(Combined(K::kDiv, {1, -1}, {0}), (std::vector<float>{kInf, -kInf}));
}

template <class T>
T Integer(K kind, T a, T b) {
  const BinaryProblem problem{.type = ElementTypeOf<T>(), .kind = kind};
  const Buffers buffers = Buffers().In(std::vector<T>{a}).In(std::vector<T>{b}).template Out<T>(1);
  return As<T>(RunEveryWay(*BinaryCandidates().back().make(problem), buffers)[0])[0];
}

TEST(Binary, IntegersAreDefinedEverywhere) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Integer<int64_t>(K::kAdd, kMax, 1), kMin);
  EXPECT_EQ(Integer<int64_t>(K::kSub, kMin, 1), kMax);
  EXPECT_EQ(Integer<int64_t>(K::kMul, (int64_t{1} << 53) + 1, 3), 3 * ((int64_t{1} << 53) + 1));
  EXPECT_EQ(Integer<int64_t>(K::kDiv, 7, 0), 0);
  EXPECT_EQ(Integer<int64_t>(K::kDiv, -7, 2), -3);
  EXPECT_EQ(Integer<int64_t>(K::kDiv, kMin, -1), kMin);
  EXPECT_EQ(Integer<int64_t>(K::kMod, kMin, -1), 0);
  EXPECT_EQ(Integer<int64_t>(K::kMod, -7, 3), 2);
  EXPECT_EQ(Integer<int64_t>(K::kMod, 7, -3), -2);
  EXPECT_EQ(Integer<int64_t>(K::kMod, 7, 0), 0);
  EXPECT_EQ(Integer<int64_t>(K::kFMod, -7, 3), -1);
  EXPECT_EQ(Integer<int32_t>(K::kDiv, std::numeric_limits<int32_t>::min(), -1),
            std::numeric_limits<int32_t>::min());
  EXPECT_EQ(Integer<uint16_t>(K::kMul, 65535, 65535), 1);
  EXPECT_EQ(Integer<uint8_t>(K::kShiftLeft, 3, 7), 128);
  EXPECT_EQ(Integer<uint8_t>(K::kShiftLeft, 3, 8), 0);
  EXPECT_EQ(Integer<uint64_t>(K::kShiftRight, uint64_t{1} << 63, 63), 1u);
  EXPECT_EQ(Integer<uint64_t>(K::kShiftRight, 1, 64), 0u);
  EXPECT_EQ(Integer<int64_t>(K::kPow, -3, 3), -27);
  EXPECT_EQ(Integer<int64_t>(K::kPow, 2, -1), 0);
  EXPECT_EQ(Integer<int64_t>(K::kPow, -1, -3), -1);
  EXPECT_EQ(Integer<int64_t>(K::kPRelu, -4, 5), -20);
  EXPECT_EQ(Integer<int8_t>(K::kMax, -4, 5), 5);
  EXPECT_EQ(Integer<int32_t>(K::kBitXor, 6, 3), 5);
  EXPECT_EQ(Integer<int32_t>(K::kBitAnd, -1, 3), 3);
  EXPECT_EQ(Integer<int32_t>(K::kBitOr, 4, 3), 7);
}

TEST(Binary, ComparisonsAndLogicGiveBool) {
  const auto run = [](ElementType type, K kind, const auto& a, const auto& b) {
    const BinaryProblem problem{.type = type,
                                .kind = kind,
                                .a_shape = {static_cast<int64_t>(a.size())},
                                .b_shape = {static_cast<int64_t>(b.size())}};
    return As<uint8_t>(RunEveryWay(*BinaryCandidates().back().make(problem),
                                   Buffers().In(a).In(b).template Out<bool>(a.size()))[0]);
  };
  using Bytes = std::vector<uint8_t>;
  const std::vector<int64_t> a = {1, 2, (int64_t{1} << 53) + 1}, b = {2, 2, int64_t{1} << 53};
  EXPECT_EQ(run(ElementType::kInt64, K::kEqual, a, b), (Bytes{0, 1, 0}));
  EXPECT_EQ(run(ElementType::kInt64, K::kLess, a, b), (Bytes{1, 0, 0}));
  EXPECT_EQ(run(ElementType::kInt64, K::kLessOrEqual, a, b), (Bytes{1, 1, 0}));
  EXPECT_EQ(run(ElementType::kInt64, K::kGreater, a, b), (Bytes{0, 0, 1}));
  EXPECT_EQ(run(ElementType::kInt64, K::kGreaterOrEqual, a, b), (Bytes{0, 1, 1}));
  const std::vector<float> x = {kNaN, 1}, y = {kNaN};
  EXPECT_EQ(run(ElementType::kFloat32, K::kEqual, x, y), (Bytes{0, 0}));
  const Bytes p = {0, 0, 1, 1}, q = {0, 1, 0, 1};
  EXPECT_EQ(run(ElementType::kBool, K::kAnd, p, q), (Bytes{0, 0, 0, 1}));
  EXPECT_EQ(run(ElementType::kBool, K::kOr, p, q), (Bytes{0, 1, 1, 1}));
  EXPECT_EQ(run(ElementType::kBool, K::kXor, p, q), (Bytes{0, 1, 1, 0}));
  EXPECT_EQ(run(ElementType::kBool, K::kEqual, p, q), (Bytes{1, 0, 0, 1}));
}

}  // namespace
}  // namespace pleat::kernels
