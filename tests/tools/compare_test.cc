#include "tools/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Tensor;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(CompareTest, TheBoundIsRelativeToTheLargestAnswer) {
  const Tensor expected = Tensor::Vector<double>({100, 0.5, -200});
  const Difference near = Compare(Tensor::Vector<float>({100, 0.51f, -200}), expected, {});
  EXPECT_TRUE(near.pass);
  EXPECT_NEAR(near.max_error, 0.01, 1e-6);
  EXPECT_NEAR(near.scaled_error, 5e-5, 1e-8);
  const Difference far = Compare(Tensor::Vector<float>({100, 0.53f, -200}), expected, {});
  EXPECT_FALSE(far.pass);
  EXPECT_EQ(far.worst, 1);
  EXPECT_EQ(far.wrong, 1);
  EXPECT_NEAR(far.worst_got, 0.53, 1e-6);
}

TEST(CompareTest, ElementwiseTolerancesReportWhatWouldPass) {
  const Tensor expected = Tensor::Vector<float>({1, 10});
  const Tensor got = Tensor::Vector<float>({1.25f, 10.5f});
  const Difference difference = Compare(got, expected, {.atol = 0.1, .rtol = 0.01});
  EXPECT_FALSE(difference.pass);
  EXPECT_EQ(difference.wrong, 2);
  EXPECT_NEAR(difference.smallest_atol, 0.4, 1e-9);
  EXPECT_NEAR(difference.smallest_rtol, 0.15, 1e-9);
  EXPECT_TRUE(Compare(got, expected, {.atol = difference.smallest_atol, .rtol = 0.01}).pass);
  EXPECT_TRUE(Compare(got, expected, {.atol = 0.1, .rtol = difference.smallest_rtol}).pass);
}

TEST(CompareTest, NotANumberEqualsOnlyItself) {
  const Tensor expected = Tensor::Vector<float>({kNaN, kInf, -kInf, 1});
  EXPECT_TRUE(Compare(expected, expected, {}).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({0, kInf, -kInf, 1}), expected, {}).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({kNaN, kInf, kInf, 1}), expected, {}).pass);
  const Difference wrong = Compare(Tensor::Vector<float>({kNaN, kInf, -kInf, kNaN}), expected, {});
  EXPECT_FALSE(wrong.pass);
  EXPECT_TRUE(std::isinf(wrong.max_error));
}

TEST(CompareTest, ZerosAreHeldAgainstOne) {
  const Tensor zeros = Tensor::Vector<float>({0, 0});
  EXPECT_TRUE(Compare(Tensor::Vector<float>({0, 9e-5f}), zeros, {}).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({0, 2e-4f}), zeros, {}).pass);
}

TEST(CompareTest, TheFloorIsAddedToTheBound) {
  const Tensor expected = Tensor::Vector<float>({1e-5f});
  const Tensor got = Tensor::Vector<float>({1.01e-5f});
  EXPECT_FALSE(Compare(got, expected, {}).pass);
  EXPECT_TRUE(Compare(got, expected, {.floor = 1.1e-7}).pass);
  EXPECT_FALSE(Compare(got, expected, {.floor = 9e-8}).pass);
}

TEST(CompareTest, IntegersMustBeEqual) {
  const Tensor expected = Tensor::Vector<int64_t>({1'000'000'000'000, 2});
  EXPECT_TRUE(Compare(expected, expected, {}).pass);
  const Difference off = Compare(Tensor::Vector<int64_t>({1'000'000'000'001, 2}), expected, {});
  EXPECT_FALSE(off.pass);
  EXPECT_TRUE(off.exact);
  EXPECT_EQ(off.wrong, 1);
}

TEST(CompareTest, ShapesAndTypesMustBeAlike) {
  const Tensor expected = Tensor::Vector<float>({1, 2});
  EXPECT_FALSE(Compare(expected.Reshaped({1, 2}), expected, {}).pass);
  const Difference other = Compare(Tensor::Vector<int64_t>({1, 2}), expected, {});
  EXPECT_FALSE(other.pass);
  EXPECT_EQ(other.mismatch, "is int64[2], expected float32[2]");
}

TEST(CompareTest, HalfFloatsAreGrantedTheirRounding) {
  const Tensor expected = Tensor::Vector<double>({1.0004});
  EXPECT_TRUE(Compare(Cast(expected, ElementType::kFloat16), expected, {}).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({1}), expected, {}).pass);
}

}  // namespace
}  // namespace pleat::tools
