// Transpose, Concat, Split, Slice, Pad, DepthToSpace, SpaceToDepth.
#include <gtest/gtest.h>

#include "tests/runtime/movement_support.h"
#include "tests/support/random.h"

namespace pleat::tests {
namespace {

namespace fb = runtime::fb;
using runtime::StatusCode;

fb::TransposeT Transpose(std::vector<int64_t> perm) {
  fb::TransposeT fields;
  fields.perm = std::move(perm);
  return fields;
}

fb::ConcatT Concat(int64_t axis) {
  fb::ConcatT fields;
  fields.axis = axis;
  return fields;
}

fb::SplitT Split(int64_t axis, std::vector<int64_t> sizes = {}) {
  fb::SplitT fields;
  fields.axis = axis;
  fields.sizes = std::move(sizes);
  return fields;
}

fb::PadT Pad(fb::PadMode mode) {
  fb::PadT fields;
  fields.mode = mode;
  return fields;
}

const fb::SliceT kSlice;

TEST(Transpose, PermutesAxes) {
  EXPECT_EQ(Text(Evaluate(Transpose({1, 0}), {Counting({2, 3})})), "float32[3,2] 0 3 1 4 2 5");
  EXPECT_EQ(Text(Evaluate(Transpose({}), {Counting({1, 2, 2})})), "float32[2,2,1] 0 2 1 3");
  EXPECT_EQ(Text(Evaluate(Transpose({1, 2, 0}), {Longs({3, 4}).Reshaped({1, 2, 1})})),
            "int64[2,1,1] 3 4");
  EXPECT_EQ(Text(Evaluate(Transpose({}), {Counting({})})), "float32[] 0");
  EXPECT_EQ(Text(Evaluate(Transpose({1, 0}), {Counting({0, 3})})), "float32[3,0]");
  EXPECT_EQ(Text(InferTypes(Transpose({1, 0}), {FloatType({-1, 3})})), "float32[3,?]");
  EXPECT_EQ(Text(InferTypes(Transpose({1, 0}), {UnrankedFloats()})), "float32[...]");
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  const Tensor x = Counting({2, 3});
  EXPECT_EQ(Text(Evaluate(Transpose({0, 0}), {x})), "3: axis 0 is named twice");
  EXPECT_EQ(Text(Evaluate(Transpose({0, 2}), {x})), "3: axis 2 is outside [-2, 2)");
  EXPECT_EQ(Text(Evaluate(Transpose({0, 1, 2}), {x})), "3: perm: expected 2 axes, got 3");
}

TEST(Concat, JoinsAlongTheAxis) {
  const Tensor a = Counting({2, 1}), b = Counting({2, 2});
  EXPECT_EQ(Text(Evaluate(Concat(-1), {a, b, a})), "float32[2,4] 0 0 1 0 1 2 3 1");
  EXPECT_EQ(Text(Evaluate(Concat(0), {b, Counting({1, 2}), Counting({0, 2})})),
            "float32[3,2] 0 1 2 3 0 1");
  EXPECT_EQ(Text(Evaluate(Concat(0), {Longs({1}), Longs({}), Longs({2, 3})})), "int64[3] 1 2 3");
  EXPECT_EQ(Text(Evaluate(Concat(0), {Longs({1})})), "int64[1] 1");
  EXPECT_EQ(Text(Evaluate(Concat(0), {Longs({}), Longs({})})), "int64[0]");
}

TEST(Concat, RefusesWhatDoesNotFit) {
  const Tensor a = Counting({2, 1});
  EXPECT_EQ(Text(Evaluate(Concat(1), {a, Counting({3, 1})})),
            "3: input 1: expected sizes [2,?] but along axis 1, got float32[3,1]");
  EXPECT_FALSE(Evaluate(Concat(1), {a, Counting({2})}).ok());
  EXPECT_EQ(Text(Evaluate(Concat(2), {a})), "3: axis 2 is outside [-2, 2)");
  EXPECT_EQ(Text(Evaluate(Concat(0), {a, Longs({1}).Reshaped({1, 1})})),
            "3: expected input 0 and input 1 of one type, got float32 and int64");
  EXPECT_FALSE(Evaluate(Concat(0), {a, Tensor()}).ok());
  EXPECT_FALSE(Evaluate(Concat(0), {}).ok());
  EXPECT_FALSE(Evaluate(Concat(0), {Long(1), Long(2)}).ok());
}

TEST(Concat, InfersAroundUnknownSizes) {
  EXPECT_EQ(Text(InferTypes(Concat(1), {FloatType({-1, 2, 3}), FloatType({4, 5, -1})})),
            "float32[4,7,3]");
  EXPECT_EQ(Text(InferTypes(Concat(1), {FloatType({-1, 2}), FloatType({4, -1})})), "float32[4,?]");
  EXPECT_EQ(Text(InferTypes(Concat(1), {UnrankedFloats(), FloatType({4, 2})})), "float32[4,?]");
  EXPECT_EQ(Text(InferTypes(Concat(1), {UnrankedFloats()})), "float32[...]");
}

TEST(Split, CutsIntoParts) {
  const Tensor x = Counting({2, 5});
  const auto given = Evaluate(Split(1, {1, 4}), {x}, 2);
  EXPECT_EQ(Text(given), "float32[2,1] 0 5");
  EXPECT_EQ(runtime::ToDoubles((*given)[1]), (Doubles{1, 2, 3, 4, 6, 7, 8, 9}));
  const auto input = Evaluate(Split(-1), {x, Longs({5, 0})}, 2);
  EXPECT_EQ((*input)[1].shape(), (Shape{2, 0}));
  const auto equal = Evaluate(Split(1), {x}, 3);
  EXPECT_EQ(runtime::ToDoubles((*equal)[1]), (Doubles{2, 3, 7, 8}));
  EXPECT_EQ(runtime::ToDoubles((*equal)[2]), (Doubles{4, 9}));
  EXPECT_EQ(Text(Evaluate(Split(0), {x}, 1)), "float32[2,5] 0 1 2 3 4 5 6 7 8 9");
}

TEST(Split, LeavesOutOutputsNobodyWants) {
  const Tensor x = Counting({4});
  const auto parts = runtime::EvaluateNode(
      runtime::MakeNode("split", Split(0, {1, 1, 2}), {0}, {1, runtime::kNoValue, 2}),
      std::vector<const Tensor*>{&x});
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ(runtime::ToDoubles((*parts)[0]), (Doubles{0}));
  EXPECT_EQ(runtime::ToDoubles((*parts)[2]), (Doubles{2, 3}));
}

TEST(Split, RefusesSizesThatDoNotFit) {
  const Tensor x = Counting({2, 5});
  EXPECT_EQ(Text(Evaluate(Split(1, {1, 3}), {x}, 2)), "3: sizes: expected a sum of 5, got 4");
  EXPECT_EQ(Text(Evaluate(Split(1, {6, -1}), {x}, 2)), "3: sizes: negative size -1");
  EXPECT_EQ(Text(Evaluate(Split(1, {INT64_MAX, INT64_MAX}), {x}, 2)),
            "3: sizes: expected a sum of 5, got an overflow");
  EXPECT_EQ(Text(Evaluate(Split(1, {5}), {x}, 2)),
            "3: sizes: expected one for each of 2 outputs, got 1");
  EXPECT_EQ(Text(Evaluate(Split(1), {x}, 4)),
            "3: an axis of size 5 does not split into 4 parts of 2");
  EXPECT_EQ(Text(Evaluate(Split(2), {x}, 2)), "3: axis 2 is outside [-2, 2)");
  EXPECT_EQ(Text(InferTypes(Split(1), {FloatType({2, -1})}, {}, 2)), "float32[2,?]");
  EXPECT_EQ(Text(InferTypes(Split(1, {2, 3}), {FloatType({2, -1})}, {}, 2)), "float32[2,2]");
  EXPECT_EQ(Text(InferTypes(Split(1), {FloatType({2, 5}), LongType({2})}, {}, 2)), "float32[2,?]");
  EXPECT_EQ(
      PrepareStatus(Split(0), {FloatType({2}), LongType({2})}, {FloatType({1}), FloatType({1})})
          .message(),
      "the sizes must be known before the run");
}

TEST(Slice, TakesStepsInBothDirections) {
  const Tensor x = Counting({2, 5});
  const auto columns = [&](int64_t start, int64_t end, int64_t step) {
    return Numbers(
        Evaluate(kSlice, {Counting({5}), Longs({start}), Longs({end}), Longs({0}), Longs({step})}));
  };
  EXPECT_EQ(columns(1, 4, 1), (Doubles{1, 2, 3}));
  EXPECT_EQ(columns(-2, INT64_MAX, 1), (Doubles{3, 4}));
  EXPECT_EQ(columns(0, 5, 2), (Doubles{0, 2, 4}));
  EXPECT_EQ(columns(0, 5, INT64_MAX), (Doubles{0}));
  EXPECT_EQ(columns(4, INT64_MIN, -2), (Doubles{4, 2, 0}));
  EXPECT_EQ(columns(INT64_MAX, 1, -1), (Doubles{4, 3, 2}));
  EXPECT_EQ(columns(-1, -6, INT64_MIN), (Doubles{4}));
  EXPECT_EQ(columns(3, 3, 1), (Doubles{}));
  EXPECT_EQ(columns(4, 1, 1), (Doubles{}));
  EXPECT_EQ(columns(INT64_MIN, INT64_MIN, 1), (Doubles{}));
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({1}), Longs({2})})), "float32[1,5] 5 6 7 8 9");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({1, 0}), Longs({3, 2}), Longs({-1, 0})})),
            "float32[2,2] 1 2 6 7");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({1}), Longs({0}), Tensor(), Longs({-1})})),
            "float32[1,5] 5 6 7 8 9");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0}), Longs({2})})),
            "float32[2,5] 0 1 2 3 4 5 6 7 8 9");
  EXPECT_EQ(
      Text(Evaluate(kSlice, {Counting({0}), Longs({0}), Longs({9}), Longs({0}), Longs({-1})})),
      "float32[0]");
  EXPECT_EQ(Text(Evaluate(kSlice, {Counting({}), Longs({}), Longs({})})), "float32[] 0");
}

TEST(Slice, RefusesWhatDoesNotFit) {
  const Tensor x = Counting({2, 5});
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0}), Longs({1}), Longs({0}), Longs({0})})),
            "3: steps: a step is 0");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0}), Longs({1, 1})})),
            "3: starts, ends, axes and steps: expected lists of one length, got 1 and 2 entries");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0, 0}), Longs({1, 1}), Longs({0, -2})})),
            "3: axis -2 is named twice");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0, 0, 0}), Longs({1, 1, 1})})),
            "3: starts: expected at most 2 entries, got 3");
  EXPECT_EQ(Text(Evaluate(kSlice, {x, Longs({0}), Longs({1}), Longs({2})})),
            "3: axis 2 is outside [-2, 2)");
}

TEST(Slice, InfersAroundUnknownNumbers) {
  const Type x = FloatType({-1, 5, 6}), one = LongType({1});
  EXPECT_EQ(Text(InferTypes(kSlice, {x, one, one, one})), "float32[?,?,?]");
  EXPECT_EQ(
      Text(InferTypes(kSlice, {x, one, one, one}, {Tensor(), Tensor(), Tensor(), Longs({2})})),
      "float32[?,5,?]");
  EXPECT_EQ(Text(InferTypes(kSlice, {x, one, one}, {Tensor(), Longs({1}), Longs({2})})),
            "float32[?,5,6]");
  EXPECT_EQ(Text(InferTypes(kSlice, {x, one, one})), "float32[?,5,6]");
  EXPECT_EQ(Text(InferTypes(kSlice, {x, LongType({-1}), LongType({-1})})), "float32[?,?,?]");
  EXPECT_EQ(PrepareStatus(kSlice, {FloatType({5}), one, one}, {FloatType({5})}).message(),
            "the starts must be known before the run");
}

TEST(Pad, WritesConstantBorders) {
  const fb::PadT pad = Pad(fb::PadMode::Constant);
  EXPECT_EQ(Text(Evaluate(pad, {Counting({2, 2}), Longs({1, 0, 0, 2})})),
            "float32[3,4] 0 0 0 0 0 1 0 0 2 3 0 0");
  EXPECT_EQ(Text(Evaluate(pad, {Longs({5}), Longs({1, 2}), Long(9)})), "int64[4] 9 5 9 9");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({2, 2}), Longs({1, 1}), Tensor(), Longs({-1})})),
            "float32[2,4] 0 0 1 0 0 2 3 0");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({4}), Longs({-1, -2})})), "float32[1] 1");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({4}), Longs({-1, 2})})), "float32[5] 1 2 3 0 0");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({0}), Longs({1, 1})})), "float32[2] 0 0");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({2}), Longs({0, 0})})), "float32[2] 0 1");
  EXPECT_EQ(Text(Evaluate(pad, {Counting({}), Longs({})})), "float32[] 0");
}

TEST(Pad, RepeatsWhatIsInside) {
  const Tensor x = Counting({4});
  const auto padded = [&](fb::PadMode mode, int64_t before, int64_t after) {
    return Numbers(Evaluate(Pad(mode), {x, Longs({before, after})}));
  };
  EXPECT_EQ(padded(fb::PadMode::Edge, 2, 1), (Doubles{0, 0, 0, 1, 2, 3, 3}));
  EXPECT_EQ(padded(fb::PadMode::Reflect, 3, 2), (Doubles{3, 2, 1, 0, 1, 2, 3, 2, 1}));
  EXPECT_EQ(padded(fb::PadMode::Wrap, 6, 5),
            (Doubles{2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0}));
  EXPECT_EQ(padded(fb::PadMode::Reflect, -1, 1), (Doubles{1, 2, 3, 2}));
  EXPECT_EQ(padded(fb::PadMode::Edge, 1, -2), (Doubles{0, 0, 1}));
  EXPECT_EQ(Text(Evaluate(Pad(fb::PadMode::Reflect), {Counting({2, 3}), Longs({1, 1, 0, 2})})),
            "float32[3,6] 4 3 4 5 4 3 1 0 1 2 1 0 4 3 4 5 4 3");
  EXPECT_EQ(Text(Evaluate(Pad(fb::PadMode::Edge), {Counting({0, 2}), Longs({0, 1, 0, 0})})),
            "float32[0,3]");
}

TEST(Pad, RefusesWhatDoesNotFit) {
  const auto constant = Pad(fb::PadMode::Constant), reflect = Pad(fb::PadMode::Reflect);
  const Tensor x = Counting({4});
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({1})})), "3: pads: expected 2 entries, got 1");
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({-3, -2})})),
            "3: pads: expected to crop at most 4, got -3 and -2");
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({INT64_MAX, INT64_MAX})})),
            "6: pads: 9223372036854775807 and 9223372036854775807 overflow");
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({INT64_MIN, INT64_MIN})})),
            "6: pads: -9223372036854775808 and -9223372036854775808 overflow");
  EXPECT_EQ(Text(Evaluate(reflect, {x, Longs({4, 0})})),
            "3: pads: expected less than the size 4 to reflect, got 4 and 0");
  EXPECT_EQ(Text(Evaluate(Pad(fb::PadMode::Edge), {Counting({0}), Longs({1, 0})})),
            "3: pads: an axis of size 0 has nothing to repeat");
  EXPECT_EQ(Text(Evaluate(Pad(fb::PadMode::Wrap), {Counting({1, 1}), Longs({0, 70000, 0, 0})})),
            "6: pads: 70000 and 0 repeat an axis of size 1 too many times");
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({1, 1}), Long(1)})),
            "3: expected x and value of one type, got float32 and int64");
  EXPECT_EQ(Text(Evaluate(constant, {x, Longs({1, 1}), x})),
            "3: value: expected a scalar, got float32[4]");
  EXPECT_EQ(Text(Evaluate(Pad(static_cast<fb::PadMode>(77)), {x, Longs({1, 1})})),
            "3: mode: unknown value 77");
  EXPECT_EQ(Text(InferTypes(constant, {FloatType({-1, 3}), LongType({4})},
                            {Tensor(), Longs({0, 1, 0, 1})})),
            "float32[?,5]");
  EXPECT_EQ(Text(InferTypes(constant, {FloatType({2, 3}), LongType({4})})), "float32[?,?]");
  EXPECT_EQ(PrepareStatus(constant, {FloatType({5}), LongType({2})}, {FloatType({5})}).message(),
            "the pads must be known before the run");
}

fb::DepthToSpaceT DepthToSpace(int64_t block, bool depth_column_row, bool channels_last) {
  fb::DepthToSpaceT fields;
  fields.block = block;
  fields.depth_column_row = depth_column_row;
  fields.channels_last = channels_last;
  return fields;
}

fb::SpaceToDepthT SpaceToDepth(int64_t block, bool channels_last) {
  fb::SpaceToDepthT fields;
  fields.block = block;
  fields.channels_last = channels_last;
  return fields;
}

TEST(DepthToSpace, FollowsOnnxInBothModes) {
  const Tensor x = Counting({2, 8, 3, 2});
  for (bool dcr : {true, false}) {
    const auto y = Evaluate(DepthToSpace(2, dcr, false), {x});
    ASSERT_TRUE(y.ok());
    EXPECT_EQ((*y)[0].shape(), (Shape{2, 2, 6, 4}));
    const auto in = x.data<float>(), out = (*y)[0].data<float>();
    for (int64_t i = 0; i < 96; ++i) {
      const int64_t w = i % 4, h = i / 4 % 6, c = i / 24 % 2, n = i / 48;
      const int64_t square = h % 2 * 2 + w % 2;
      const int64_t deep = dcr ? square * 2 + c : c * 4 + square;
      const int64_t from = ((n * 8 + deep) * 3 + h / 2) * 2 + w / 2;
      EXPECT_EQ(out[static_cast<size_t>(i)], in[static_cast<size_t>(from)]);
    }
  }
}

TEST(DepthToSpace, IsTheSameWithChannelsLast) {
  const Tensor x = Counting({2, 18, 2, 5});
  for (bool dcr : {true, false}) {
    const Tensor first = (*Evaluate(DepthToSpace(3, dcr, false), {x}))[0];
    const Tensor last_x = (*Evaluate(Transpose({0, 2, 3, 1}), {x}))[0];
    const Tensor last = (*Evaluate(DepthToSpace(3, dcr, true), {last_x}))[0];
    EXPECT_EQ(Numbers(Evaluate(Transpose({0, 3, 1, 2}), {last})), runtime::ToDoubles(first));
  }
}

TEST(SpaceToDepth, UndoesDepthToSpace) {
  for (bool channels_last : {false, true}) {
    const Tensor x = Counting(channels_last ? Shape{2, 4, 6, 3} : Shape{2, 3, 4, 6});
    const Tensor deep = (*Evaluate(SpaceToDepth(2, channels_last), {x}))[0];
    EXPECT_EQ(deep.shape(), channels_last ? (Shape{2, 2, 3, 12}) : (Shape{2, 12, 2, 3}));
    EXPECT_EQ(Numbers(Evaluate(DepthToSpace(2, true, channels_last), {deep})),
              runtime::ToDoubles(x));
  }
}

TEST(DepthToSpace, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Text(Evaluate(DepthToSpace(2, true, false), {Counting({1, 6, 1, 1})})),
            "3: channels: expected a multiple of 4, got 6");
  EXPECT_EQ(Text(Evaluate(DepthToSpace(0, true, false), {Counting({1, 4, 1, 1})})),
            "3: block: expected at least 1, got 0");
  EXPECT_EQ(Text(Evaluate(DepthToSpace(INT64_MAX, true, false), {Counting({1, 4, 1, 1})})),
            "6: block: 9223372036854775807 is too large");
  EXPECT_EQ(Text(Evaluate(SpaceToDepth(2, false), {Counting({1, 1, 3, 2})})),
            "3: height: expected a multiple of 2, got 3");
  EXPECT_EQ(Text(Evaluate(SpaceToDepth(2, false), {Counting({3, 2})})),
            "3: expected an image of rank 4, got float32[3,2]");
  EXPECT_EQ(Text(Evaluate(SpaceToDepth(1 << 20, false), {Counting({1, 1, 0, 0})})),
            "float32[1,1099511627776,0,0]");
  EXPECT_EQ(Text(InferTypes(SpaceToDepth(2, true), {FloatType({-1, -1, 4, 3})})),
            "float32[?,?,2,12]");
}

}  // namespace
}  // namespace pleat::tests
