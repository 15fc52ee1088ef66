// What type rules make of inputs of which little is known: no rank, no size, no number.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/activation.h"
#include "tests/runtime/movement_support.h"

namespace pleat::runtime {
namespace {

using tests::Counting;
using tests::Doubles;
using tests::Evaluate;
using tests::FloatType;
using tests::InferTypes;
using tests::Long;
using tests::Longs;
using tests::LongType;
using tests::Numbers;
using tests::PrepareStatus;
using tests::Text;
using tests::UnrankedFloats;
using Types = std::vector<std::optional<Type>>;

const Type kAny = UnrankedFloats(), kAnyLongs = {ElementType::kInt64, false, {}};

template <class T, class Change>
T With(Change&& change) {
  T fields;
  change(fields);
  return fields;
}

template <class T>
std::string Says(T fields, const Types& inputs, const std::vector<Tensor>& known = {},
                 size_t outputs = 1) {
  return Text(InferTypes(std::move(fields), inputs, known, outputs));
}

TEST(UnknownTypes, ParametersOfChannels) {
  const Type x = FloatType({2, -1, 4}), three = FloatType({3});
  const auto shift = [] { return With<fb::ScaleShiftT>([](auto& f) { f.axis = 1; }); };
  EXPECT_EQ(Says(shift(), {x, kAny, kAny}), "float32[2,?,4]");
  EXPECT_EQ(Says(shift(), {x, kAny, three}), "float32[2,3,4]");
  EXPECT_EQ(Says(fb::InstanceNormT(), {x, kAny, kAny}), "float32[2,?,4]");
  EXPECT_EQ(Says(fb::InstanceNormT(), {x, three, kAny}), "float32[2,3,4]");
  const auto norm = [] { return With<fb::BatchNormTrainingT>([](auto& f) { f.axis = 1; }); };
  EXPECT_EQ(Says(norm(), {x, kAny, kAny, kAny, kAny}), "float32[2,?,4]");
  EXPECT_EQ(Says(norm(), {x, kAny, kAny, three, kAny}), "float32[2,3,4]");
  EXPECT_EQ(Says(norm(), {x, three, kAny, FloatType({4}), kAny}).substr(0, 11), "3: expected");
  const auto layers = [] { return With<fb::LayerNormT>([](auto& f) { f.axis = -1; }); };
  EXPECT_EQ(Says(layers(), {kAny, three}), Text(InferTypes(layers(), {kAny, kAny})));
  EXPECT_EQ(Says(layers(), {x, kAny, FloatType({4})}), "float32[2,?,4]");
}

TEST(UnknownTypes, ShapesThatComeWithTheRun) {
  const Type x = FloatType({2, 3}), three = LongType({3}), open = LongType({-1});
  const std::string unranked = Text(InferTypes(fb::ReshapeT(), {x, kAnyLongs}));
  EXPECT_EQ(unranked, TypeText(kAny));
  EXPECT_EQ(Says(fb::ReshapeT(), {x, open}), unranked);
  EXPECT_EQ(Says(fb::ReshapeT(), {x, three}), "float32[?,?,?]");
  for (const Type& shape : {open, kAnyLongs}) {
    EXPECT_EQ(Says(fb::ConstantOfShapeT(), {shape}), unranked);
    EXPECT_EQ(Says(fb::TileT(), {kAny, shape}), unranked);
  }
  EXPECT_EQ(Says(fb::ConstantOfShapeT(), {three}), "float32[?,?,?]");
  EXPECT_EQ(Says(fb::TileT(), {kAny, three}), "float32[?,?,?]");
  EXPECT_EQ(Says(fb::TileT(), {x, three}), "3: repeats: expected 2 entries, got 3");
  EXPECT_EQ(Says(fb::TileT(), {x, open}), "float32[?,?]");
  EXPECT_EQ(Says(fb::SqueezeT(), {FloatType({1, 3, 1}), LongType({2})}), "float32[?]");
  EXPECT_EQ(Says(fb::SqueezeT(), {FloatType({1, 3, 1}), open}), unranked);
  EXPECT_EQ(Says(fb::SplitT(), {x, three}), "3: sizes: expected one for each of 1 outputs, got 3");
  EXPECT_EQ(Says(fb::SplitT(), {x, open}), "float32[?,3]");
  EXPECT_EQ(Says(fb::SplitT(), {kAny, LongType({1})}), unranked);
  EXPECT_EQ(Says(fb::ShapeOfT(), {kAny}), "int64[?]");
  EXPECT_EQ(Says(fb::SizeOfT(), {kAny}), "int64[]");
  const auto reshaped = [](Shape in, std::vector<int64_t> to, bool allow_zero) {
    return Says(With<fb::ReshapeT>([&](auto& f) { f.allow_zero = allow_zero; }),
                {FloatType(std::move(in)), LongType({static_cast<int64_t>(to.size())})}, {{}, Longs(to)});
  };
  EXPECT_EQ(reshaped({2, 3}, {-1, 6}, false), "float32[1,6]");
  EXPECT_EQ(reshaped({0, 3}, {0, -1, 3}, false), "float32[0,1,3]");
  EXPECT_EQ(reshaped({2, 3}, {-1, 0, 5}, false).substr(0, 9), "3: shape:");
}

// Of tensors without a rank only the elements are known, whatever is done to them.
TEST(UnknownTypes, NoRank) {
  const std::string floats = TypeText(kAny), longs = TypeText(kAnyLongs);
  const Type three = FloatType({3}), pairs = LongType({2, 2}), axes = LongType({1});
  EXPECT_EQ(Says(fb::ArgReduceT(), {kAny}), longs);
  EXPECT_EQ(Says(fb::BatchNormTrainingT(), {kAny, three, three, three, three}), floats);
  EXPECT_EQ(Says(fb::InstanceNormT(), {kAny, three, three}), floats);
  EXPECT_EQ(Says(With<fb::LocalResponseNormT>([](auto& f) { f.size = 1; }), {kAny}), floats);
  EXPECT_EQ(Says(With<fb::DepthToSpaceT>([](auto& f) { f.block = 1; }), {kAny}), "float32[?,?,?,?]");
  EXPECT_EQ(Says(fb::GatherT(), {kAny, axes}), floats);
  EXPECT_EQ(Says(fb::GatherT(), {three, kAnyLongs}), floats);
  EXPECT_EQ(Says(fb::GatherNDT(), {kAny, pairs}), floats);
  EXPECT_EQ(Says(fb::ScatterNDT(), {three, kAnyLongs, kAny}), "float32[3]");
  EXPECT_EQ(Says(fb::ScatterNDT(), {three, LongType({2, -1}), kAny}), "float32[3]");
  EXPECT_EQ(Says(fb::OneHotT(), {kAnyLongs, LongType({}), FloatType({2})}), floats);
  EXPECT_EQ(Says(fb::PadT(), {kAny, LongType({4})}), floats);
  EXPECT_EQ(Says(fb::SliceT(), {kAny, axes, axes}), floats);
  EXPECT_EQ(Says(fb::TriluT(), {kAny}), floats);
  EXPECT_EQ(Says(fb::CumSumT(), {kAny, LongType({})}), floats);
  EXPECT_EQ(Says(fb::UnsqueezeT(), {three, kAnyLongs}), floats);
  EXPECT_EQ(Says(fb::UnsqueezeT(), {kAny, axes}), floats);
  EXPECT_EQ(Says(fb::RoiAlignT(), {kAny, kAny, kAnyLongs}), "float32[?,?,1,1]");
  EXPECT_EQ(Says(fb::SqueezeT(), {FloatType({1, 3, 1}), LongType({4})}),
            "3: axes: expected at most 3 entries, got 4");
}

TEST(UnknownTypes, Scalars) {
  const Type x = FloatType({2, 3});
  for (const Type& k : {kAnyLongs, LongType({}), LongType({1}), LongType({-1})}) {
    EXPECT_EQ(Says(fb::TriluT(), {x, k}), "float32[2,3]") << TypeText(k);
  }
  EXPECT_EQ(Says(fb::TriluT(), {x, LongType({2})}).substr(0, 2), "3:");
  EXPECT_EQ(Says(fb::TriluT(), {x, LongType({1, 1})}).substr(0, 2), "3:");
  EXPECT_EQ(Says(fb::CumSumT(), {x, {{ElementType::kInt32, true, {}}}}), "float32[2,3]");
  EXPECT_EQ(Says(fb::CumSumT(), {x, {{ElementType::kInt16, true, {}}}}).substr(0, 2), "3:");
  EXPECT_EQ(Says(fb::TopKT(), {x, {{ElementType::kInt32, true, {1}}}}), "float32[2,?]");
  EXPECT_EQ(Says(fb::OneHotT(), {{{ElementType::kFloat64, true, {4}}}, kAnyLongs, FloatType({2})}),
            "float32[4,?]");
  EXPECT_EQ(Says(fb::OneHotT(), {LongType({4}), LongType({2}), FloatType({2})}),
            "3: depth: expected a scalar, got int64[2]");
  EXPECT_EQ(Says(fb::OneHotT(), {LongType({4}), LongType({}), kAny}, {{}, Long(5)}), "float32[4,5]");
  const auto padded = [&](const Type& value) {
    return Says(fb::PadT(), {x, LongType({4}), value}, {{}, Longs({1, 0, 0, 1})});
  };
  EXPECT_EQ(padded(kAny), "float32[3,4]");
  EXPECT_EQ(padded(FloatType({1})), "float32[3,4]");
  EXPECT_EQ(padded(FloatType({2})), "3: value: expected a scalar, got float32[2]");
}

TEST(UnknownTypes, Reductions) {
  const auto sum = [](bool keep, bool noop = false) {
    return With<fb::ReduceT>([&](auto& f) {
      f.kind = fb::ReduceKind::Sum, f.keepdims = keep, f.noop_with_empty_axes = noop;
    });
  };
  const Type x = FloatType({2, 3});
  EXPECT_EQ(Says(sum(false), {kAny}), "float32[]");
  EXPECT_EQ(Says(sum(true), {kAny}), TypeText(kAny));
  EXPECT_EQ(Says(sum(false, true), {kAny}), TypeText(kAny));
  EXPECT_EQ(Says(sum(false), {kAny, LongType({1})}), TypeText(kAny));
  EXPECT_EQ(Says(sum(false), {kAny, LongType({0})}), "float32[]");
  EXPECT_EQ(Says(sum(true), {x, kAnyLongs}), "float32[?,?]");
  EXPECT_EQ(Says(sum(true), {x, LongType({0})}), "float32[1,1]");
  EXPECT_EQ(Says(sum(true), {x, {{ElementType::kInt32, true, {1}}}}), "float32[?,?]");
  EXPECT_EQ(PrepareStatus(With<fb::ReduceT>([](auto& f) { f.noop_with_empty_axes = true; }),
                          {x, LongType({0}), FloatType({3}), FloatType({3})}, {x}).message(),
            "expected no prologue of a copy");
}

TEST(UnknownTypes, Products) {
  const auto conv = [] {
    return With<fb::ConvT>([](auto& f) { f.window = std::make_unique<fb::WindowT>(); });
  };
  const auto back = [](std::vector<int64_t> kernel = {}) {
    return With<fb::ConvTransposeT>([&](auto& f) {
      f.window = std::make_unique<fb::WindowT>(), f.window->kernel = kernel, f.group = 2;
    });
  };
  const Type x = FloatType({1, 4, 6});
  EXPECT_EQ(Says(conv(), {x, kAny}), "float32[1,?,?]");
  EXPECT_EQ(Says(back(), {x, kAny}), "float32[1,?,?]");
  EXPECT_EQ(Says(back({3}), {x, kAny}), "float32[1,?,8]");
  EXPECT_EQ(Says(back(), {x, FloatType({4, -1, 3})}), "float32[1,?,8]");
  EXPECT_EQ(Says(back(), {x, FloatType({4, 5, 3})}), "float32[1,10,8]");
  EXPECT_EQ(Says(back(), {kAny, FloatType({4, 5, 3})}), TypeText(kAny));
  const Type a = FloatType({2, 4}), b = FloatType({4, 3});
  EXPECT_EQ(Says(fb::MatMulT(), {a, kAny}), TypeText(kAny));
  EXPECT_EQ(Says(fb::MatMulT(), {kAny, b}), TypeText(kAny));
  EXPECT_EQ(Says(fb::MatMulT(), {a, b, kAny}), "float32[2,3]");
  EXPECT_EQ(Says(fb::MatMulT(), {a, FloatType({4}), FloatType({2})}), "float32[2]");
  EXPECT_EQ(Says(fb::MatMulT(), {a, FloatType({4}), FloatType({3})}).substr(0, 5), "3: c:");
  const int64_t many = (int64_t{1} << 24) + 1;
  EXPECT_EQ(PrepareStatus(fb::MatMulT(), {FloatType({many, 1, 1}), FloatType({many, 1, 1})},
                          {FloatType({many, 1, 1})}).message(),
            "expected at most 16777216 products in a batch, got 16777217");
  EXPECT_EQ(Says(fb::GridSampleT(), {FloatType({1, 2, 3, 4}), kAny}), TypeText(kAny));
  EXPECT_EQ(Says(fb::GridSampleT(), {FloatType({-1, 2, 3, 4}), FloatType({5, 6, 7, -1})}), "float32[5,2,6,7]");
  EXPECT_EQ(Says(fb::GridSampleT(), {FloatType({1, 2, 3, 4}), FloatType({2, 6, 7, 2})}).substr(0, 2), "3:");
  EXPECT_EQ(Says(fb::GridSampleT(), {FloatType({1, 2, 3, 4}), FloatType({1, 6, 7, 3})}).substr(0, 2), "3:");
}

TEST(UnknownTypes, Windows) {
  const auto pool = [](auto&& change, Shape in) {
    fb::PoolT fields;
    fields.window = std::make_unique<fb::WindowT>();
    fields.window->kernel = {2};
    change(*fields.window);
    return Says(std::move(fields), {FloatType(std::move(in))});
  };
  const auto same = [](auto& w) { w.auto_pad = fb::AutoPad::SameUpper, w.pads = {1, 1}; };
  EXPECT_EQ(pool(same, {1, 1, 6}), "float32[1,1,6]");  // and not also padded by one
  EXPECT_EQ(pool([](auto&) {}, {1, 1, -1}), "float32[1,1,?]");
  EXPECT_EQ(pool([](auto& w) {
    w.auto_pad = fb::AutoPad::SameLower, w.kernel = w.dilations = {kMaxTensorBytes};
  }, {1, 1, 6}), "6: the window's sizes overflow 64 bits");
  const auto back = [](int64_t stride, Shape in) {
    return Says(With<fb::ConvTransposeT>([&](auto& f) {
      f.window = std::make_unique<fb::WindowT>(), f.window->strides = {stride};
    }), {FloatType(std::move(in)), FloatType({1, 1, 1})});
  };
  EXPECT_EQ(back(3, {1, 1, 6}), "float32[1,1,16]");
  EXPECT_EQ(back(kMaxTensorBytes, {1, 1, 3}), "6: the window's sizes overflow 64 bits");
}

TEST(UnknownTypes, Resizing) {
  const auto resize = [](auto&& change) { return With<fb::ResizeT>(change); };
  const auto plain = [&] { return resize([](auto&) {}); };
  const Type x = FloatType({1, 1, -1, 4}), four = LongType({4}), scales = FloatType({4});
  EXPECT_EQ(Says(plain(), {kAny, {}, {}, four}), TypeText(kAny));
  EXPECT_EQ(Says(plain(), {x, {}, kAny}), "float32[?,?,?,?]");
  EXPECT_EQ(Says(plain(), {x, {}, FloatType({0}), four}), "float32[?,?,?,?]");
  EXPECT_EQ(Says(plain(), {x, {}, scales, LongType({0})},
                 {{}, {}, Tensor::Vector<float>(std::vector<float>{1, 1, 2, 3})}), "float32[1,1,?,12]");
  for (const fb::AspectPolicy policy : {fb::AspectPolicy::NotLarger, fb::AspectPolicy::NotSmaller}) {
    const auto keep = [&] { return resize([&](auto& f) { f.aspect = policy; }); };
    EXPECT_EQ(Says(keep(), {x, {}, {}, four}, {{}, {}, {}, Longs({1, 1, 6, 8})}), "float32[?,?,?,?]");
    const auto spatial = [&] { return resize([&](auto& f) { f.aspect = policy, f.axes = {2, 3}; }); };
    EXPECT_EQ(Says(spatial(), {FloatType({1, 1, 0, 4}), {}, {}, LongType({2})}, {{}, {}, {}, Longs({0, 8})}),
              "float32[1,1,0,8]");
  }
  const auto crops = [&] {
    return resize([](auto& f) { f.coordinates = fb::CoordinateMode::TfCropAndResize; });
  };
  EXPECT_EQ(Says(crops(), {x, FloatType({8}), {}, four}), "float32[?,?,?,?]");
  EXPECT_EQ(Says(crops(), {x, FloatType({0}), {}, four}), "3: expected an input roi, got none");
  EXPECT_EQ(Says(plain(), {{{ElementType::kFloat16, true, {2}}}, {}, {}, LongType({1})}).substr(0, 2), "4:");
  const bool bits[] = {true, false};
  EXPECT_EQ(Numbers(Evaluate(plain(), {Tensor::Of<bool>({2}, bits), Tensor(), Tensor(), Longs({4})})),
            (Doubles{1, 1, 0, 0}));
}

TEST(UnknownTypes, Scattering) {
  const Type x = FloatType({3, 4});
  EXPECT_EQ(Says(fb::ScatterElementsT(), {x, kAnyLongs, FloatType({2})}), "float32[3,4]");
  EXPECT_EQ(Says(fb::ScatterElementsT(), {x, LongType({2, 4}), kAny}), "float32[3,4]");
  EXPECT_EQ(Says(fb::ScatterElementsT(), {x, LongType({2, -1}), FloatType({2, 3})}), "float32[3,4]");
  EXPECT_EQ(Says(fb::ScatterNDT(), {x, LongType({5, 1}), kAny}), "float32[3,4]");
  EXPECT_EQ(Says(fb::ScatterNDT(), {x, LongType({5, 1}), FloatType({5, 3})}),
            "3: updates: expected shape [5,4], got float32[5,3]");
  EXPECT_EQ(Says(fb::ScatterNDT(), {kAny, LongType({5, 1}), kAny}), TypeText(kAny));
}

TEST(UnknownTypes, OperatorsThatChoose) {
  const Type boxes = FloatType({1, 5, 4}), scores = FloatType({1, 2, 5});
  EXPECT_EQ(Says(fb::NonMaxSuppressionT(), {kAny, scores}), "int64[?,3]");
  EXPECT_EQ(Says(fb::NonMaxSuppressionT(), {boxes, kAny, LongType({})}), "int64[?,3]");
  const Tensor two = Tensor::Of<float>({1, 2, 4}, std::vector<float>{0, 0, 1, 1, 5, 5, 6, 6});
  const Tensor liked = Tensor::Of<float>({1, 1, 2}, std::vector<float>{0.5f, 0.9f});
  const auto chosen = [&](const Tensor& most, const Tensor& overlap = Tensor()) {
    return Numbers(Evaluate(fb::NonMaxSuppressionT(), {two, liked, most, overlap}));
  };
  EXPECT_EQ(chosen(Long(1)), (Doubles{0, 0, 1}));
  // More than there are boxes, and more than a double holds exactly.
  for (const int64_t most : {int64_t{3}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(chosen(Long(most)), (Doubles{0, 0, 1, 0, 0, 0})) << most;
  }
  EXPECT_EQ(chosen(Long(-1)), Doubles{});
  EXPECT_EQ(chosen(Longs({})), Doubles{});
  EXPECT_EQ(chosen(Tensor(), Tensor::Vector<float>(std::vector<float>{0.5f})), Doubles{});
  EXPECT_EQ(Says(With<fb::UniqueT>([](auto& f) { f.axis = 0; }), {kAny}), TypeText(kAny));
  EXPECT_EQ(Says(fb::TopKT(), {kAny, LongType({1})}), TypeText(kAny));
}

TEST(UnknownTypes, Elements) {
  const Type ints = LongType({2}), bools = {ElementType::kBool, true, {2}};
  const auto binary = [](fb::BinaryKind kind) {
    return With<fb::BinaryT>([&](auto& f) { f.kind = kind; });
  };
  EXPECT_EQ(Says(binary(fb::BinaryKind::Equal), {ints, ints}), "bool[2]");
  EXPECT_EQ(Says(binary(fb::BinaryKind::Equal), {bools, bools}), "bool[2]");
  const Type halves = {ElementType::kFloat16, true, {2}};
  EXPECT_EQ(Says(binary(fb::BinaryKind::Equal), {halves, halves}), "4: Equal does not take float16");
  const auto unary = [](kernels::UnaryKind kind) {
    return With<fb::UnaryT>([&](auto& f) { f.activation = {static_cast<uint8_t>(kind), 0, 0}; });
  };
  EXPECT_EQ(Numbers(Evaluate(unary(kernels::UnaryKind::kBitwiseNot), {Longs({0, -8})})), (Doubles{-1, 7}));
  EXPECT_EQ(Says(unary(kernels::UnaryKind::kBitwiseNot), {bools}).substr(0, 2), "4:");
  EXPECT_EQ(Says(unary(kernels::UnaryKind::kIdentity), {bools}), "bool[2]");
  EXPECT_EQ(Says(unary(kernels::UnaryKind::kIdentity), {halves}).substr(0, 2), "4:");
  EXPECT_EQ(Says(unary(kernels::UnaryKind::kNot), {ints}).substr(0, 2), "4:");
  const auto range = [](float from, float to, float by) {
    const auto scalar = [](float value) { return Tensor::Of<float>({}, std::span(&value, 1)); };
    return Numbers(Evaluate(fb::RangeT(), {scalar(from), scalar(to), scalar(by)}));
  };
  EXPECT_EQ(range(5, 0, 1), Doubles{});
  EXPECT_EQ(range(5, 0, -2), (Doubles{5, 3, 1}));
  const Type x = FloatType({5, 1, 3}), w = FloatType({1, 8, 3}), r = FloatType({1, 8, 2});
  EXPECT_EQ(Says(With<fb::RecurrentT>([](auto& f) {
    f.kind = fb::RecurrentKind::Lstm, f.hidden = 2, f.activations.resize(3);
  }), {x, w, r}, {}, 4), "3: expected at most 3 outputs, got 4");
  for (const Status& status : {PrepareStatus(fb::NonMaxSuppressionT(), {x, x}, {ints}),
                            PrepareStatus(fb::IfT(), {bools}, {x}), PrepareStatus(fb::ShapeOfT(), {x}, {ints})}) {
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.message();
  }
}

TEST(UnknownTypes, RepetitionsThatAreTooMany) {
  const auto wrap = [] { return With<fb::PadT>([](auto& f) { f.mode = fb::PadMode::Wrap; }); };
  EXPECT_EQ(Text(Evaluate(wrap(), {Counting({3}), Longs({2, 4})})), "float32[9] 1 2 0 1 2 0 1 2 0");
  EXPECT_EQ(Text(Evaluate(wrap(), {Counting({1, 1}), Longs({300, 300, 0, 0})})),
            "6: pads: too many repetitions of x");
  EXPECT_EQ(Text(Evaluate(wrap(), {Counting({1}), Longs({70000, 0})})),
            "6: pads: 70000 and 0 repeat an axis of size 1 too many times");
}

}  // namespace
}  // namespace pleat::runtime
