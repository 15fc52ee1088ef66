// Normalisations by statistics of the input itself, and Dropout, which does nothing in inference.
#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::kNoValue;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

struct Standardized {
  ValueId mean, inverse_deviation, y;
};

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) over `axes`.
Standardized Standardize(ImportContext& context, const std::vector<int64_t>& axes, double epsilon) {
  const ValueId x = context.input(0);
  const ValueId mean = EmitReduce(context, fb::ReduceKind::Mean, x, axes);
  const ValueId centred = EmitBinary(context, BinaryKind::Sub, x, mean);
  const ValueId square = EmitBinary(context, BinaryKind::Mul, centred, centred);
  const ValueId variance = EmitReduce(context, fb::ReduceKind::Mean, square, axes);
  const ValueId shifted = EmitBinary(context, BinaryKind::Add, variance,
                                     context.Scalar(epsilon, context.type(x).element));
  const ValueId inverse =
      EmitUnary(context, UnaryKind::kReciprocal, EmitUnary(context, UnaryKind::kSqrt, shifted));
  return {mean, inverse, EmitBinary(context, BinaryKind::Mul, centred, inverse)};
}

// `count` times the value, in the type of input 0.
ValueId Filled(ImportContext& context, int64_t count, double value) {
  const Tensor wide = Tensor::Vector(std::vector<double>(static_cast<size_t>(count), value));
  return context.Constant(runtime::Cast(wide, context.input_type(0).element));
}

}  // namespace

Status ImportInstanceNormalization(ImportContext& context) {
  fb::InstanceNormT fields;
  fields.epsilon = context.Float("epsilon", 1e-5f);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportLayerNormalization(ImportContext& context) {
  const int64_t axis = context.Int("axis", -1);
  const float epsilon = context.Float("epsilon", 1e-5f);
  const int64_t stash = context.Int("stash_type", 1);
  if (stash != 1) return context.Unsupported("stash_type " + std::to_string(stash));
  const int rank = context.Rank(0);
  std::vector<int64_t> axes;
  for (int64_t i = context.Axis(axis, rank); i < rank; ++i) axes.push_back(i);

  const runtime::Type x = context.input_type(0);
  const runtime::Type scale = context.input_type(1);
  bool plain = scale.Known() && x.ranked && !context.is_read(1) && !context.is_read(2) &&
               scale.rank() == static_cast<int>(axes.size());
  if (context.has_input(2)) plain = plain && context.input_type(2).shape == scale.shape;
  for (size_t i = 0; plain && i < axes.size(); ++i) {
    plain = scale.shape[i] != 1 || x.shape[static_cast<size_t>(axes[i])] == 1;  // else it broadcasts
  }
  if (plain) {
    fb::LayerNormT fields;
    fields.axis = axis;
    fields.epsilon = epsilon;
    ValueId bias = context.input(2);
    if (bias == kNoValue) bias = context.Constant(Tensor::Make(scale.element, scale.shape));
    return context.Done(
        context.Emit(std::move(fields), {context.input(0), context.input(1), bias}));
  }
  const Standardized parts = Standardize(context, axes, epsilon);
  ValueId y = EmitBinary(context, BinaryKind::Mul, parts.y, context.input(1));
  if (context.has_input(2)) y = EmitBinary(context, BinaryKind::Add, y, context.input(2));
  context.Return(1, parts.mean);
  context.Return(2, parts.inverse_deviation);
  return context.Done(y);
}

// x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on.
Status ImportRmsNormalization(ImportContext& context) {
  const ValueId x = context.input(0);
  const float epsilon = context.Float("epsilon", 1e-5f);
  if (context.Int("stash_type", 1) != 1) return context.Unsupported("stash_type other than 1");
  const int rank = context.Rank(0);
  std::vector<int64_t> axes;
  for (int64_t i = context.Axis(context.Int("axis", -1), rank); i < rank; ++i) axes.push_back(i);
  const ValueId square = EmitBinary(context, BinaryKind::Mul, x, x);
  const ValueId mean = EmitReduce(context, fb::ReduceKind::Mean, square, axes);
  const ValueId shifted =
      EmitBinary(context, BinaryKind::Add, mean, context.Scalar(epsilon, context.type(x).element));
  const ValueId root = EmitUnary(context, UnaryKind::kSqrt, shifted);
  const ValueId y = EmitBinary(context, BinaryKind::Div, x, root);
  return context.Done(EmitBinary(context, BinaryKind::Mul, y, context.input(1)));
}

Status ImportGroupNormalization(ImportContext& context) {
  fb::InstanceNormT fields;
  fields.epsilon = context.Float("epsilon", 1e-5f);
  const int64_t groups = context.Int("num_groups", 0);
  const int64_t stash = context.Int("stash_type", 1);
  if (stash != 1) return context.Unsupported("stash_type " + std::to_string(stash));
  if (groups < 1) return context.Invalid("attribute 'num_groups' is missing or below 1");
  const int rank = context.Rank(0);
  const bool per_group = context.opset() < 21;
  const ValueId x = context.input(0);
  const ValueId sizes = context.Emit(fb::ShapeOfT(), {x});
  const ValueId grouped = EmitReshape(context, x, {0, groups, -1});
  const ValueId scale = per_group ? context.input(1) : Filled(context, groups, 1);
  const ValueId bias = per_group ? context.input(2) : Filled(context, groups, 0);
  const ValueId normalized = context.Emit(std::move(fields), {grouped, scale, bias});
  ValueId y = context.Emit(fb::ReshapeT(), {normalized, sizes});
  if (per_group) return context.Done(y);
  y = EmitBinary(context, BinaryKind::Mul, y, AlongAxis(context, context.input(1), 1, rank));
  return context.Done(
      EmitBinary(context, BinaryKind::Add, y, AlongAxis(context, context.input(2), 1, rank)));
}

Status ImportMeanVarianceNormalization(ImportContext& context) {
  constexpr double kEpsilon = 1e-9;
  return context.Done(Standardize(context, context.Ints("axes", {0, 2, 3}), kEpsilon).y);
}

Status ImportLpNormalization(ImportContext& context) {
  const int64_t p = context.Int("p", 2);
  if (p != 1 && p != 2) return context.Invalid("p is " + std::to_string(p) + ", expected 1 or 2");
  const fb::ReduceKind kind = p == 1 ? fb::ReduceKind::L1 : fb::ReduceKind::L2;
  const ValueId norm = EmitReduce(context, kind, context.input(0), {context.Int("axis", -1)});
  const ValueId y = EmitBinary(context, BinaryKind::Div, context.input(0), norm);
  if (context.opset() < 22) return context.Done(y);
  const ValueId zero = context.Scalar(0, context.input_type(0).element);
  return context.Done(context.Emit(
      fb::WhereT(), {EmitBinary(context, BinaryKind::Equal, norm, zero), zero, y}));
}

Status ImportLrn(ImportContext& context) {
  fb::LocalResponseNormT fields;
  fields.alpha = context.Float("alpha", 1e-4f);
  fields.beta = context.Float("beta", 0.75f);
  fields.bias = context.Float("bias", 1);
  fields.size = context.Int("size", 0);
  if (fields.size < 1) return context.Invalid("attribute 'size' is missing or below 1");
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportDropout(ImportContext& context) {
  for (const char* attribute : {"ratio", "seed", "is_test"}) context.Ignore(attribute);
  if (context.has_input(2)) {
    const Tensor training = context.constant_input(2);
    if (training.empty() || training.count() != 1 || runtime::ToDoubles(training)[0] != 0) {
      return context.Fail(RefuseOperator("ai.onnx", "Dropout in training mode"));
    }
  }
  if (context.wants(1)) {
    fb::ConstantOfShapeT ones;
    ones.to = static_cast<uint8_t>(context.opset() < 10 ? context.input_type(0).element
                                                        : ElementType::kBool);
    ones.value = 1;
    ones.int_value = 1;
    const ValueId sizes = context.Emit(fb::ShapeOfT(), {context.input(0)});
    context.Return(1, context.Emit(std::move(ones), {sizes}));
  }
  return context.Done(context.input(0));
}

}  // namespace pleat::converter
