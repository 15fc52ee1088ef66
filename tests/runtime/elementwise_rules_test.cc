// Rules of Unary, Binary, Where, Cast and ScaleShift.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/activation.h"
#include "tests/runtime/infer_support.h"
#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using kernels::UnaryKind;
using tests::Evaluate;
using tests::InferText;
using tests::Numbers;
using Doubles = std::vector<double>;

constexpr ElementType kF32 = ElementType::kFloat32, kF64 = ElementType::kFloat64;
constexpr ElementType kI64 = ElementType::kInt64, kBool = ElementType::kBool;
const Type kUnranked = {kF32, false, {}};

Tensor F32(Shape shape, std::vector<float> values) {
  return Tensor::Of<float>(std::move(shape), std::span<const float>(values));
}
Tensor F64(Shape shape, std::vector<double> values) {
  return Tensor::Of<double>(std::move(shape), std::span<const double>(values));
}
Tensor I64(Shape shape, std::vector<int64_t> values) {
  return Tensor::Of<int64_t>(std::move(shape), std::span<const int64_t>(values));
}

fb::Activation Act(UnaryKind kind, float a = 0, float b = 0) {
  return fb::Activation(static_cast<uint8_t>(kind), a, b);
}
fb::UnaryT UnaryOf(UnaryKind kind, float a = 0, float b = 0) {
  fb::UnaryT fields;
  fields.activation = Act(kind, a, b);
  return fields;
}
fb::BinaryT BinaryOf(fb::BinaryKind kind, fb::Activation activation = {}) {
  fb::BinaryT fields;
  fields.kind = kind;
  fields.activation = activation;
  return fields;
}

TEST(UnaryRule, TypesAndNumbers) {
  EXPECT_EQ(InferText(UnaryOf(UnaryKind::kTanh), {{kF32, true, {2, kUnknownDim}}}), "float32[2,?]");
  EXPECT_EQ(InferText(UnaryOf(UnaryKind::kTanh), {kUnranked}), "float32[...]");
  EXPECT_EQ(InferText(UnaryOf(UnaryKind::kIsNaN), {{kF64, true, {2}}}), "bool[2]");
  EXPECT_NE(InferText(UnaryOf(UnaryKind::kTanh), {{kI64, true, {2}}}).find("does not take int64"),
            std::string::npos);
  EXPECT_NE(InferText(UnaryOf(static_cast<UnaryKind>(99)), {{kF32, true, {2}}}).find("unknown"),
            std::string::npos);
  EXPECT_NE(InferText(UnaryOf(UnaryKind::kTanh), {}).find("expected 1 inputs, got 0"),
            std::string::npos);
  EXPECT_EQ(Numbers(Evaluate(UnaryOf(UnaryKind::kClip, 0, 6), {F32({3}, {-1, 3, 9})})),
            (Doubles{0, 3, 6}));
  EXPECT_EQ(Numbers(Evaluate(UnaryOf(UnaryKind::kTanh), {F64({1}, {0.3})})),
            (Doubles{std::tanh(0.3)}));
  EXPECT_EQ(Numbers(Evaluate(UnaryOf(UnaryKind::kNeg), {I64({2}, {5, -6})})), (Doubles{-5, 6}));
  EXPECT_EQ(Numbers(Evaluate(UnaryOf(UnaryKind::kIsInf, 1, 1), {F32({2}, {1, INFINITY})})),
            (Doubles{0, 1}));
}

TEST(BinaryRule, Types) {
  const auto add = BinaryOf(fb::BinaryKind::Add);
  EXPECT_EQ(InferText(add, {{kF32, true, {2, 1, 3}}, {kF32, true, {5, 1}}}), "float32[2,5,3]");
  EXPECT_EQ(InferText(add, {{kF32, true, {kUnknownDim, 3}}, {kF32, true, {4, 1}}}), "float32[4,3]");
  EXPECT_EQ(InferText(add, {{kF32, true, {kUnknownDim}}, {kF32, true, {1}}}), "float32[?]");
  EXPECT_EQ(InferText(add, {{kF32, true, {0}}, {kF32, true, {1}}}), "float32[0]");
  EXPECT_EQ(InferText(add, {{kF32, true, {2}}, kUnranked}), "float32[...]");
  EXPECT_EQ(InferText(add, {{kF32, true, {2, 3}}, {kF32, true, {4}}}),
            "shapes [2,3] and [4] do not broadcast");
  EXPECT_EQ(InferText(add, {{kF32, true, {2}}, {kI64, true, {2}}}),
            "expected a and b of one type, got float32 and int64");
  EXPECT_EQ(InferText(BinaryOf(fb::BinaryKind::Less), {{kI64, true, {2}}, {kI64, true, {1}}}),
            "bool[2]");
  EXPECT_EQ(InferText(BinaryOf(fb::BinaryKind::And), {{kF32, true, {2}}, {kF32, true, {1}}}),
            "And does not take float32");
  EXPECT_EQ(InferText(BinaryOf(fb::BinaryKind::ShiftLeft), {{kF32, true, {}}, {kF32, true, {}}}),
            "ShiftLeft does not take float32");
  EXPECT_EQ(InferText(BinaryOf(fb::BinaryKind::Add, Act(UnaryKind::kTanh)),
                      {{kI64, true, {2}}, {kI64, true, {1}}}),
            "an activation needs a float result");
}

TEST(BinaryRule, Numbers) {
  EXPECT_EQ(Numbers(Evaluate(BinaryOf(fb::BinaryKind::Sub, Act(UnaryKind::kClip, 0, 10)),
                             {F32({2, 1}, {1, 20}), F32({2}, {0.5f, 5})})),
            (Doubles{0.5, 0, 10, 10}));
  EXPECT_EQ(Numbers(Evaluate(BinaryOf(fb::BinaryKind::Mul), {I64({2}, {3, 4}), I64({}, {5})})),
            (Doubles{15, 20}));
  EXPECT_EQ(
      Numbers(Evaluate(BinaryOf(fb::BinaryKind::GreaterOrEqual), {F64({2}, {1, 2}), F64({}, {2})})),
      (Doubles{0, 1}));
  EXPECT_EQ(Numbers(Evaluate(BinaryOf(fb::BinaryKind::Add), {F32({0}, {}), F32({1}, {1})})),
            Doubles{});
}

fb::CastT CastTo(ElementType to) {
  fb::CastT fields;
  fields.to = static_cast<uint8_t>(to);
  return fields;
}

TEST(CastRule, TypesAndNumbers) {
  EXPECT_EQ(InferText(CastTo(kI64), {{kF32, true, {kUnknownDim, 2}}}), "int64[?,2]");
  EXPECT_EQ(InferText(CastTo(kBool), {kUnranked}), "bool[...]");
  EXPECT_EQ(InferText(CastTo(static_cast<ElementType>(77)), {kUnranked}),
            "unknown element type 77");
  EXPECT_EQ(Numbers(Evaluate(CastTo(kI64), {F32({3}, {1.5f, -2.5f, NAN})})), (Doubles{1, -2, 0}));
  EXPECT_EQ(Numbers(Evaluate(CastTo(ElementType::kFloat16), {F32({2}, {0.1f, 70000})})),
            (Doubles{0.0999755859375, INFINITY}));
}

TEST(WhereRule, TypesAndNumbers) {
  const Type mask = {kBool, true, {2, 1}};
  EXPECT_EQ(InferText(fb::WhereT{}, {mask, {kF32, true, {3}}, {kF32, true, {kUnknownDim, 3}}}),
            "float32[2,3]");
  EXPECT_EQ(InferText(fb::WhereT{}, {mask, kUnranked, {kF32, true, {3}}}), "float32[...]");
  EXPECT_EQ(InferText(fb::WhereT{}, {mask, {kF32, true, {3}}, {kF64, true, {3}}}),
            "expected a and b of one type, got float32 and float64");
  EXPECT_EQ(InferText(fb::WhereT{}, {{kI64, true, {2}}, {kF32, true, {2}}, {kF32, true, {2}}}),
            "expected the condition to be bool, got int64");
  const Tensor condition = tests::Evaluate(CastTo(kBool), {I64({2, 1}, {1, 0})}).value()[0];
  EXPECT_EQ(Numbers(Evaluate(fb::WhereT{}, {condition, I64({2}, {1, 2}), I64({}, {3})})),
            (Doubles{1, 2, 3, 3}));
}

fb::ScaleShiftT ScaleShiftAlong(int64_t axis) {
  fb::ScaleShiftT fields;
  fields.axis = axis;
  return fields;
}

TEST(ScaleShiftRule, Types) {
  const Type c3 = {kF32, true, {3}}, wide = {kF64, true, {3}};
  EXPECT_EQ(InferText(ScaleShiftAlong(1), {{kF32, true, {2, 3, 4}}, c3, wide}), "float32[2,3,4]");
  EXPECT_EQ(InferText(ScaleShiftAlong(-1), {{kF64, true, {2, kUnknownDim}}, c3, c3}),
            "float64[2,3]");
  EXPECT_EQ(InferText(ScaleShiftAlong(1), {kUnranked, c3, c3}), "float32[...]");
  EXPECT_EQ(InferText(ScaleShiftAlong(0), {{kF32, true, {2, 3}}, c3, c3}),
            "expected scale of shape [2], got [3]");
  EXPECT_EQ(InferText(ScaleShiftAlong(2), {{kF32, true, {2, 3}}, c3, c3}),
            "axis 2 is outside [-2, 2)");
  EXPECT_EQ(InferText(ScaleShiftAlong(1), {{kI64, true, {2, 3}}, c3, c3}),
            "expected x to be float32 or float64, got int64");
}

TEST(ScaleShiftRule, NumbersOfAnyMixOfTypes) {
  const Doubles expected = {3, 3, 9, 11};
  const Tensor scale32 = F32({2}, {1, 2}), scale64 = F64({2}, {1, 2});
  const Tensor shift32 = F32({2}, {2, 3}), shift64 = F64({2}, {2, 3});
  const auto fields = ScaleShiftAlong(0);
  EXPECT_EQ(Numbers(Evaluate(fields, {F32({2, 2}, {1, 1, 3, 4}), scale64, shift32})), expected);
  EXPECT_EQ(Numbers(Evaluate(fields, {F32({2, 2}, {1, 1, 3, 4}), scale32, shift64})), expected);
  EXPECT_EQ(Numbers(Evaluate(fields, {F64({2, 2}, {1, 1, 3, 4}), scale32, shift32})), expected);
}

}  // namespace
}  // namespace pleat::runtime
