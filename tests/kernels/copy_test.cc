#include "kernels/copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <tuple>

#include "kernels/instruction_set.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Guarded;
using tests::Random;

ThreadPool& Pool(int threads) {
  static ThreadPool one(1), two(2), three(3);
  return threads == 1 ? one : threads == 2 ? two : three;
}

// A problem with the bytes its operands hold.
struct Case {
  CopyProblem problem;
  std::vector<int64_t> in_counts, out_counts;
};

std::vector<std::vector<uint8_t>> Inputs(const Case& c) {
  Random random(7);
  std::vector<std::vector<uint8_t>> inputs;
  for (int64_t count : c.in_counts) {
    std::vector<uint8_t> bytes(static_cast<size_t>(count) * c.problem.element_size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
    inputs.push_back(std::move(bytes));
  }
  return inputs;
}

// What the header's formula says, index by index; bytes nobody writes are 0xEE.
std::vector<std::vector<uint8_t>> Expected(const Case& c,
                                           const std::vector<std::vector<uint8_t>>& inputs) {
  const size_t bytes = c.problem.element_size;
  std::vector<std::vector<uint8_t>> outputs;
  for (int64_t count : c.out_counts) outputs.emplace_back(static_cast<size_t>(count) * bytes, 0xEE);
  for (const CopyPiece& piece : c.problem.pieces) {
    int64_t total = 1;
    for (const CopyDim& dim : piece.dims) total *= dim.size;
    for (int64_t i = 0; i < total; ++i) {
      int64_t from = piece.in_offset, to = piece.out_offset, rest = i;
      for (size_t d = piece.dims.size(); d-- > 0;) {
        from += rest % piece.dims[d].size * piece.dims[d].in_stride;
        to += rest % piece.dims[d].size * piece.dims[d].out_stride;
        rest /= piece.dims[d].size;
      }
      uint8_t* target = outputs[static_cast<size_t>(piece.output)].data() + to * bytes;
      if (piece.input == kZeros) {
        std::memset(target, 0, bytes);
      } else {
        std::memcpy(target, inputs[static_cast<size_t>(piece.input)].data() + from * bytes, bytes);
      }
    }
  }
  return outputs;
}

void ExpectCopies(const Case& c, int threads, Flush flush) {
  const auto inputs = Inputs(c);
  const auto expected = Expected(c, inputs);
  for (const Candidate<CopyProblem>& candidate : CopyCandidates()) {
    ASSERT_EQ(candidate.refuse(c.problem), "") << candidate.name;
    const std::unique_ptr<Kernel> kernel = candidate.make(c.problem);
    std::vector<std::unique_ptr<Guarded<uint8_t>>> in, out;
    std::vector<const void*> sources;
    std::vector<void*> targets;
    for (const auto& bytes : inputs) {
      in.push_back(std::make_unique<Guarded<uint8_t>>(bytes, flush));
      sources.push_back(in.back()->data());
    }
    for (const auto& bytes : expected) {
      out.push_back(
          std::make_unique<Guarded<uint8_t>>(std::vector<uint8_t>(bytes.size(), 0xEE), flush));
      targets.push_back(out.back()->data());
    }
    kernel->Run({sources.data(), targets.data(), nullptr, &Pool(threads)});
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(std::memcmp(expected[i].data(), targets[i], expected[i].size()), 0)
          << candidate.name << " output " << i;
    }
  }
}

void ExpectCopiesEverywhere(const Case& c) {
  for (int threads : {1, 2, 3}) {
    ExpectCopies(c, threads, threads == 2 ? Flush::kBegin : Flush::kEnd);
  }
}

// A dense output of random sizes; the input's axes lie in another order, some of them reversed,
// stepped over or repeated.
Case RandomCase(Random& random, size_t element_size, int rank, int64_t largest) {
  std::vector<CopyDim> dims;
  for (int d = 0; d < rank; ++d) dims.push_back({random.Between(1, largest), 0, 0});
  int64_t out_count = 1;
  for (size_t d = dims.size(); d-- > 0;) {
    dims[d].out_stride = out_count;
    out_count *= dims[d].size;
  }
  std::vector<size_t> order;
  for (size_t d = 0; d < dims.size(); ++d) {
    order.insert(order.begin() + random.Between(0, static_cast<int64_t>(d)), d);
  }
  CopyPiece piece;
  int64_t in_count = 1;
  for (size_t d : order) {
    CopyDim& dim = dims[d];
    if (random.Chance(0.2)) continue;
    const int64_t step = random.Chance(0.2) ? 2 : 1;
    dim.in_stride = in_count * step;
    in_count *= (dim.size - 1) * step + 1;
    if (random.Chance(0.2)) {
      piece.in_offset += (dim.size - 1) * dim.in_stride;
      dim.in_stride = -dim.in_stride;
    }
  }
  piece.dims = dims;
  if (random.Chance(0.1)) piece.input = kZeros;
  return {{element_size, {piece}}, {in_count}, {out_count}};
}

TEST(Copy, MovesRandomBoxes) {
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    const size_t element_size = size_t{1} << random.Below(4);
    const int rank = static_cast<int>(random.Below(6));
    const Case c = RandomCase(random, element_size, rank, rank > 3 ? 5 : 21);
    SCOPED_TRACE(i);
    ExpectCopies(c, static_cast<int>(random.Between(1, 3)),
                 random.Chance(0.5) ? Flush::kBegin : Flush::kEnd);
  }
}

TEST(Copy, TurnsMatricesWithEveryInstructionSet) {
  for (const std::string& name : InstructionSets()) {
    UseInstructionSet(name);
    SCOPED_TRACE(name);
    for (size_t element_size : {1u, 2u, 4u, 8u}) {
      for (auto [batch, rows, columns] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 7},
                                          {1, 3, 1000},
                                          {2, 67, 301},
                                          {1, 517, 18},
                                          {3, 4, 4},
                                          {5, 2, 29},
                                          {2, 70, 3},
                                          {1, 40001, 2},
                                          {1, 4, 10007},
                                          {1, 512, 49},
                                          {1, 300, 333}}) {
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(columns));
        const int64_t count = batch * rows * columns;
        const CopyPiece turned{.dims = {{batch, rows * columns, rows * columns},
                                        {columns, 1, rows},
                                        {rows, columns, 1}}};
        ExpectCopiesEverywhere({{element_size, {turned}}, {count}, {count}});
        const CopyPiece spread{.in_offset = 1,
                               .out_offset = 2,
                               .dims = {{columns, 1, rows + 3}, {rows, columns + 1, 1}}};
        ExpectCopiesEverywhere(
            {{element_size, {spread}}, {rows * (columns + 1) + 1}, {columns * (rows + 3) + 2}});
      }
    }
  }
  UseInstructionSet(InstructionSets()[0]);
}

TEST(Copy, CutsLongRunsAndKeepsWhatNoPieceCovers) {
  const int64_t count = 100003;
  const CopyPiece run{.in_offset = 3, .out_offset = 1, .dims = {{count, 1, 1}}};
  const CopyPiece zeros{.input = kZeros, .out_offset = count + 2, .dims = {{count, 0, 1}}};
  const CopyPiece repeated{.input = 1, .out_offset = 2 * count + 2, .dims = {{count, 0, 1}}};
  const CopyPiece spread{
      .output = 1, .in_offset = count + 2, .out_offset = 1, .dims = {{count / 2, -2, 3}}};
  for (size_t element_size : {1u, 4u, 8u}) {
    ExpectCopiesEverywhere({{element_size, {run, zeros, repeated, spread}},
                            {count + 3, 1},
                            {3 * count + 4, count * 2}});
  }
}

TEST(Copy, LaysRowsOfSeveralInputsSideBySide) {
  const int64_t rows = 211, widths[] = {1, 2, 5, 16, 0, 33};
  Case c{.problem = {.element_size = 4}, .out_counts = {rows * 57}};
  int64_t begin = 0;
  for (int64_t width : widths) {
    c.problem.pieces.push_back({.input = static_cast<int>(c.in_counts.size()),
                                .out_offset = begin,
                                .dims = {{rows, width, 57}, {width, 1, 1}}});
    c.in_counts.push_back(rows * width);
    begin += width;
  }
  ExpectCopiesEverywhere(c);
}

TEST(Copy, WritesNothingForEmptyPieces) {
  ExpectCopiesEverywhere({{4, {}}, {1}, {5}});
  ExpectCopiesEverywhere({{4, {{.dims = {{3, 0, 1}, {0, 1, 1}}}}}, {0}, {5}});
}

TEST(MergeDims, JoinsWhatWalksMemoryAsOne) {
  const std::vector<CopyDim> dims = {{2, 12, 12}, {1, 99, 7}, {3, 4, 4}, {4, 1, 1}};
  EXPECT_EQ(MergeDims(dims), (std::vector<CopyDim>{{24, 1, 1}}));
  const std::vector<CopyDim> turned = {{2, 12, 12}, {3, 1, 4}, {4, 3, 1}};
  EXPECT_EQ(MergeDims(turned), turned);
  EXPECT_TRUE(MergeDims(std::vector<CopyDim>{{1, 5, 5}}).empty());
}

}  // namespace
}  // namespace pleat::kernels
