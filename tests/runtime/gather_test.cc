// Gather, GatherElements, GatherND, ScatterElements, ScatterND.
#include <gtest/gtest.h>

#include "tests/runtime/movement_support.h"

namespace pleat::tests {
namespace {

namespace fb = runtime::fb;

fb::GatherT Gather(int64_t axis) {
  fb::GatherT fields;
  fields.axis = axis;
  return fields;
}

fb::GatherElementsT GatherElements(int64_t axis) {
  fb::GatherElementsT fields;
  fields.axis = axis;
  return fields;
}

fb::GatherNDT GatherND(int64_t batch_dims = 0) {
  fb::GatherNDT fields;
  fields.batch_dims = batch_dims;
  return fields;
}

fb::ScatterElementsT ScatterElements(int64_t axis,
                                     fb::ScatterReduction reduction = fb::ScatterReduction::None) {
  fb::ScatterElementsT fields;
  fields.axis = axis;
  fields.reduction = reduction;
  return fields;
}

fb::ScatterNDT ScatterND(fb::ScatterReduction reduction = fb::ScatterReduction::None) {
  fb::ScatterNDT fields;
  fields.reduction = reduction;
  return fields;
}

Tensor Grid(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::Of<int64_t>(std::move(shape), values);
}

Tensor Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::Of<float>(std::move(shape), values);
}

TEST(Gather, TakesPartsAlongTheAxis) {
  const Tensor x = Counting({2, 3});
  EXPECT_EQ(Text(Evaluate(Gather(1), {x, Longs({2, -3})})), "float32[2,2] 2 0 5 3");
  EXPECT_EQ(Text(Evaluate(Gather(0), {x, Long(1)})), "float32[3] 3 4 5");
  EXPECT_EQ(Text(Evaluate(Gather(-2), {x, Grid({1, 2}, {1, 0})})), "float32[1,2,3] 3 4 5 0 1 2");
  EXPECT_EQ(Text(Evaluate(Gather(0), {Longs({7, 8, 9}), Long(-1)})), "int64[] 9");
  EXPECT_EQ(Text(Evaluate(Gather(0), {x, Tensor::Vector(std::vector<int32_t>{1})})),
            "float32[1,3] 3 4 5");
  EXPECT_EQ(Text(Evaluate(Gather(1), {x, Longs({})})), "float32[2,0]");
  EXPECT_EQ(Text(Evaluate(Gather(0), {Counting({2, 0}), Longs({1})})), "float32[1,0]");
}

TEST(Gather, RefusesWhatDoesNotFit) {
  const Tensor x = Counting({2, 3});
  EXPECT_EQ(Text(Evaluate(Gather(1), {x, Longs({3})})),
            "3: indices: expected numbers in [-3, 3), got 3");
  EXPECT_EQ(Text(Evaluate(Gather(1), {x, Longs({INT64_MIN})})),
            "3: indices: expected numbers in [-3, 3), got -9223372036854775808");
  EXPECT_EQ(Text(Evaluate(Gather(2), {x, Longs({0})})), "3: axis 2 is outside [-2, 2)");
  EXPECT_EQ(Text(Evaluate(Gather(0), {x, x})), "3: indices: expected int64 or int32, got float32");
  EXPECT_EQ(Text(Evaluate(Gather(0), {Counting({0}), Longs({0})})),
            "3: indices: an axis of size 0 has no elements to index");
  EXPECT_FALSE(Evaluate(Gather(0), {Long(1), Long(0)}).ok());
  EXPECT_EQ(Text(InferTypes(Gather(1), {FloatType({-1, 3}), LongType({-1, 2})})), "float32[?,?,2]");
  EXPECT_EQ(Text(InferTypes(Gather(1), {UnrankedFloats(), LongType({2})})), "float32[...]");
}

TEST(GatherElements, TakesOneByOne) {
  const Tensor x = Counting({2, 3});
  EXPECT_EQ(Text(Evaluate(GatherElements(1), {x, Grid({2, 2}, {2, 0, -1, 1})})),
            "float32[2,2] 2 0 5 4");
  EXPECT_EQ(Text(Evaluate(GatherElements(0), {x, Grid({1, 3}, {1, 0, 1})})), "float32[1,3] 3 1 5");
  EXPECT_EQ(Text(Evaluate(GatherElements(0), {x, Grid({1, 3}, {1, 0, 2})})),
            "3: indices: expected numbers in [-2, 2), got 2");
  EXPECT_EQ(Text(Evaluate(GatherElements(1), {x, Grid({3, 1}, {0, 0, 0})})),
            "3: indices: expected sizes up to those of float32[2,3] except axis 1, got int64[3,1]");
  EXPECT_FALSE(Evaluate(GatherElements(0), {x, Longs({0})}).ok());
  EXPECT_EQ(Text(InferTypes(GatherElements(1), {FloatType({-1, 3}), LongType({2, -1})})),
            "float32[2,?]");
}

TEST(GatherND, TakesSlicesByCoordinates) {
  const Tensor x = Counting({2, 2, 2});
  EXPECT_EQ(Text(Evaluate(GatherND(), {x, Grid({2, 2}, {0, 1, 1, -2})})), "float32[2,2] 2 3 4 5");
  EXPECT_EQ(Text(Evaluate(GatherND(), {x, Longs({1, 1, 0})})), "float32[] 6");
  EXPECT_EQ(Text(Evaluate(GatherND(1), {x, Grid({2, 1}, {1, 0})})), "float32[2,2] 2 3 4 5");
  EXPECT_EQ(Text(Evaluate(GatherND(), {Counting({2}), Grid({2, 0}, {})})), "float32[2,2] 0 1 0 1");
  EXPECT_EQ(Text(Evaluate(GatherND(), {x, Grid({1, 2}, {0, 2})})),
            "3: indices: expected numbers in [-2, 2), got 2");
  EXPECT_EQ(Text(Evaluate(GatherND(), {x, Longs({0, 0, 0, 0})})),
            "3: indices: expected at most 3 coordinates, got 4");
  EXPECT_EQ(Text(Evaluate(GatherND(1), {x, Grid({3, 1}, {0, 0, 0})})),
            "3: indices: expected the batch sizes of float32[2,2,2], got int64[3,1]");
  EXPECT_FALSE(Evaluate(GatherND(1), {x, Longs({0})}).ok());
  EXPECT_FALSE(Evaluate(GatherND(-1), {x, Longs({0})}).ok());
  EXPECT_FALSE(Evaluate(GatherND(INT64_MAX), {x, Longs({0})}).ok());
  EXPECT_EQ(Text(InferTypes(GatherND(1), {FloatType({-1, 3, 4}), LongType({5, 6, 1})})),
            "float32[5,6,4]");
  EXPECT_EQ(Text(InferTypes(GatherND(), {FloatType({2, 3}), LongType({5, -1})})), "float32[...]");
}

TEST(ScatterElements, ReplacesAndCombines) {
  const Tensor x = Counting({2, 3});
  const Tensor index = Grid({2, 2}, {0, -1, 1, 1});
  const Tensor updates = Floats({2, 2}, {10, 20, 30, 40});
  EXPECT_EQ(Text(Evaluate(ScatterElements(1), {x, index, updates})), "float32[2,3] 10 1 20 3 40 5");
  EXPECT_EQ(Text(Evaluate(ScatterElements(1, fb::ScatterReduction::Add), {x, index, updates})),
            "float32[2,3] 10 1 22 3 74 5");
  EXPECT_EQ(Text(Evaluate(ScatterElements(1, fb::ScatterReduction::Min), {x, index, updates})),
            "float32[2,3] 0 1 2 3 4 5");
  EXPECT_EQ(Numbers(Evaluate(fb::IdentityT{}, {x})), (Doubles{0, 1, 2, 3, 4, 5}));
}

TEST(ScatterElements, RefusesWhatDoesNotFit) {
  const Tensor x = Counting({2, 3});
  const Tensor index = Grid({1, 2}, {0, 2});
  EXPECT_EQ(Text(Evaluate(ScatterElements(0), {x, index, Counting({1, 2})})),
            "3: indices: expected numbers in [-2, 2), got 2");
  EXPECT_EQ(Text(Evaluate(ScatterElements(1), {x, index, Counting({1, 3})})),
            "3: updates: expected the shape of indices [1,2], got float32[1,3]");
  EXPECT_EQ(Text(Evaluate(ScatterElements(1), {x, index, index})),
            "3: expected x and updates of one type, got float32 and int64");
  EXPECT_EQ(Text(Evaluate(ScatterElements(0, static_cast<fb::ScatterReduction>(9)),
                          {x, index, Counting({1, 2})})),
            "3: reduction: unknown value 9");
  const Tensor halves = runtime::Cast(x, ElementType::kFloat16);
  EXPECT_EQ(Text(Evaluate(ScatterElements(1, fb::ScatterReduction::Add),
                          {halves, Grid({2, 3}, {0, 0, 0, 0, 0, 0}), halves})),
            "4: reduction of float16");
  EXPECT_EQ(Text(InferTypes(ScatterElements(1),
                            {FloatType({-1, 3}), LongType({2, 1}), FloatType({2, 1})})),
            "float32[?,3]");
}

TEST(ScatterND, ReplacesAndCombines) {
  const Tensor x = Counting({3, 2});
  const Tensor rows = Grid({2, 1}, {2, -3}), updates = Floats({2, 2}, {10, 20, 30, 40});
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, rows, updates})), "float32[3,2] 30 40 2 3 10 20");
  EXPECT_EQ(Text(Evaluate(ScatterND(fb::ScatterReduction::Mul), {x, rows, updates})),
            "float32[3,2] 0 40 2 3 40 100");
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, Longs({1, 1}), Floats({}, {9})})),
            "float32[3,2] 0 1 2 9 4 5");
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, Grid({2, 1}, {0, 3}), updates})),
            "3: indices: expected numbers in [-3, 3), got 3");
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, rows, Counting({2, 3})})),
            "3: updates: expected shape [2,2], got float32[2,3]");
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, Long(0), updates})),
            "3: indices: expected coordinates, got a scalar");
  EXPECT_EQ(Text(Evaluate(ScatterND(), {x, Grid({1, 3}, {0, 0, 0}), updates})),
            "3: indices: expected at most 2 coordinates, got 3");
}

}  // namespace
}  // namespace pleat::tests
