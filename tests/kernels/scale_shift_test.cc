#include "kernels/scale_shift.h"

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

struct Sizes {
  int64_t outer, channels, inner;
};
const std::vector<Sizes> kSizes = {{0, 3, 1},    {2, 0, 5},  {1, 1, 1},    {5, 3, 1},
                                   {1000, 3, 1}, {7, 17, 1}, {3, 300, 1},  {2, 5, 33},
                                   {1, 7, 1000}, {3, 2, 0},  {200, 96, 2}, {900, 65, 1}};

template <class X, class S>
void CheckAll(bool constant, double ulps) {
  tests::Random random(17);
  for (const Sizes& size : kSizes) {
    const auto count = static_cast<size_t>(size.outer * size.channels * size.inner);
    const auto x = random.Values<X>(count, -3, 3);
    const auto scale = random.Values<S>(static_cast<size_t>(size.channels), 0.1, 2);
    const auto shift = random.Values<double>(static_cast<size_t>(size.channels), -1, 1);
    std::vector<S> shift_s(shift.begin(), shift.end());
    for (const Activation& act :
         {Activation{}, Activation{UnaryKind::kClip, 0, 6}, Activation{UnaryKind::kSigmoid}}) {
      ScaleShiftProblem problem{.type = ElementTypeOf<X>(),
                                .scale_type = ElementTypeOf<S>(),
                                .shift_type = ElementTypeOf<S>(),
                                .outer = size.outer,
                                .channels = size.channels,
                                .inner = size.inner,
                                .activation = act};
      if (constant) problem.scale = scale.data(), problem.shift = shift_s.data();
      Buffers buffers = Buffers().In(x);
      if (!constant) buffers.In(scale).In(shift_s);
      // An empty vector has no address: that is no constant.
      if (constant && size.channels == 0) continue;
      buffers.Out<X>(count);
      ForEveryKernel(
          ScaleShiftCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
            const auto results = RunEveryWay(kernel, buffers);
            EXPECT_EQ(RunEveryWay(kernel, buffers, true), results);
            const auto y = As<X>(results[0]);
            for (size_t i = 0; i < count; ++i) {
              const auto c = static_cast<int64_t>(i) / size.inner % size.channels;
              const double factor = scale[static_cast<size_t>(c)];
              const double offset = shift_s[static_cast<size_t>(c)];
              const double definition =
                  ApplyUnary(act.kind, act.a, act.b, static_cast<double>(x[i]) * factor + offset);
              // Of the largest term, for the sum may cancel.
              const double bound = ulps * (std::abs(x[i] * factor) + std::abs(offset) + 1);
              EXPECT_NEAR(y[i], definition, bound);
            }
          });
    }
  }
}

TEST(ScaleShift, Float32) {
  CheckAll<float, float>(true, 0x1p-22);
  CheckAll<float, float>(false, 0x1p-22);
}
TEST(ScaleShift, Float64ConstantsOnFloat32) {
  CheckAll<float, double>(true, 0x1p-22);
  CheckAll<float, double>(false, 0x1p-22);
}
TEST(ScaleShift, Float64) {
  CheckAll<double, double>(true, 0x1p-51);
  CheckAll<double, float>(false, 0x1p-51);
}

TEST(ScaleShift, NaNSurvivesAClip) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {nan, 1, nan}, one = {1, 1, 1};
  const ScaleShiftProblem problem{.channels = 3,
                                  .scale = one.data(),
                                  .shift = one.data(),
                                  .activation = {UnaryKind::kClip, 0, 6}};
  ForEveryKernel(ScaleShiftCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    const auto y = As<float>(RunEveryWay(kernel, Buffers().In(x).Out<float>(3))[0]);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[2]));
    EXPECT_EQ(y[1], 2);
  });
}

}  // namespace
}  // namespace pleat::kernels
