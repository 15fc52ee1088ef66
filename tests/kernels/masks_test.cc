// Trilu, OneHot, NonZero, and the tensors made from nothing.
#include "kernels/masks.h"

#include <gtest/gtest.h>

#include "kernels/generate.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Guarded;
using tests::Random;

// Runs a problem between guarded buffers for several pools; the results must be one and the same.
template <class Out, class P>
std::vector<Out> RunEverywhere(const Candidate<P>& candidate, const P& problem,
                               const std::vector<std::vector<uint8_t>>& inputs, size_t out_count) {
  EXPECT_EQ(candidate.refuse(problem), "");
  const std::unique_ptr<Kernel> kernel = candidate.make(problem);
  std::vector<Out> first;
  static ThreadPool one(1), two(2), three(3);
  for (ThreadPool* pool : {&one, &two, &three}) {
    for (Flush flush : {Flush::kBegin, Flush::kEnd}) {
      std::vector<std::unique_ptr<Guarded<uint8_t>>> in;
      std::vector<const void*> sources;
      for (const auto& bytes : inputs) {
        in.push_back(std::make_unique<Guarded<uint8_t>>(bytes, flush));
        sources.push_back(in.back()->data());
      }
      Guarded<Out> out(out_count, flush);
      void* targets[] = {out.data()};
      kernel->Run({sources.data(), targets, nullptr, pool});
      const std::vector<Out> result(out.data(), out.data() + out_count);
      if (first.empty()) first = result;
      EXPECT_EQ(result, first);
    }
  }
  return first;
}

template <class T>
std::vector<uint8_t> Bytes(const std::vector<T>& values) {
  const auto* data = reinterpret_cast<const uint8_t*>(values.data());
  return {data, data + values.size() * sizeof(T)};
}

template <class T>
void TestTrilu(int64_t batch, int64_t rows, int64_t columns) {
  Random random(2);
  const auto x = random.Values<T>(static_cast<size_t>(batch * rows * columns), 1, 100);
  for (int64_t k : {int64_t{0}, int64_t{2}, int64_t{-1}, rows, -columns, INT64_MAX, INT64_MIN}) {
    for (bool upper : {true, false}) {
      std::vector<T> expected = x;
      for (size_t i = 0; i < x.size(); ++i) {
        const int64_t c = static_cast<int64_t>(i) % columns;
        const int64_t r = static_cast<int64_t>(i) / columns % rows;
        if (upper ? c - r < k : c - r > k) expected[i] = 0;
      }
      const TriluProblem problem{.element_size = sizeof(T),
                                 .upper = upper,
                                 .batch = batch,
                                 .rows = rows,
                                 .columns = columns,
                                 .has_k = true};
      EXPECT_EQ(RunEverywhere<T>(TriluCandidates()[0], problem,
                                 {Bytes(x), Bytes(std::vector<int64_t>{k})}, x.size()),
                expected);
    }
  }
}

TEST(TriluKernel, KeepsOneTriangle) {
  TestTrilu<uint8_t>(1, 3, 5);
  TestTrilu<int16_t>(2, 5, 3);
  TestTrilu<float>(3, 101, 211);
  TestTrilu<double>(2, 1, 1);
  TestTrilu<float>(2, 0, 4);
}

TEST(OneHotKernel, MarksThePlaceOfEachIndex) {
  Random random(4);
  const int64_t outer = 17, depth = 31, inner = 23;
  std::vector<int64_t> indices(static_cast<size_t>(outer * inner));
  for (int64_t& index : indices) index = random.Between(-2 * depth, 2 * depth);
  std::vector<float> expected;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t d = 0; d < depth; ++d) {
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t index = indices[static_cast<size_t>(o * inner + i)];
        expected.push_back(index == d || index == d - depth ? 5.0f : -1.0f);
      }
    }
  }
  const OneHotProblem problem{.outer = outer, .depth = depth, .inner = inner};
  EXPECT_EQ(
      RunEverywhere<float>(OneHotCandidates()[0], problem,
                           {Bytes(indices), Bytes(std::vector<float>{-1, 5})}, expected.size()),
      expected);
}

TEST(NonZeroKernel, ListsCoordinatesInOrder) {
  Random random(5);
  const std::vector<int64_t> shape = {3, 1, 5, 7};
  std::vector<double> x(105);
  std::vector<std::vector<int64_t>> coordinates(4);
  for (int64_t i = 0; i < 105; ++i) {
    if (random.Chance(0.6)) continue;
    x[static_cast<size_t>(i)] = -3;
    coordinates[0].push_back(i / 35);
    coordinates[1].push_back(0);
    coordinates[2].push_back(i / 7 % 5);
    coordinates[3].push_back(i % 7);
  }
  const int64_t count = CountNonZero(ElementType::kFloat64, x.data(), 105);
  ASSERT_EQ(count, static_cast<int64_t>(coordinates[0].size()));
  std::vector<int64_t> expected;
  for (const auto& row : coordinates) expected.insert(expected.end(), row.begin(), row.end());
  const NonZeroProblem problem{.type = ElementType::kFloat64, .shape = shape, .count = count};
  EXPECT_EQ(RunEverywhere<int64_t>(NonZeroCandidates()[0], problem, {Bytes(x)}, expected.size()),
            expected);
}

TEST(RepeatKernel, WritesItsBytesOverAndOver) {
  const auto run = [](std::vector<uint8_t> bytes, int64_t repeats) {
    const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
    return RunEverywhere<uint8_t>(
        RepeatCandidates()[0],
        RepeatProblem{.bytes = {data, data + bytes.size()}, .repeats = repeats}, {},
        bytes.size() * static_cast<size_t>(repeats));
  };
  EXPECT_EQ(run({1, 2, 3}, 2), (std::vector<uint8_t>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(run({9, 9}, 50000), std::vector<uint8_t>(100000, 9));
  EXPECT_TRUE(run({}, 3).empty());
  EXPECT_TRUE(run({1}, 0).empty());
}

TEST(SequenceKernel, CountsInItsType) {
  const SequenceProblem floats{
      .type = ElementType::kFloat32, .count = 3, .float_start = 0.5, .float_delta = -0.25};
  EXPECT_EQ(RunEverywhere<float>(SequenceCandidates()[0], floats, {}, 3),
            (std::vector<float>{0.5f, 0.25f, 0}));
  const SequenceProblem shorts{.type = ElementType::kInt16, .count = 3, .start = 32765, .delta = 1};
  EXPECT_EQ(RunEverywhere<int16_t>(SequenceCandidates()[0], shorts, {}, 3),
            (std::vector<int16_t>{32765, 32766, 32767}));
  const SequenceProblem longs{.count = 3, .start = INT64_MIN, .delta = INT64_MAX};
  EXPECT_EQ(RunEverywhere<int64_t>(SequenceCandidates()[0], longs, {}, 3),
            (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX - 1}));
}

}  // namespace
}  // namespace pleat::kernels
