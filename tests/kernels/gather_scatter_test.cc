#include <gtest/gtest.h>

#include <numeric>

#include "kernels/gather.h"
#include "kernels/scatter.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Guarded;
using tests::Random;

using Sizes = std::vector<int64_t>;

ThreadPool& Pool(int threads) {
  static ThreadPool one(1), two(2), three(3);
  return threads == 1 ? one : threads == 2 ? two : three;
}

int64_t Count(const Sizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

Sizes PositionOf(int64_t i, const Sizes& sizes) {
  Sizes position(sizes.size());
  for (size_t d = sizes.size(); d-- > 0;) {
    position[d] = i % sizes[d];
    i /= sizes[d];
  }
  return position;
}

int64_t OffsetOf(const Sizes& position, const Sizes& sizes) {
  int64_t offset = 0;
  for (size_t d = 0; d < sizes.size(); ++d) offset = offset * sizes[d] + position[d];
  return offset;
}

int64_t InRange(int64_t index, int64_t size) {
  if (index < 0) index += size;
  return std::max<int64_t>(0, std::min(index, size - 1));
}

// Indices in [-size, size), and some far outside.
std::vector<int64_t> RandomIndices(Random& random, size_t count, int64_t size) {
  std::vector<int64_t> indices(count);
  for (int64_t& index : indices) {
    index = random.Between(-size, size - 1);
    if (random.Chance(0.1)) index = random.Chance(0.5) ? INT64_MAX : INT64_MIN;
  }
  return indices;
}

template <class T>
std::vector<T> Counted(int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

template <class T, class P>
std::vector<T> RunKernel(const Candidate<P>& candidate, const P& problem, const std::vector<T>& x,
                         const std::vector<int64_t>& indices, const std::vector<T>& updates,
                         int64_t out_count, int threads, Flush flush) {
  EXPECT_EQ(candidate.refuse(problem), "");
  const Guarded<T> in(x, flush), more(updates, flush);
  const Guarded<int64_t> index(indices, flush);
  Guarded<T> out(static_cast<size_t>(out_count), flush);
  const void* sources[] = {in.data(), index.data(), more.data()};
  void* targets[] = {out.data()};
  candidate.make(problem)->Run({sources, targets, nullptr, &Pool(threads)});
  return {out.data(), out.data() + out.size()};
}

// Calls f(threads, flush) for all that a kernel must not depend on.
template <class F>
void ForSettings(F&& f) {
  for (int threads : {1, 2, 3}) {
    for (Flush flush : {Flush::kBegin, Flush::kEnd}) f(threads, flush);
  }
}

template <class T>
void TestGather(int64_t outer, int64_t axis, int64_t inner, int64_t index_count) {
  Random random(3);
  const auto x = Counted<T>(outer * axis * inner);
  const auto indices = RandomIndices(random, static_cast<size_t>(index_count), axis);
  std::vector<T> expected;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : indices) {
      for (int64_t i = 0; i < inner; ++i) {
        expected.push_back(x[static_cast<size_t>((o * axis + InRange(index, axis)) * inner + i)]);
      }
    }
  }
  const GatherProblem problem{.element_size = sizeof(T),
                              .outer = outer,
                              .axis_size = axis,
                              .inner = inner,
                              .index_count = index_count};
  ForSettings([&](int threads, Flush flush) {
    EXPECT_EQ(RunKernel<T>(GatherCandidates()[0], problem, x, indices, {},
                           outer * index_count * inner, threads, flush),
              expected);
  });
}

TEST(Gather, PicksRowsAndStaysInRange) {
  TestGather<uint8_t>(2, 5, 3, 7);
  TestGather<uint16_t>(1, 1, 1, 4);
  TestGather<float>(3, 7, 1, 11);
  TestGather<float>(64, 100, 37, 21);
  TestGather<int64_t>(1, 9, 4000, 5);
  TestGather<int64_t>(3, 2, 0, 5);
  TestGather<int64_t>(3, 2, 4, 0);
}

TEST(Gather, ReadsIndicesOf32Bits) {
  const std::vector<float> x = {10, 20, 30};
  const std::vector<int32_t> indices = {-1, 0, 99, -99};
  const GatherProblem problem{.index_type = ElementType::kInt32, .axis_size = 3, .index_count = 4};
  std::vector<float> y(4);
  const void* sources[] = {x.data(), indices.data()};
  void* targets[] = {y.data()};
  GatherCandidates()[0].make(problem)->Run({sources, targets, nullptr, &Pool(2)});
  EXPECT_EQ(y, (std::vector<float>{30, 10, 30, 10}));
}

TEST(GatherElements, PicksAlongEachAxis) {
  Random random(5);
  for (const auto& [shape, index_shape, axis] : {std::tuple<Sizes, Sizes, int>{{6}, {9}, 0},
                                                 {{3, 4}, {2, 9}, 1},
                                                 {{3, 4}, {7, 3}, 0},
                                                 {{5, 3, 4}, {4, 6, 4}, 1},
                                                 {{2, 3, 4, 5}, {2, 2, 4, 11}, 3},
                                                 {{2, 3, 2, 3, 4}, {2, 2, 2, 3, 3}, 2},
                                                 {{40, 50, 60}, {40, 70, 60}, 1},
                                                 {{2, 3}, {2, 0}, 1}}) {
    const auto x = Counted<float>(Count(shape));
    const auto indices = RandomIndices(random, static_cast<size_t>(Count(index_shape)),
                                       shape[static_cast<size_t>(axis)]);
    std::vector<float> expected;
    for (size_t i = 0; i < indices.size(); ++i) {
      Sizes position = PositionOf(static_cast<int64_t>(i), index_shape);
      position[static_cast<size_t>(axis)] = InRange(indices[i], shape[static_cast<size_t>(axis)]);
      expected.push_back(x[static_cast<size_t>(OffsetOf(position, shape))]);
    }
    const GatherElementsProblem problem{.axis = axis, .shape = shape, .index_shape = index_shape};
    ForSettings([&](int threads, Flush flush) {
      EXPECT_EQ(RunKernel<float>(GatherElementsCandidates()[0], problem, x, indices, {},
                                 std::ssize(indices), threads, flush),
                expected);
    });
  }
}

TEST(GatherND, PicksSlicesByCoordinates) {
  Random random(6);
  for (const auto& [batch, sizes, slice, tuples] :
       {std::tuple<int64_t, Sizes, int64_t, int64_t>{1, {4, 5}, 3, 7},
        {3, {2, 2, 2}, 1, 5},
        {2, {}, 6, 2},
        {1, {9}, 5000, 8},
        {0, {3}, 2, 4},
        {2, {3}, 2, 0}}) {
    const auto x = Counted<double>(batch * Count(sizes) * slice);
    std::vector<int64_t> indices;
    std::vector<double> expected;
    for (int64_t t = 0; t < batch * tuples; ++t) {
      Sizes position;
      for (int64_t size : sizes) {
        indices.push_back(RandomIndices(random, 1, size)[0]);
        position.push_back(InRange(indices.back(), size));
      }
      const int64_t from = (t / tuples * Count(sizes) + OffsetOf(position, sizes)) * slice;
      for (int64_t i = 0; i < slice; ++i) expected.push_back(x[static_cast<size_t>(from + i)]);
    }
    const GatherNDProblem problem{
        .element_size = 8, .batch = batch, .tuples = tuples, .sizes = sizes, .slice = slice};
    ForSettings([&](int threads, Flush flush) {
      EXPECT_EQ(RunKernel<double>(GatherNDCandidates()[0], problem, x, indices, {},
                                  std::ssize(expected), threads, flush),
                expected);
    });
  }
}

template <class T>
T Reduced(ScatterKind kind, T a, T b) {
  switch (kind) {
    case ScatterKind::kAdd:
      return static_cast<T>(a + b);
    case ScatterKind::kMul:
      return static_cast<T>(a * b);
    case ScatterKind::kMax:
      return std::max(a, b);
    case ScatterKind::kMin:
      return std::min(a, b);
    default:
      return b;
  }
}

constexpr ScatterKind kKinds[] = {ScatterKind::kReplace, ScatterKind::kAdd, ScatterKind::kMul,
                                  ScatterKind::kMax, ScatterKind::kMin};

template <class T>
void TestScatterElements(const Sizes& shape, const Sizes& index_shape, int axis) {
  Random random(8);
  const int64_t size = shape[static_cast<size_t>(axis)];
  const auto x = random.Values<T>(static_cast<size_t>(Count(shape)), 0, 9);
  const auto updates = random.Values<T>(static_cast<size_t>(Count(index_shape)), 0, 3);
  const auto indices = RandomIndices(random, updates.size(), size);
  for (ScatterKind kind : kKinds) {
    std::vector<T> expected = x;
    for (size_t i = 0; i < indices.size(); ++i) {
      Sizes position = PositionOf(static_cast<int64_t>(i), index_shape);
      position[static_cast<size_t>(axis)] = InRange(indices[i], size);
      T& target = expected[static_cast<size_t>(OffsetOf(position, shape))];
      target = Reduced(kind, target, updates[i]);
    }
    const ScatterElementsProblem problem{.type = ElementTypeOf<T>(),
                                         .kind = kind,
                                         .axis = axis,
                                         .shape = shape,
                                         .index_shape = index_shape};
    ForSettings([&](int threads, Flush flush) {
      EXPECT_EQ(RunKernel<T>(ScatterElementsCandidates()[0], problem, x, indices, updates,
                             Count(shape), threads, flush),
                expected);
    });
  }
}

TEST(ScatterElements, AppliesUpdatesInOrder) {
  TestScatterElements<float>({6}, {9}, 0);
  TestScatterElements<double>({3, 4}, {2, 9}, 1);
  TestScatterElements<int64_t>({3, 4}, {7, 3}, 0);
  TestScatterElements<uint8_t>({5, 3, 4}, {4, 6, 4}, 1);
  TestScatterElements<int32_t>({2, 3, 2, 3, 4}, {2, 2, 2, 3, 3}, 2);
  TestScatterElements<float>({30, 5, 40}, {30, 50, 40}, 1);
  TestScatterElements<int16_t>({2, 3}, {2, 0}, 1);
}

template <class T>
void TestScatterND(const Sizes& sizes, int64_t slice, int64_t tuples) {
  Random random(9);
  const auto x = random.Values<T>(static_cast<size_t>(Count(sizes) * slice), 0, 9);
  const auto updates = random.Values<T>(static_cast<size_t>(tuples * slice), 0, 3);
  std::vector<int64_t> indices;
  for (int64_t t = 0; t < tuples; ++t) {
    for (int64_t size : sizes) indices.push_back(RandomIndices(random, 1, size)[0]);
  }
  for (ScatterKind kind : kKinds) {
    std::vector<T> expected = x;
    for (int64_t t = 0; t < tuples; ++t) {
      Sizes position;
      for (size_t d = 0; d < sizes.size(); ++d) {
        position.push_back(InRange(indices[static_cast<size_t>(t) * sizes.size() + d], sizes[d]));
      }
      for (int64_t i = 0; i < slice; ++i) {
        T& target = expected[static_cast<size_t>(OffsetOf(position, sizes) * slice + i)];
        target = Reduced(kind, target, updates[static_cast<size_t>(t * slice + i)]);
      }
    }
    const ScatterNDProblem problem{
        .type = ElementTypeOf<T>(), .kind = kind, .tuples = tuples, .sizes = sizes, .slice = slice};
    ForSettings([&](int threads, Flush flush) {
      EXPECT_EQ(RunKernel<T>(ScatterNDCandidates()[0], problem, x, indices, updates,
                             Count(sizes) * slice, threads, flush),
                expected);
    });
  }
}

TEST(ScatterND, AppliesUpdatesInOrder) {
  TestScatterND<float>({4, 5}, 3, 30);
  TestScatterND<int64_t>({2, 2, 2}, 1, 40);
  TestScatterND<int8_t>({7}, 3000, 20);
  TestScatterND<float>({}, 6, 2);
  TestScatterND<double>({3}, 2, 0);
}

TEST(Scatter, WritesOverItsOperand) {
  std::vector<float> x = {1, 2, 3};
  const std::vector<int64_t> indices = {2, 2};
  const std::vector<float> updates = {10, 20};
  const ScatterElementsProblem problem{.kind = ScatterKind::kAdd, .shape = {3}, .index_shape = {2}};
  const void* sources[] = {x.data(), indices.data(), updates.data()};
  void* targets[] = {x.data()};
  ScatterElementsCandidates()[0].make(problem)->Run({sources, targets, nullptr, &Pool(2)});
  EXPECT_EQ(x, (std::vector<float>{1, 2, 33}));
}

TEST(Scatter, WrapsIntegersAndOrsBooleans) {
  const std::vector<uint8_t> x = {0, 1}, updates = {1, 1};
  const std::vector<int64_t> indices = {0, 1};
  ScatterElementsProblem problem{
      .type = ElementType::kBool, .kind = ScatterKind::kAdd, .shape = {2}, .index_shape = {2}};
  EXPECT_EQ(RunKernel<uint8_t>(ScatterElementsCandidates()[0], problem, x, indices, updates, 2, 1,
                               Flush::kEnd),
            (std::vector<uint8_t>{1, 1}));
  problem.type = ElementType::kInt64;
  problem.kind = ScatterKind::kMul;
  EXPECT_EQ(RunKernel<int64_t>(ScatterElementsCandidates()[0], problem, {INT64_MAX, 5}, indices,
                               {2, -3}, 2, 1, Flush::kEnd),
            (std::vector<int64_t>{-2, -15}));
}

}  // namespace
}  // namespace pleat::kernels
