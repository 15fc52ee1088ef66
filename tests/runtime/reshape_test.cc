// Reshape, Flatten, Squeeze, Unsqueeze, Identity, Expand, Tile, ShapeOf, SizeOf.
#include <gtest/gtest.h>

#include "tests/runtime/movement_support.h"

namespace pleat::tests {
namespace {

namespace fb = runtime::fb;
using runtime::StatusCode;

fb::ReshapeT Reshape(bool allow_zero = false) {
  fb::ReshapeT fields;
  fields.allow_zero = allow_zero;
  return fields;
}

fb::FlattenT Flatten(int64_t axis) {
  fb::FlattenT fields;
  fields.axis = axis;
  return fields;
}

template <class T>
T WithAxes(std::vector<int64_t> axes) {
  T fields;
  fields.axes = std::move(axes);
  return fields;
}

TEST(Reshape, FollowsTheRulesOfZeroAndMinusOne) {
  const Tensor x = Counting({2, 3, 2});
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({3, 4})})),
            "float32[3,4] 0 1 2 3 4 5 6 7 8 9 10 11");
  EXPECT_EQ((*Evaluate(Reshape(), {x, Longs({0, -1})}))[0].shape(), (Shape{2, 6}));
  EXPECT_EQ((*Evaluate(Reshape(), {x, Longs({-1})}))[0].shape(), (Shape{12}));
  EXPECT_EQ((*Evaluate(Reshape(), {Counting({1}), Longs({})}))[0].shape(), Shape{});
  EXPECT_EQ((*Evaluate(Reshape(), {Counting({}), Longs({1, -1})}))[0].shape(), (Shape{1, 1}));
  const Tensor shape32 = Tensor::Vector(std::vector<int32_t>{-1, 4});
  EXPECT_EQ((*Evaluate(Reshape(), {x, shape32}))[0].shape(), (Shape{3, 4}));
}

TEST(Reshape, HandlesEmptyTensors) {
  const Tensor x = Counting({0, 3});
  EXPECT_EQ((*Evaluate(Reshape(), {x, Longs({0, -1})}))[0].shape(), (Shape{0, 3}));
  EXPECT_EQ((*Evaluate(Reshape(), {x, Longs({-1, 7})}))[0].shape(), (Shape{0, 7}));
  EXPECT_EQ((*Evaluate(Reshape(true), {x, Longs({5, 0})}))[0].shape(), (Shape{5, 0}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  const Tensor x = Counting({2, 3});
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({4})})),
            "3: shape: float32[2,3] has 6 elements, the new shape [4] has 4");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({4, -1})})),
            "3: shape: [2,3] does not divide into 4 equal parts for the size -1");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({-1, -1})})), "3: shape: -1 is given twice");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({-2, 3})})), "3: shape: negative size -2");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({2, 3, 0})})),
            "3: shape: 0 at position 2 copies no axis of float32[2,3]");
  EXPECT_EQ(Text(Evaluate(Reshape(true), {x, Longs({0, -1})})),
            "3: shape: beside a size of 0 that stands for itself, -1 could be any");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({INT64_MAX, INT64_MAX, -1})})),
            "6: the sizes' product overflows");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs({INT64_MAX, 3})})),
            "6: the product of [9223372036854775807,3] overflows");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Longs(std::vector<int64_t>(9, 1))})),
            "6: shape: expected at most 8 entries, got 9");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, x})), "3: shape: expected int64 or int32, got float32");
  EXPECT_EQ(Text(Evaluate(Reshape(), {x, Long(6)})), "3: shape: expected a vector, got int64[]");
  EXPECT_FALSE(Evaluate(Reshape(), {x}).ok());
  EXPECT_FALSE(Evaluate(Reshape(), {x, Tensor()}).ok());
}

TEST(Reshape, InfersWhatFollowsFromUnknownSizes) {
  const auto infer = [](Type x, Type shape, Tensor known = {}) {
    return Text(InferTypes(Reshape(), {x, shape}, {Tensor(), known}));
  };
  const Type x = FloatType({-1, 3, 4});
  EXPECT_EQ(infer(x, LongType({2}), Longs({0, -1})), "float32[?,12]");
  EXPECT_EQ(infer(x, LongType({2}), Longs({-1, 12})), "float32[?,12]");
  EXPECT_EQ(infer(x, LongType({2}), Longs({2, 12})), "float32[2,12]");
  EXPECT_EQ(infer(x, LongType({2})), "float32[?,?]");
  EXPECT_EQ(infer(x, LongType({-1})), "float32[...]");
  EXPECT_EQ(infer(UnrankedFloats(), LongType({3}), Longs({0, 5, -1})), "float32[?,5,?]");
  EXPECT_EQ(PrepareStatus(Reshape(), {FloatType({4}), LongType({1})}, {FloatType({4})}).message(),
            "the shape must be known before the run");
}

TEST(Flatten, MultipliesSizesAroundTheAxis) {
  const Tensor x = Counting({2, 3, 4});
  EXPECT_EQ((*Evaluate(Flatten(0), {x}))[0].shape(), (Shape{1, 24}));
  EXPECT_EQ((*Evaluate(Flatten(1), {x}))[0].shape(), (Shape{2, 12}));
  EXPECT_EQ((*Evaluate(Flatten(-1), {x}))[0].shape(), (Shape{6, 4}));
  EXPECT_EQ((*Evaluate(Flatten(3), {x}))[0].shape(), (Shape{24, 1}));
  EXPECT_EQ((*Evaluate(Flatten(0), {Counting({})}))[0].shape(), (Shape{1, 1}));
  EXPECT_EQ(Text(Evaluate(Flatten(4), {x})), "3: axis 4 is outside [-3, 3)");
  EXPECT_EQ(Text(InferTypes(Flatten(1), {FloatType({-1, 3, 4})})), "float32[?,12]");
  EXPECT_EQ(Text(InferTypes(Flatten(1), {UnrankedFloats()})), "float32[?,?]");
  EXPECT_EQ(Text(InferTypes(Flatten(1), {FloatType({2, -1, 0})})), "float32[2,0]");
}

TEST(Squeeze, DropsSizesOfOne) {
  const auto squeeze = [](std::vector<int64_t> axes) { return WithAxes<fb::SqueezeT>(axes); };
  const Tensor x = Counting({1, 3, 1, 2});
  EXPECT_EQ((*Evaluate(squeeze({}), {x}))[0].shape(), (Shape{3, 2}));
  EXPECT_EQ((*Evaluate(squeeze({-2}), {x}))[0].shape(), (Shape{1, 3, 2}));
  EXPECT_EQ((*Evaluate(squeeze({}), {x, Longs({2, 0})}))[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(Text(Evaluate(squeeze({1}), {x})),
            "3: axis 1 of float32[1,3,1,2]: expected size 1, got 3");
  EXPECT_EQ(Text(Evaluate(squeeze({4}), {x})), "3: axis 4 is outside [-4, 4)");
  EXPECT_EQ(Text(Evaluate(squeeze({0, -4}), {x})), "3: axis -4 is named twice");
  EXPECT_EQ(Text(InferTypes(squeeze({}), {FloatType({-1, 1})})), "float32[...]");
  EXPECT_EQ(Text(InferTypes(squeeze({1}), {FloatType({-1, 1})})), "float32[?]");
  EXPECT_EQ(Text(InferTypes(squeeze({}), {FloatType({-1, 1, 2}), LongType({2})})), "float32[?]");
  EXPECT_EQ(PrepareStatus(squeeze({}), {FloatType({1}), LongType({1})}, {FloatType({})}).message(),
            "the axes must be known before the run");
}

TEST(Unsqueeze, PutsInSizesOfOne) {
  const auto unsqueeze = [](std::vector<int64_t> axes) { return WithAxes<fb::UnsqueezeT>(axes); };
  const Tensor x = Counting({2, 3});
  EXPECT_EQ((*Evaluate(unsqueeze({0, -1}), {x}))[0].shape(), (Shape{1, 2, 3, 1}));
  EXPECT_EQ((*Evaluate(unsqueeze({}), {x, Longs({1})}))[0].shape(), (Shape{2, 1, 3}));
  EXPECT_EQ((*Evaluate(unsqueeze({0}), {Counting({})}))[0].shape(), (Shape{1}));
  EXPECT_EQ(Text(Evaluate(unsqueeze({3}), {x})), "3: axis 3 is outside [-3, 3)");
  EXPECT_EQ(Text(Evaluate(unsqueeze({0, 0}), {x})), "3: axis 0 is named twice");
  EXPECT_EQ(Text(Evaluate(unsqueeze(std::vector<int64_t>(7, 0)), {x})), "6: rank 9 is above 8");
  EXPECT_EQ(Text(InferTypes(unsqueeze({}), {x.type(), LongType({2})})), "float32[?,?,?,?]");
  EXPECT_EQ(Text(InferTypes(unsqueeze({}), {x.type(), LongType({-1})})), "float32[...]");
}

TEST(Identity, KeepsWhatItGets) {
  EXPECT_EQ(Text(Evaluate(fb::IdentityT{}, {Longs({4, 5})})), "int64[2] 4 5");
  EXPECT_EQ(Text(InferTypes(fb::IdentityT{}, {UnrankedFloats()})), "float32[...]");
}

TEST(Expand, BroadcastsBothWays) {
  const fb::ExpandT expand;
  EXPECT_EQ(Text(Evaluate(expand, {Counting({2, 1}), Longs({3, 1, 2})})),
            "float32[3,2,2] 0 0 1 1 0 0 1 1 0 0 1 1");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({3}), Longs({2, 1})})), "float32[2,3] 0 1 2 0 1 2");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({}), Longs({2})})), "float32[2] 0 0");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({2}), Longs({})})), "float32[2] 0 1");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({1, 2}), Longs({0, 1})})), "float32[0,2]");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({2}), Longs({3})})),
            "3: shape: size 2 does not broadcast to 3");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({2}), Longs({-1})})), "3: shape: negative size -1");
  EXPECT_EQ(Text(Evaluate(expand, {Counting({1}), Longs({INT64_MAX})})),
            "6: float32[9223372036854775807] has more than 2^42 bytes");
  EXPECT_EQ(Text(InferTypes(expand, {FloatType({3, 1}), LongType({3})})), "float32[?,3,?]");
  EXPECT_EQ(
      Text(InferTypes(expand, {FloatType({-1, 1}), LongType({2})}, {Tensor(), Longs({1, 5})})),
      "float32[?,5]");
  EXPECT_EQ(Text(InferTypes(expand, {FloatType({3}), LongType({-1})})), "float32[...]");
  EXPECT_EQ(PrepareStatus(expand, {FloatType({1}), LongType({1})}, {FloatType({4})}).code(),
            StatusCode::kUnsupported);
}

TEST(Tile, RepeatsAlongEachAxis) {
  const fb::TileT tile;
  EXPECT_EQ(Text(Evaluate(tile, {Counting({2, 2}), Longs({2, 3})})),
            "float32[4,6] 0 1 0 1 0 1 2 3 2 3 2 3 0 1 0 1 0 1 2 3 2 3 2 3");
  EXPECT_EQ(Text(Evaluate(tile, {Longs({7}), Longs({3})})), "int64[3] 7 7 7");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({2}), Longs({1})})), "float32[2] 0 1");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({2}), Longs({0})})), "float32[0]");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({0, 2}), Longs({INT64_MAX, 2})})), "float32[0,4]");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({}), Longs({})})), "float32[] 0");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({2}), Longs({-1})})), "3: repeats: negative count -1");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({2}), Longs({1, 1})})),
            "3: repeats: expected 1 entries, got 2");
  EXPECT_EQ(Text(Evaluate(tile, {Counting({4}), Longs({INT64_MAX})})),
            "6: repeats: 9223372036854775807 times 4 overflows");
  EXPECT_EQ(Text(InferTypes(tile, {FloatType({2, -1}), LongType({2})}, {Tensor(), Longs({3, 4})})),
            "float32[6,?]");
  EXPECT_EQ(Text(InferTypes(tile, {FloatType({2, 3}), LongType({2})})), "float32[?,?]");
  EXPECT_EQ(PrepareStatus(tile, {FloatType({1}), LongType({1})}, {FloatType({4})}).message(),
            "the repeats must be known before the run");
}

TEST(ShapeOf, IsKnownWhenItsSizesAre) {
  fb::ShapeOfT fields;
  const Tensor x = Counting({2, 3, 0, 5});
  EXPECT_EQ(Text(Evaluate(fields, {x})), "int64[4] 2 3 0 5");
  fields.start = -3;
  fields.end = -1;
  EXPECT_EQ(Text(Evaluate(fields, {x})), "int64[2] 3 0");
  fields.start = 3;
  fields.end = 1;
  EXPECT_EQ(Text(Evaluate(fields, {x})), "int64[0]");
  fields.start = INT64_MIN;
  fields.end = INT64_MAX;
  EXPECT_EQ(Text(Evaluate(fields, {x})), "int64[4] 2 3 0 5");
  EXPECT_EQ(Text(Evaluate(fields, {Counting({})})), "int64[0]");
}

TEST(ShapeOf, GivesNumbersOfPartlyKnownShapes) {
  fb::ShapeOfT fields;
  fields.start = 1;
  const runtime::Node node = runtime::MakeNode("node", fields, {0}, {1});
  const std::vector<Type> inputs = {FloatType({-1, 3, 4})};
  const std::vector<const Tensor*> known(1);
  std::vector<Type> types(1);
  std::vector<Tensor> values(1);
  runtime::InferContext context{node, inputs, known, types, values};
  ASSERT_TRUE(runtime::RuleOf(node.op.type).infer(context).ok());
  EXPECT_EQ(runtime::ToInt64s(values[0]), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(Text(InferTypes(fb::ShapeOfT{}, {FloatType({-1, 3})})), "int64[2]");
  EXPECT_EQ(Text(InferTypes(fb::ShapeOfT{}, {UnrankedFloats()})), "int64[?]");
}

TEST(SizeOf, MultipliesTheSizes) {
  EXPECT_EQ(Text(Evaluate(fb::SizeOfT{}, {Counting({2, 3})})), "int64[] 6");
  EXPECT_EQ(Text(Evaluate(fb::SizeOfT{}, {Counting({2, 0})})), "int64[] 0");
  EXPECT_EQ(Text(Evaluate(fb::SizeOfT{}, {Counting({})})), "int64[] 1");
  EXPECT_EQ(Text(InferTypes(fb::SizeOfT{}, {FloatType({-1})})), "int64[]");
}

}  // namespace
}  // namespace pleat::tests
