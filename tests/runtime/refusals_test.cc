// What each type rule refuses, one fault at a time, and what it says then.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/activation.h"
#include "kernels/conv.h"
#include "tests/runtime/movement_support.h"

namespace pleat::runtime {
namespace {

using tests::Counting;
using tests::FloatType;
using tests::InferTypes;
using tests::Long;
using tests::Longs;
using tests::LongType;
using tests::PrepareStatus;
using tests::Text;
using tests::UnrankedFloats;
using Types = std::vector<std::optional<Type>>;
using Sizes = std::vector<int64_t>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Fields of one kind with some of them changed.
template <class T, class Change>
T With(Change&& change) {
  T fields;
  change(fields);
  return fields;
}

fb::Activation Activation(kernels::UnaryKind kind) { return {static_cast<uint8_t>(kind), 0, 0}; }

template <class T>
void ExpectSays(T fields, const Types& inputs, const std::string& words,
                const std::vector<Tensor>& known = {}, size_t outputs = 1) {
  const auto types = InferTypes(std::move(fields), inputs, known, outputs);
  EXPECT_FALSE(types.ok()) << "accepted; expected: " << words;
  EXPECT_NE(Text(types).find(words), std::string::npos) << Text(types) << "\nexpected: " << words;
}

Type Of(ElementType element, Shape shape = {2, 3}) { return {element, true, std::move(shape)}; }
const Type kBools = Of(ElementType::kBool), kDoubles = Of(ElementType::kFloat64);
const Type kHalves = Of(ElementType::kFloat16);

// With no inputs, 40 of them, or the first left out. Rules that look at fields first, and those of
// subgraphs, have tests of their own.
template <class T>
void ExpectCountsChecked(const char* name, bool any_number) {
  SCOPED_TRACE(name);
  const auto says = [](const Types& inputs, const std::string& words) {
    const std::string text = Text(InferTypes(T(), inputs));
    EXPECT_EQ(text.rfind("3: ", 0), 0u) << text;
    EXPECT_NE(text.find(words), std::string::npos) << text;
  };
  says({}, "input");
  says({std::nullopt, LongType({1}), LongType({1})}, "input");
  if (!any_number) says(Types(40, FloatType({2, 3})), "inputs, got 40");
}

TEST(Refusals, EveryRuleCountsItsInputs) {
#define PLEAT_OP(name)                                                                      \
  if (fb::Op::name != fb::Op::Recurrent && fb::Op::name != fb::Op::If &&                    \
      fb::Op::name != fb::Op::Loop && fb::Op::name != fb::Op::Scan) {                       \
    ExpectCountsChecked<fb::name##T>(#name, fb::Op::name == fb::Op::Concat);                \
  }
#include "runtime/ops/ops.inc"
#undef PLEAT_OP
}

TEST(Refusals, MoreOutputsThanThereAre) {
  const std::string words = "outputs, got 5";
  ExpectSays(fb::SoftmaxT(), {FloatType({2})}, words, {}, 5);
  ExpectSays(fb::TopKT(), {FloatType({2}), LongType({1})}, words, {}, 5);
  ExpectSays(fb::UniqueT(), {FloatType({2})}, words, {}, 5);
  ExpectSays(fb::MatMulT(), {FloatType({2, 2}), FloatType({2, 2})}, "expected 1 output, got 5", {}, 5);
}

TEST(Refusals, ElementTypes) {
  const Type x = FloatType({2, 3});
  const std::string float_or_double = "to be float32 or float64, got bool";
  ExpectSays(fb::SoftmaxT(), {kBools}, "x " + float_or_double);
  ExpectSays(fb::LayerNormT(), {kBools, x}, "x " + float_or_double);
  ExpectSays(fb::LayerNormT(), {x, kDoubles}, "expected x and scale of one type");
  ExpectSays(fb::InstanceNormT(), {kBools, x, x}, "x " + float_or_double);
  ExpectSays(fb::InstanceNormT(), {x, kDoubles, x}, "expected x and scale of one type");
  ExpectSays(fb::InstanceNormT(), {x, Of(ElementType::kFloat32, {3}), kDoubles},
             "expected x and bias of one type");
  ExpectSays(fb::LocalResponseNormT(), {kBools}, "x " + float_or_double);
  ExpectSays(fb::ScaleShiftT(), {kBools, x, x}, "x " + float_or_double);
  ExpectSays(fb::ScaleShiftT(), {x, kBools, x}, "scale " + float_or_double);
  ExpectSays(fb::ScaleShiftT(), {x, x, kBools}, "shift " + float_or_double);
  ExpectSays(fb::BatchNormTrainingT(), {kBools, x, x, x, x}, "x " + float_or_double);
  ExpectSays(fb::BatchNormTrainingT(), {x, kBools, x, x, x}, "gamma " + float_or_double);
  ExpectSays(fb::WhereT(), {x, x, x}, "expected the condition to be bool, got float32");
  ExpectSays(fb::WhereT(), {kBools, x, kDoubles}, "expected a and b of one type");
  ExpectSays(fb::BinaryT(), {x, kDoubles}, "expected a and b of one type");
  ExpectSays(fb::BinaryT(), {kBools, kBools}, "does not take bool");
  ExpectSays(fb::ArgReduceT(), {kBools}, "the extreme of bool");
  ExpectSays(fb::ReduceT(), {kBools}, "a reduction of bool");
  ExpectSays(fb::CumSumT(), {kBools, LongType({})}, "running sums of bool");
  ExpectSays(fb::CumSumT(), {x, x}, "expected an axis of type int64, got float32[2,3]");
  ExpectSays(fb::TopKT(), {kBools, LongType({1})}, "the largest of bool");
  ExpectSays(fb::TopKT(), {x, x}, "expected k of type int64, got float32[2,3]");
  ExpectSays(fb::UniqueT(), {kBools}, "different elements of bool");
  ExpectSays(fb::GatherElementsT(), {x, x}, "indices: expected int64 or int32, got float32");
  ExpectSays(fb::GatherNDT(), {x, x}, "indices: expected int64 or int32, got float32");
  ExpectSays(fb::ScatterNDT(), {x, x, x}, "indices: expected int64 or int32, got float32");
  ExpectSays(fb::ScatterElementsT(), {x, LongType({2, 3}), kDoubles},
             "expected x and updates of one type");
  ExpectSays(fb::GridSampleT(), {kBools, x}, "x " + float_or_double);
  ExpectSays(fb::GridSampleT(), {x, kDoubles}, "expected x and grid of one type");
  ExpectSays(fb::RoiAlignT(), {kBools, x, LongType({2})}, "x " + float_or_double);
  ExpectSays(fb::RoiAlignT(), {x, kDoubles, LongType({2})}, "expected x and rois of one type");
  ExpectSays(fb::RoiAlignT(), {x, x, x}, "indices: expected int64 or int32, got float32");
  ExpectSays(fb::NonMaxSuppressionT(), {kBools, x}, "boxes " + float_or_double);
  ExpectSays(fb::NonMaxSuppressionT(), {x, kDoubles}, "expected boxes and scores of one type");
  ExpectSays(fb::PadT(), {x, LongType({4}), kDoubles}, "expected x and value of one type");
  ExpectSays(fb::RangeT(), {kBools, kBools, kBools}, "start: expected float32, float64");
  ExpectSays(fb::OneHotT(), {kBools, LongType({}), LongType({2})}, "indices: expected int64, int32");
  ExpectSays(fb::ConcatT(), {x, kDoubles}, "expected input 0 and input 1 of one type");
  ExpectSays(fb::ConcatT(), {x, std::nullopt}, "input 1 is required and left out");
  ExpectSays(fb::ReshapeT(), {x, x}, "shape: expected int64 or int32, got float32");
}

TEST(Refusals, UnknownKinds) {
  const Type x = FloatType({2, 3});
  ExpectSays(With<fb::BinaryT>([](auto& f) { f.kind = static_cast<fb::BinaryKind>(99); }), {x, x},
             "unknown operation 99");
  ExpectSays(With<fb::BinaryT>([](auto& f) { f.activation = Activation(static_cast<kernels::UnaryKind>(250)); }), {x, x},
             "unknown activation 250");
  ExpectSays(With<fb::BinaryT>([](auto& f) {
    f.activation = Activation(kernels::UnaryKind::kSelu);
  }), {LongType({2}), LongType({2})}, "an activation needs a float result");
  ExpectSays(With<fb::UnaryT>([](auto& f) { f.activation = Activation(static_cast<kernels::UnaryKind>(250)); }), {x},
             "unknown function 250");
  ExpectSays(With<fb::UnaryT>([](auto& f) {
    f.activation = Activation(kernels::UnaryKind::kNot);
  }), {x}, "does not take float32");
  ExpectSays(With<fb::ScaleShiftT>([](auto& f) {
    f.activation = Activation(kernels::UnaryKind::kIsNaN);
  }), {x, FloatType({3}), FloatType({3})}, "unknown activation");
  ExpectSays(With<fb::CastT>([](auto& f) { f.to = 99; }), {x}, "unknown element type 99");
  ExpectSays(With<fb::ConstantOfShapeT>([](auto& f) { f.to = 99; }), {LongType({2})}, "99");
  ExpectSays(With<fb::ReduceT>([](auto& f) { f.kind = static_cast<fb::ReduceKind>(99); }), {x},
             "unknown kind of reduction 99");
  ExpectSays(With<fb::PadT>([](auto& f) { f.mode = static_cast<fb::PadMode>(99); }),
             {x, LongType({4})}, "mode: unknown value 99");
  ExpectSays(With<fb::ScatterNDT>([](auto& f) {
    f.reduction = static_cast<fb::ScatterReduction>(99);
  }), {x, LongType({2, 1}), x}, "reduction: unknown value 99");
  ExpectSays(With<fb::ScatterNDT>([](auto& f) { f.reduction = fb::ScatterReduction::Add; }),
             {kHalves, LongType({2, 1}), kHalves}, "reduction of float16");
  ExpectSays(With<fb::GridSampleT>([](auto& f) { f.mode = static_cast<fb::ResizeMode>(99); }),
             {FloatType({1, 1, 2, 2}), FloatType({1, 2, 2, 2})}, "unknown mode or padding");
  ExpectSays(With<fb::GridSampleT>([](auto& f) { f.padding = static_cast<fb::GridPadding>(99); }),
             {FloatType({1, 1, 2, 2}), FloatType({1, 2, 2, 2})}, "unknown mode or padding");
}

TEST(Refusals, ReductionsAndAxes) {
  const Type x = FloatType({2, 3});
  ExpectSays(fb::ReduceT(), {x, x}, "expected axes of type int64, got float32[2,3]");
  ExpectSays(fb::ReduceT(), {x, LongType({2, 2})}, "expected axes of rank 1, got int64[2,2]");
  ExpectSays(fb::CumSumT(), {x, LongType({2})}, "expected one axis, got int64[2]",
             {Tensor(), Longs({0, 1})});
  ExpectSays(fb::CumSumT(), {x, LongType({})}, "axis 7 is outside", {Tensor(), Long(7)});
  ExpectSays(fb::ArgReduceT(), {FloatType({0, 3})}, "axis 0 of float32[0,3] is empty");
  ExpectSays(fb::TopKT(), {x, LongType({2})}, "expected one number k", {Tensor(), Longs({1, 2})});
  ExpectSays(fb::TopKT(), {x, LongType({1})}, "expected k of at least 0", {Tensor(), Longs({-1})});
  ExpectSays(fb::TopKT(), {x, LongType({1})}, "expected k of at most 3", {Tensor(), Longs({4})});
  const auto sum = [](fb::ReduceKind kind, Sizes axes) {
    return With<fb::ReduceT>([&](auto& f) { f.kind = kind, f.axes = axes; });
  };
  const Types with_scale = {x, std::nullopt, FloatType({3}), FloatType({3})};
  const std::vector<Tensor> known = {Tensor(), Tensor(), Counting({3}), Counting({3})};
  EXPECT_TRUE(InferTypes(sum(fb::ReduceKind::Sum, {0}), with_scale, known).ok());
  const std::string words = "expected a prologue only of sums and means";
  ExpectSays(sum(fb::ReduceKind::Max, {0}), with_scale, words, known);
  ExpectSays(sum(fb::ReduceKind::Sum, {1}), with_scale, words, known);
  ExpectSays(sum(fb::ReduceKind::Sum, {0}), {LongType({2, 3}), std::nullopt, LongType({3}), LongType({3})},
             words, {Tensor(), Tensor(), Longs({1, 2, 3}), Longs({1, 2, 3})});
  ExpectSays(sum(fb::ReduceKind::Sum, {}), {FloatType({}), std::nullopt, FloatType({3}), FloatType({3})},
             words, known);
  ExpectSays(sum(fb::ReduceKind::Sum, {0}), with_scale, "expected constant scale of float32");
  ExpectSays(sum(fb::ReduceKind::Sum, {0}),
             {x, std::nullopt, FloatType({2}), FloatType({3})}, "scale: expected [3], got [2]",
             {Tensor(), Tensor(), Counting({2}), Counting({3})});
}

fb::PoolT MaxPool(Sizes kernel = {2}) {
  fb::PoolT fields;
  fields.window = std::make_unique<fb::WindowT>();
  fields.window->kernel = std::move(kernel);
  return fields;
}

TEST(Refusals, Pool) {
  const Types x = {FloatType({1, 1, 6})};
  const auto changed = [](auto&& change) {
    fb::PoolT fields = MaxPool();
    change(fields);
    return fields;
  };
  EXPECT_TRUE(InferTypes(MaxPool(), x).ok());
  ExpectSays(changed([](auto& f) { f.kind = static_cast<fb::PoolKind>(9); }), x, "unknown kind of pooling 9");
  ExpectSays(changed([](auto& f) { f.kind = fb::PoolKind::Lp, f.p = 0; }), x, "expected p of at least 1, got 0");
  ExpectSays(changed([](auto& f) { f.storage_order = 2; }), x, "expected storage_order 0 or 1, got 2");
  ExpectSays(fb::PoolT(), x, "the window is missing");
  ExpectSays(MaxPool({0}), x, "expected kernel sizes of at least 1, got 0");
  ExpectSays(MaxPool(), {Of(ElementType::kBool, {1, 1, 6})}, "pooling of bool");
  ExpectSays(changed([](auto& f) { f.kind = fb::PoolKind::Average; }), {LongType({1, 1, 6})}, "pooling of int64");
  ExpectSays(MaxPool({}), {FloatType({1, 6})}, "expected an input of rank 3, 4 or 5");
  ExpectSays(changed([](auto& f) { f.kind = fb::PoolKind::Average; }), x,
             "only maximum pooling has indices", {}, 2);
  ExpectSays(changed([](auto& f) { f.window->pads = {2, 0}; }), x, "expected pads smaller than");
  ExpectSays(changed([](auto& f) { f.window->pads = {0, 2}; }), x, "expected pads smaller than");
  ExpectSays(changed([](auto& f) { f.window->kernel = f.window->dilations = {kMaxTensorBytes}; }),
             {FloatType({1, 1, -1})}, "the window's extent overflows 64 bits");
}

TEST(Refusals, Windows) {
  const auto pool = [](auto&& change, Shape in = {1, 1, 6}) {
    fb::PoolT fields = MaxPool();
    change(*fields.window);
    return Text(InferTypes(std::move(fields), {FloatType(std::move(in))}));
  };
  EXPECT_EQ(pool([](auto& w) { w.kernel = {2, 2}; }), "3: expected 1 kernel sizes, got 2");
  EXPECT_EQ(pool([](auto& w) { w.strides = {1, 1}; }), "3: expected 1 strides, got 2");
  EXPECT_EQ(pool([](auto& w) { w.dilations = {1, 1}; }), "3: expected 1 dilations, got 2");
  EXPECT_EQ(pool([](auto& w) { w.pads = {1}; }), "3: expected 2 pads, got 1");
  EXPECT_EQ(pool([](auto& w) { w.strides = {0}; }), "3: expected strides of at least 1, got [0]");
  EXPECT_EQ(pool([](auto& w) { w.dilations = {0}; }), "3: expected dilations of at least 1, got [0]");
  EXPECT_EQ(pool([](auto& w) { w.pads = {-1, 0}; }), "3: expected pads of at least 0, got [?,0]");
  EXPECT_EQ(pool([](auto& w) { w.auto_pad = static_cast<fb::AutoPad>(9); }), "3: unknown auto_pad 9");
  EXPECT_EQ(pool([](auto& w) { w.kernel = {2, 2, 2, 2}; }, {1, 1, 6, 6, 6, 6}),
            "4: expected 1, 2 or 3 spatial dimensions, got 4");
}

fb::ResizeT Resize() { return {}; }

TEST(Refusals, Resize) {
  const Type x = FloatType({1, 1, 2, 4}), four = LongType({4}), scales = FloatType({4});
  const Types by_sizes = {x, std::nullopt, std::nullopt, four};
  const Types by_scales = {x, std::nullopt, scales};
  const auto sizes = [](Sizes s) { return std::vector<Tensor>{{}, {}, {}, Longs(s)}; };
  const auto factors = [](std::vector<float> s) {
    return std::vector<Tensor>{{}, {}, Tensor::Vector<float>(s)};
  };
  EXPECT_TRUE(InferTypes(Resize(), by_sizes, sizes({1, 1, 4, 8})).ok());
  const std::string kinds = "unknown mode, coordinates, nearest mode or aspect policy";
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.mode = static_cast<fb::ResizeMode>(9); }), by_sizes, kinds);
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.coordinates = static_cast<fb::CoordinateMode>(99); }), by_sizes, kinds);
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.nearest = static_cast<fb::NearestMode>(9); }), by_sizes, kinds);
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.aspect = static_cast<fb::AspectPolicy>(9); }), by_sizes, kinds);
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.cubic_a = kNaN; }), by_sizes, "cubic_a is not finite");
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.mode = fb::ResizeMode::Linear; }),
             {Of(ElementType::kBool), {}, {}, four}, "this mode of resizing for bool");
  ExpectSays(Resize(), {x}, "expected either scales or sizes, got both or none");
  ExpectSays(Resize(), {x, std::nullopt, scales, four}, "expected either scales or sizes");
  ExpectSays(Resize(), {x, {}, {}, scales}, "expected sizes of type int64, got float32[4]");
  ExpectSays(Resize(), by_sizes, "expected 4 sizes, got 3", sizes({1, 1, 4}));
  ExpectSays(Resize(), by_sizes, "expected sizes of at least 0, got -1", sizes({1, 1, 4, -1}));
  ExpectSays(Resize(), by_sizes, "expected sizes of at least 0, got", sizes({1, 1, 4, INT64_MAX}));
  ExpectSays(Resize(), {FloatType({1, 1, 0, 4}), {}, {}, four}, "an empty axis cannot grow to size 4",
             sizes({1, 1, 4, 8}));
  ExpectSays(Resize(), by_scales, "expected 4 scales, got 1", factors({1}));
  for (const float wrong : {0.0f, -1.0f, kNaN, std::numeric_limits<float>::infinity()}) {
    ExpectSays(Resize(), by_scales, "expected positive finite scales", factors({1, 1, 1, wrong}));
  }
  ExpectSays(Resize(), by_scales, "scaled by", factors({1, 1, 1, 1e30f}));
  ExpectSays(With<fb::ResizeT>([](auto& f) { f.aspect = fb::AspectPolicy::NotSmaller; }), by_sizes,
             "scaled by", sizes({1, 1, kMaxTensorBytes, 4}));
  const auto crops = [] {
    return With<fb::ResizeT>([](auto& f) { f.coordinates = fb::CoordinateMode::TfCropAndResize; });
  };
  ExpectSays(crops(), by_sizes, "expected an input roi, got none", sizes({1, 1, 4, 8}));
  const Types by_roi = {x, FloatType({8}), std::nullopt, four};
  const auto roi = [](std::vector<float> r) {
    return std::vector<Tensor>{{}, Tensor::Vector<float>(r), {}, Longs({1, 1, 4, 8})};
  };
  EXPECT_TRUE(InferTypes(crops(), by_roi, roi({0, 0, 0, 0, 1, 1, 1, 1})).ok());
  ExpectSays(crops(), by_roi, "expected 8 numbers in roi, got 2", roi({0, 1}));
  ExpectSays(crops(), by_roi, "expected finite numbers in roi", roi({0, 0, 0, kNaN, 1, 1, 1, 1}));
  ExpectSays(crops(), by_roi, "expected finite numbers in roi", roi({0, 0, 0, 0, 1, 1, 1, kNaN}));
}

TEST(Refusals, Detection) {
  const Type x = FloatType({1, 1, 4, 4}), rois = FloatType({3, 4}), pictures = LongType({3});
  const auto align = [](auto&& change) { return With<fb::RoiAlignT>(change); };
  EXPECT_TRUE(InferTypes(fb::RoiAlignT(), {x, rois, pictures}).ok());
  ExpectSays(align([](auto& f) { f.height = 0; }), {x, rois, pictures}, "of at least 1x1, got 0x1");
  ExpectSays(align([](auto& f) { f.width = 0; }), {x, rois, pictures}, "of at least 1x1, got 1x0");
  ExpectSays(align([](auto& f) { f.samples = -1; }), {x, rois, pictures}, "sampling ratio of 0 to 1024, got -1");
  ExpectSays(align([](auto& f) { f.samples = 1025; }), {x, rois, pictures}, "sampling ratio of 0 to 1024, got 1025");
  ExpectSays(align([](auto& f) { f.scale = kNaN; }), {x, rois, pictures}, "the spatial scale is not finite");
  const std::string fit = "expected x [n,c,h,w], rois [k,4] and batch indices [k]";
  ExpectSays(fb::RoiAlignT(), {FloatType({1, 4, 4}), rois, pictures}, fit);
  ExpectSays(fb::RoiAlignT(), {x, FloatType({3, 5}), pictures}, fit);
  ExpectSays(fb::RoiAlignT(), {x, rois, LongType({3, 1})}, fit);
  ExpectSays(fb::RoiAlignT(), {x, rois, LongType({2})}, fit);
  const Status empty = PrepareStatus(fb::RoiAlignT(), {FloatType({1, 1, 0, 4}), rois, pictures},
                                     {FloatType({3, 1, 1, 1})});
  EXPECT_EQ(empty.message(), "there is nothing to sample in float32[1,1,0,4]");
  const Status nothing = PrepareStatus(
      fb::GridSampleT(), {FloatType({1, 1, 0, 4}), FloatType({1, 2, 2, 2})}, {FloatType({1, 1, 2, 2})});
  EXPECT_EQ(nothing.message(), "there is nothing to sample in float32[1,1,0,4]");
  const std::string places = "expected x [n, c, 1 to 3 sizes] and grid";
  ExpectSays(fb::GridSampleT(), {FloatType({1, 1}), FloatType({1, 0})}, places);
  ExpectSays(fb::GridSampleT(), {FloatType({1, 1, 2, 2, 2, 2}), FloatType({1, 2, 2, 2, 2, 4})}, places);
  ExpectSays(fb::GridSampleT(), {x, FloatType({1, 2, 2})}, places);
  ExpectSays(fb::GridSampleT(), {x, FloatType({2, 2, 2, 2})}, places);
  ExpectSays(fb::GridSampleT(), {x, FloatType({1, 2, 2, 3})}, places);

  const Type boxes = FloatType({1, 5, 4}), scores = FloatType({1, 2, 5});
  EXPECT_TRUE(InferTypes(fb::NonMaxSuppressionT(), {boxes, scores}).ok());
  ExpectSays(fb::NonMaxSuppressionT(), {FloatType({5, 4}), scores}, "expected boxes of 3 dimensions");
  ExpectSays(fb::NonMaxSuppressionT(), {boxes, FloatType({2, 5})}, "expected scores of 3 dimensions");
  ExpectSays(fb::NonMaxSuppressionT(), {FloatType({1, 5, 3}), scores}, "expected 4 numbers for a box");
  ExpectSays(fb::NonMaxSuppressionT(), {boxes, FloatType({1, 2, 6})}, "do not fit scores");
  ExpectSays(fb::NonMaxSuppressionT(), {boxes, FloatType({2, 2, 5})}, "do not fit scores");
  ExpectSays(fb::NonMaxSuppressionT(), {boxes, scores, LongType({2})},
             "input 2: expected one number, got int64[2]",
             {Counting({1, 5, 4}), Counting({1, 2, 5}), Longs({1, 2})});
}

TEST(Refusals, Products) {
  const Type x = FloatType({1, 4, 6}), w = FloatType({2, 4, 3});
  const auto conv = [](auto&& change) {
    fb::ConvT fields;
    fields.window = std::make_unique<fb::WindowT>();
    change(fields);
    return fields;
  };
  const auto plain = [&] { return conv([](auto&) {}); };
  EXPECT_TRUE(InferTypes(plain(), {x, w}).ok());
  ExpectSays(fb::ConvT(), {x, w}, "the window is missing");
  ExpectSays(conv([](auto& f) { f.group = 0; }), {x, w}, "expected a group of at least 1, got 0");
  ExpectSays(conv([](auto& f) { f.group = kMaxTensorBytes + 1; }), {x, w}, "expected a group of at least 1");
  ExpectSays(plain(), {FloatType({4, 6}), FloatType({2, 4})}, "expected x of rank 3 to 5");
  ExpectSays(plain(), {x, FloatType({2, 4})}, "expected weights of rank 3");
  ExpectSays(conv([](auto& f) { f.window->kernel = {2}; }), {x, w}, "expected weights of kernel [2]");
  ExpectSays(conv([](auto& f) { f.window->kernel = {3, 3}; }), {x, w}, "expected weights of kernel [3,3]");
  ExpectSays(conv([](auto& f) { f.group = 4; }), {x, FloatType({2, 1, 3})}, "expected a multiple of group 4");
  ExpectSays(plain(), {x, FloatType({2, 3, 3})}, "need 3*1 input channels, got 4");
  ExpectSays(conv([](auto& f) { f.group = 3; }), {x, FloatType({3, -1, 3})},
             "expected input channels in multiples of group 3, got 4");
  ExpectSays(plain(), {x, kBools}, "expected weights of float32 or float64, got bool");
  ExpectSays(plain(), {x, Of(ElementType::kFloat64, {2, 4, 3})}, "expected weights of float32 as x, got float64");
  ExpectSays(plain(), {x, w, FloatType({3})}, "bias: expected [2], got [3]");
  ExpectSays(plain(), {x, w, {}, FloatType({1, 2, 5})}, "residual: expected [1,2,4], got [1,2,5]");
  ExpectSays(plain(), {x, w, {}, {}, FloatType({2, 3})}, "expected a tap bias of constant float64");
  ExpectSays(plain(), {x, w, {}, {}, Of(ElementType::kFloat64, {2, 2})},
             "tap bias: expected [2,3], got [2,2]",
             {{}, {}, {}, {}, Tensor::Make(ElementType::kFloat64, {2, 2})});
  ExpectSays(plain(), {x, w, {}, {}, {}, FloatType({4}), FloatType({4})}, "expected constant scale of float32");

  const auto packed = [&](int64_t out, uint8_t layout, int64_t group = 1) {
    return conv([&](auto& f) {
      f.weight_layout = layout, f.out_channels = out, f.group = group, f.window->kernel = {3};
    });
  };
  const auto panels = static_cast<uint8_t>(kernels::WeightLayout::kPanels16);
  const auto taps = static_cast<uint8_t>(kernels::WeightLayout::kTapsChannels);
  const auto known = [](Shape shape) { return std::vector<Tensor>{{}, Counting(std::move(shape))}; };
  EXPECT_TRUE(InferTypes(packed(2, panels), {x, FloatType({192})}, known({192})).ok());
  ExpectSays(packed(2, panels), {x, FloatType({192})}, "expected packed weights to be a constant of rank 1");
  ExpectSays(packed(2, panels), {x, FloatType({16, 12})}, "to be a constant of rank 1", known({16, 12}));
  ExpectSays(packed(0, panels), {x, FloatType({192})}, "expected out_channels in multiples of group 1, got 0", known({192}));
  ExpectSays(packed(3, panels, 2), {x, FloatType({192})}, "expected out_channels in multiples of group 2, got 3", known({192}));
  ExpectSays(packed(3, panels, 3), {x, FloatType({192})}, "expected input channels in multiples of group 3", known({192}));
  ExpectSays(packed(2, panels), {x, FloatType({191})}, "expected 192 packed weights, got 191", known({191}));
  ExpectSays(packed(2, taps), {x, FloatType({192})}, "does not hold 4 inputs a group", known({192}));

  const auto matmul = [](auto&& change) { return With<fb::MatMulT>(change); };
  const Type a = FloatType({2, 4}), b = FloatType({64});
  const auto fits = [&](fb::MatMulT& f) { f.weight_layout = panels, f.weight_rows = 4, f.weight_columns = 5; };
  EXPECT_TRUE(InferTypes(matmul(fits), {a, b}, known({64})).ok());
  ExpectSays(matmul([&](auto& f) { fits(f), f.weight_layout = 99; }), {a, b}, "unknown weight layout 99", known({64}));
  ExpectSays(matmul([&](auto& f) { fits(f), f.transpose_b = true; }), {a, b}, "packed weights cannot be transposed", known({64}));
  ExpectSays(matmul(fits), {a, b}, "expected packed weights to be a constant of rank 1, got a computed value");
  ExpectSays(matmul(fits), {a, FloatType({4, 16})}, "to be a constant of rank 1, got float32[4,16]", known({4, 16}));
  ExpectSays(matmul([&](auto& f) { fits(f), f.weight_rows = 3; }), {FloatType({2, 3}), b}, "expected 48 packed weights", known({64}));
  const auto half = [&](fb::MatMulT& f) { fits(f), f.weight_layout = static_cast<uint8_t>(kernels::WeightLayout::kPanels16Half); };
  const Type halves = Of(ElementType::kFloat16, {64});
  const std::vector<Tensor> known_halves = {{}, Tensor::Make(ElementType::kFloat16, {64})};
  EXPECT_TRUE(InferTypes(matmul(half), {a, halves}, known_halves).ok());
  ExpectSays(matmul(half), {a, b}, "expected packed weights of float16, got float32", known({64}));
  ExpectSays(matmul(half), {Of(ElementType::kFloat64, {2, 4}), halves}, "expected b of float64 as a, got float32", known_halves);
  ExpectSays(matmul(half), {a, halves}, "expected packed weights to be a constant of rank 1, got a computed value");
  ExpectSays(matmul(half), {a}, "expected an input b, got none");
  ExpectSays(matmul(fits), {a, halves}, "expected b of float32 or float64, got float16", known_halves);
  ExpectSays(fb::MatMulT(), {a, FloatType({})}, "expected b of rank 1 or more");
  ExpectSays(matmul([](auto& f) { f.transpose_a = true; }), {FloatType({4}), FloatType({4, 2})}, "a 1-D a cannot be transposed");
  ExpectSays(fb::MatMulT(), {a, FloatType({5, 2})}, "expected b with 4 rows as a has columns, got 5");
  ExpectSays(fb::MatMulT(), {FloatType({2, 2, 4}), FloatType({3, 4, 2})}, "batches [2] and [3] do not broadcast");
  ExpectSays(fb::MatMulT(), {a, FloatType({4, 2}), FloatType({3})}, "c: expected a shape that broadcasts to [2,2]");
  ExpectSays(fb::MatMulT(), {a, FloatType({4, 2}), {}, FloatType({2, 3})}, "residual: expected [2,2], got [2,3]");
}

TEST(Refusals, TransposedConvolutions) {
  const Type x = FloatType({1, 4, 6}), w = FloatType({4, 2, 3});
  const auto conv = [](auto&& change) {
    fb::ConvTransposeT fields;
    fields.window = std::make_unique<fb::WindowT>();
    change(fields);
    return fields;
  };
  const auto plain = [&] { return conv([](auto&) {}); };
  EXPECT_TRUE(InferTypes(plain(), {x, w}).ok());
  ExpectSays(fb::ConvTransposeT(), {x, w}, "the window is missing");
  ExpectSays(conv([](auto& f) { f.group = 0; }), {x, w}, "expected a group of at least 1, got 0");
  ExpectSays(conv([](auto& f) { f.group = kMaxTensorBytes + 1; }), {x, w}, "expected a group of at least 1");
  ExpectSays(plain(), {FloatType({4, 6}), FloatType({4, 2})}, "expected x of rank 3 to 5");
  ExpectSays(conv([](auto& f) { f.group = 3; }), {x, w}, "expected input channels in multiples of group 3, got 4");
  ExpectSays(plain(), {x, FloatType({4, 2})}, "expected weights of rank 3");
  ExpectSays(conv([](auto& f) { f.window->kernel = {2}; }), {x, w}, "expected weights of kernel [2]");
  ExpectSays(plain(), {x, FloatType({3, 2, 3})}, "need 3 input channels, got 4");
  ExpectSays(conv([](auto& f) { f.group = 4; }), {x, FloatType({4, kMaxTensorBytes, 3})}, "output channels overflows");
  ExpectSays(conv([](auto& f) { f.group = 4; }), {x, FloatType({4, INT64_MAX, 3})}, "output channels overflows");
  ExpectSays(plain(), {x, w, FloatType({3})}, "bias: expected [2], got [3]");
  ExpectSays(plain(), {x, w, {}, FloatType({2, 3})}, "expected a tap bias of constant float64");
  ExpectSays(conv([](auto& f) { f.output_padding = {1, 1}; }), {x, w}, "expected 1 output paddings, got 2");
  ExpectSays(conv([](auto& f) { f.output_shape = {9, 9}; }), {x, w}, "expected 1 output sizes, got 2");
  ExpectSays(conv([](auto& f) { f.output_padding = {-1}; }), {x, w}, "expected output paddings of at least 0");
  ExpectSays(conv([](auto& f) { f.output_shape = {0}; }), {x, w}, "expected output sizes of at least 1");
  ExpectSays(conv([](auto& f) { f.window->pads = {9, 9}; }), {x, w}, "an output of size -10 from an image");
  ExpectSays(conv([](auto& f) { f.window->strides = {kMaxTensorBytes}; }), {x, w}, "the window's sizes overflow");
  ExpectSays(conv([](auto& f) { f.window->strides = {kMaxTensorBytes}; }), {FloatType({1, 4, kMaxTensorBytes}), w},
             "the window's sizes overflow");
}

TEST(Refusals, Recurrent) {
  const auto rnn = [](auto&& change) {
    fb::RecurrentT fields;
    fields.hidden = 2;
    fields.activations.resize(1);
    change(fields);
    return fields;
  };
  const auto plain = [&] { return rnn([](auto&) {}); };
  const Type x = FloatType({5, 1, 3}), w = FloatType({1, 2, 3}), r = FloatType({1, 2, 2});
  EXPECT_TRUE(InferTypes(plain(), {x, w, r}).ok()) << Text(InferTypes(plain(), {x, w, r}));
  ExpectSays(rnn([](auto& f) { f.kind = static_cast<fb::RecurrentKind>(9); }), {x, w, r}, "unknown kind or direction");
  ExpectSays(rnn([](auto& f) { f.direction = static_cast<fb::RecurrentDirection>(9); }), {x, w, r}, "unknown kind or direction");
  ExpectSays(rnn([](auto& f) { f.hidden = 0; }), {x, w, r}, "expected at least one hidden unit");
  for (const float clip : {-1.0f, kNaN}) {
    ExpectSays(rnn([&](auto& f) { f.clip = clip; }), {x, w, r}, "and a clip of 0 or more");
  }
  ExpectSays(rnn([](auto& f) { f.activations.resize(2); }), {x, w, r}, "expected 1 activations, got 2");
  ExpectSays(rnn([](auto& f) { f.activations[0] = Activation(static_cast<kernels::UnaryKind>(250)); }), {x, w, r}, "unknown activation 250");
  ExpectSays(plain(), {x, w, r, {}, {}, {}, {}}, "expected at most 6 inputs, got 7");
  ExpectSays(plain(), {x, w}, "expected an input r, got none");
  ExpectSays(plain(), {x, w, r, {}, LongType({1})}, "expected lengths of int32, got int64");
  ExpectSays(plain(), {kBools, w, r}, "expected x to be float32 or float64, got bool");
  ExpectSays(plain(), {x, kDoubles, r}, "expected x and w of one type");
  ExpectSays(plain(), {x, w, r}, "expected at most 2 outputs, got 3", {}, 3);
  ExpectSays(plain(), {FloatType({5, 3}), w, r}, "x: expected [?,?,?], got [5,3]");
  ExpectSays(rnn([](auto& f) {
    f.kind = fb::RecurrentKind::Lstm, f.hidden = INT64_MAX, f.activations.resize(3);
  }), {x, w, r}, "the hidden size is too large");
  ExpectSays(plain(), {x, FloatType({1, 2, 4}), r}, "w: expected [1,2,3], got [1,2,4]");
  ExpectSays(plain(), {x, w, FloatType({2, 2, 2})}, "r: expected [1,2,2], got [2,2,2]");
}

TEST(Refusals, WhatOnlyARunKnowsIsLeftToIt) {
  const auto deferred = [](const Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.message();
  };
  const Type x = FloatType({2, 3});
  deferred(PrepareStatus(fb::CumSumT(), {x, LongType({})}, {x}));
  deferred(PrepareStatus(fb::TopKT(), {x, LongType({1})}, {FloatType({2, 1})}));
  deferred(PrepareStatus(fb::ReduceT(), {x, LongType({1})}, {FloatType({2, 1})}));
  deferred(PrepareStatus(fb::OneHotT(), {x, LongType({}), FloatType({2})}, {FloatType({2, 3, 4})}));
  deferred(PrepareStatus(fb::RangeT(), {FloatType({}), FloatType({}), FloatType({})}, {FloatType({4})}));
  deferred(PrepareStatus(fb::ReshapeT(), {x, LongType({2})}, {x}));
  deferred(PrepareStatus(fb::NonZeroT(), {x}, {LongType({2, 1})}));
  deferred(PrepareStatus(fb::UniqueT(), {x}, {FloatType({2})}));
  deferred(PrepareStatus(fb::TileT(), {x, LongType({2})}, {x}));
  deferred(PrepareStatus(fb::ExpandT(), {x, LongType({2})}, {x}));
  deferred(PrepareStatus(fb::PadT(), {x, LongType({4})}, {x}));
  deferred(PrepareStatus(fb::SliceT(), {x, LongType({1}), LongType({1})}, {x}));
}

}  // namespace
}  // namespace pleat::runtime
