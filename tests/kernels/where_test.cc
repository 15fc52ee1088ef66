#include "kernels/where.h"

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

template <class T>
std::vector<T> Chosen(const WhereProblem& problem, const std::vector<uint8_t>& condition,
                      const std::vector<T>& a, const std::vector<T>& b, size_t count) {
  std::vector<T> y;
  ForEveryKernel(WhereCandidates(), problem, [&](const Kernel& kernel, const std::string&) {
    y = As<T>(RunEveryWay(kernel, Buffers().In(condition).In(a).In(b).template Out<T>(count))[0]);
  });
  return y;
}

TEST(Where, EveryElementSize) {
  const std::vector<uint8_t> condition = {1, 0, 1};
  const std::vector<int64_t> shape = {3};
  const auto check = [&]<class T>(T) {
    const WhereProblem problem{ElementTypeOf<T>(), shape, shape, shape};
    EXPECT_EQ(Chosen<T>(problem, condition, {1, 2, 3}, {4, 5, 6}, 3), (std::vector<T>{1, 5, 3}));
  };
  check(int8_t{});
  check(uint16_t{});
  check(float{});
  check(int64_t{});
  check(double{});
}

TEST(Where, Broadcasts) {
  EXPECT_EQ(Chosen<float>({ElementType::kFloat32, {2, 1}, {2}, {}}, {1, 0}, {1, 2}, {9}, 4),
            (std::vector<float>{1, 2, 9, 9}));
  EXPECT_EQ(Chosen<float>({ElementType::kFloat32, {}, {2}, {1, 2}}, {0}, {1, 2}, {3, 4}, 2),
            (std::vector<float>{3, 4}));
  EXPECT_EQ(Chosen<float>({ElementType::kFloat32, {0, 1}, {2}, {}}, {}, {1, 2}, {3}, 0),
            std::vector<float>{});
}

TEST(Where, OddSizesAndThreads) {
  tests::Random random(4);
  for (const int64_t rows : {1, 3, 90}) {
    for (const int64_t columns : {1, 7, 16, 1000}) {
      const auto count = static_cast<size_t>(rows * columns);
      std::vector<uint8_t> condition(count);
      for (uint8_t& bit : condition) bit = random.Chance(0.5);
      const auto a = random.Values<float>(count);
      const auto b = random.Values<float>(static_cast<size_t>(columns));
      const auto y =
          Chosen<float>({ElementType::kFloat32, {rows, columns}, {rows, columns}, {columns}},
                        condition, a, b, count);
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(y[i], condition[i] != 0 ? a[i] : b[i % static_cast<size_t>(columns)]);
      }
    }
  }
}

}  // namespace
}  // namespace pleat::kernels
