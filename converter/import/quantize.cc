// Quantised operators, computed in float32: exactly where sums of products stay below 2^24, as
// importers of integer results make sure, and rounded like everything else before a result is
// quantised again.
#include <algorithm>
#include <cmath>
#include <limits>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/narrow.h"
#include "converter/import/tensor_proto.h"
#include "converter/import/window.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::kNoValue;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

struct Range {
  double low, high;
};

Range RangeOf(ImportContext& context, ElementType type) {
  switch (type) {
    case ElementType::kInt8:
      return {-128, 127};
    case ElementType::kUint8:
      return {0, 255};
    case ElementType::kInt16:
      return {-32768, 32767};
    case ElementType::kUint16:
      return {0, 65535};
    default:
      context.Unsupported(std::string("quantisation to ") + kernels::ElementName(type));
      return {0, 0};
  }
}

ValueId ToFloat(ImportContext& context, ValueId id) {
  return context.CastTo(ElementType::kFloat32, id);
}

// x - zero_point in float32, the zero point running along `axis`; it may be left out.
ValueId Centred(ImportContext& context, ValueId x, ValueId zero_point, int axis, int rank) {
  const ValueId wide = ToFloat(context, x);
  if (zero_point == kNoValue) return wide;
  const ValueId offset = AlongAxis(context, ToFloat(context, zero_point), axis, rank);
  return EmitBinary(context, BinaryKind::Sub, wide, offset);
}

// round(x) + zero_point, saturated, in the type `to` of numbers in `range`.
ValueId Quantized(ImportContext& context, ValueId x, ValueId zero_point, ElementType to,
                  const Range& range) {
  ValueId y = EmitUnary(context, UnaryKind::kRound, x);
  if (zero_point != kNoValue) {
    y = EmitBinary(context, BinaryKind::Add, y, ToFloat(context, zero_point));
  }
  y = EmitUnary(context, UnaryKind::kClip, y, static_cast<float>(range.low),
                static_cast<float>(range.high));
  return context.CastTo(to, y);
}

ValueId Quantized(ImportContext& context, ValueId x, ValueId zero_point, ElementType to) {
  return Quantized(context, x, zero_point, to, RangeOf(context, to));
}

// How the parameters of QuantizeLinear and DequantizeLinear lie on x.
struct Granularity {
  int axis = 0;
  int64_t block = 0;  // that many elements along the axis share them; 0: they run along it
};

// Reads the attributes that the two share.
Granularity ReadGranularity(ImportContext& context) {
  context.Ignore("saturate");  // of QuantizeLinear alone
  context.Ignore("precision");
  Granularity result;
  result.block = context.Int("block_size", 0);
  if (result.block < 0) context.Invalid("block_size is " + std::to_string(result.block));
  const Type scale = context.input_type(1);
  const int64_t axis = context.Int("axis", 1);
  const bool per_tensor = scale.ranked && (scale.rank() == 0 || scale.shape == runtime::Shape{1});
  if (!per_tensor || result.block > 0) result.axis = context.Axis(axis, context.Rank(0));
  return result;
}

// A parameter in a shape that broadcasts to x.
ValueId Spread(ImportContext& context, ValueId parameter, const Granularity& granularity) {
  const Type x = context.input_type(0);
  if (parameter == kNoValue || !x.ranked || !context.ok()) return parameter;
  if (granularity.block == 0) return AlongAxis(context, parameter, granularity.axis, x.rank());
  const int64_t size = x.shape[static_cast<size_t>(granularity.axis)];
  constexpr int64_t kLargest = 1 << 24;
  if (size < 0 || size > kLargest) {
    context.Unsupported("the axis that is quantised in blocks is unknown or too long");
    return parameter;
  }
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < size; ++i) blocks.push_back(i / granularity.block);
  fb::GatherT gather;
  gather.axis = granularity.axis;
  return context.Emit(std::move(gather), {parameter, context.Int64s(blocks)});
}

// How far a value of an integer type can be from its zero point.
double Reach(ImportContext& context, ElementType type, ValueId zero_point) {
  const Range range = RangeOf(context, type);
  const Tensor known = context.constant(zero_point);
  if (zero_point != kNoValue && known.empty()) return range.high - range.low;
  double reach = zero_point == kNoValue ? std::max(-range.low, range.high) : 0;
  if (zero_point == kNoValue) return reach;
  for (const double zero : runtime::ToDoubles(known)) {
    reach = std::max({reach, range.high - zero, zero - range.low});
  }
  return reach;
}

// Fails unless every sum of `weights` along its terms, times `reach`, is an integer that float32
// holds. The weights [outer, terms, inner] are centred constants, or else as large as can be.
void CheckExact(ImportContext& context, ValueId weights, int64_t terms, int64_t inner,
                double reach) {
  constexpr double kExact = 1 << 24;
  constexpr double kLargestWeight = 255;
  const Tensor known = context.constant(weights);
  double largest = static_cast<double>(terms) * kLargestWeight;
  if (!known.empty() && terms > 0 && inner > 0) {
    const std::vector<double> values = runtime::ToDoubles(known);
    std::vector<double> sums(values.size() / static_cast<size_t>(terms), 0);
    const auto step = static_cast<size_t>(inner);
    for (size_t i = 0; i < values.size(); ++i) {
      sums[i / step / static_cast<size_t>(terms) * step + i % step] += std::abs(values[i]);
    }
    largest = sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
  }
  if (largest * reach < kExact) return;
  context.Unsupported("its sums can pass 2^24, where float32 is not exact");
}

struct Product {
  ValueId sum;   // of products of centred numbers
  int channels;  // the axis of `sum` that per-channel parameters of the weights run along
  int rank;
};

Product EmitConv(ImportContext& context, ValueId x, ValueId x_zero, ValueId w, ValueId w_zero,
                 ValueId bias, bool exact) {
  const Type x_type = context.type(x);
  const Type w_type = context.type(w);
  if (!w_type.Known() || w_type.rank() < 3) {
    context.Unsupported("the shape of the weights is not known");
    return {};
  }
  fb::ConvT fields;
  const std::vector<int64_t> kernel(w_type.shape.begin() + 2, w_type.shape.end());
  fields.window = ReadWindow(context, kernel);
  fields.group = context.Int("group", 1);
  const int rank = w_type.rank();
  const ValueId centred = Centred(context, x, x_zero, 1, rank);
  const ValueId weights = Centred(context, w, w_zero, 0, rank);
  if (exact && w_type.shape[0] > 0) {
    const int64_t terms = runtime::ElementCount(w_type.shape) / w_type.shape[0];
    CheckExact(context, weights, terms, 1, Reach(context, x_type.element, x_zero));
  }
  const ValueId wide_bias = bias == kNoValue ? kNoValue : ToFloat(context, bias);
  return {context.Emit(std::move(fields), {centred, weights, wide_bias}), 1, rank};
}

Product EmitMatMul(ImportContext& context, ValueId a, ValueId a_zero, ValueId b, ValueId b_zero,
                   bool exact) {
  const Type a_type = context.type(a);
  const Type b_type = context.type(b);
  if (!a_type.ranked || !b_type.ranked || a_type.rank() < 1 || b_type.rank() < 1) {
    context.Unsupported("the number of dimensions of its inputs is not known");
    return {};
  }
  const int rows = std::max(a_type.rank() - 2, 0);
  const ValueId left = Centred(context, a, a_zero, rows, a_type.rank());
  const ValueId right = Centred(context, b, b_zero, b_type.rank() - 1, b_type.rank());
  if (exact) {
    const int64_t terms = a_type.shape.back();
    const int64_t inner = b_type.rank() > 1 ? b_type.shape.back() : 1;
    if (terms == runtime::kUnknownDim) context.Unsupported("the length of its sums is not known");
    CheckExact(context, right, terms, inner, Reach(context, a_type.element, a_zero));
  }
  const ValueId sum = context.Emit(fb::MatMulT(), {left, right});
  const int rank = context.type(sum).rank();
  return {sum, rank - 1, rank};
}

// sum * (x_scale * w_scale / y_scale), quantised.
ValueId Requantized(ImportContext& context, const Product& product, ValueId x_scale,
                    ValueId w_scale, ValueId y_scale, ValueId y_zero) {
  const ValueId w_along = AlongAxis(context, w_scale, product.channels, product.rank);
  const ValueId both = EmitBinary(context, BinaryKind::Mul, x_scale, w_along);
  const ValueId ratio = EmitBinary(context, BinaryKind::Div, both, y_scale);
  const ValueId scaled = EmitBinary(context, BinaryKind::Mul, product.sum, ratio);
  return Quantized(context, scaled, y_zero, context.type(y_zero).element);
}

}  // namespace

// (x - zero_point) * scale of the three inputs from i on, parameters being scalars.
ValueId Real(ImportContext& context, int i) {
  const ValueId centred = Centred(context, context.input(i), context.input(i + 2), 0, 1);
  return EmitBinary(context, BinaryKind::Mul, centred, ToFloat(context, context.input(i + 1)));
}

// A real number in the type of x, with the scale and zero point that are inputs i and i + 1.
Status DoneQuantized(ImportContext& context, ValueId y, int i, ElementType to) {
  const ValueId scaled =
      EmitBinary(context, BinaryKind::Div, y, ToFloat(context, context.input(i)));
  return context.Done(Quantized(context, scaled, context.input(i + 1), to));
}

// ONNX Runtime's operators on quantised numbers, of com.microsoft: the real ones in between.
Status ImportQLinearBinary(ImportContext& context) {
  const auto kind = context.op() == "QLinearMul" ? BinaryKind::Mul : BinaryKind::Add;
  const ValueId y = EmitBinary(context, kind, Real(context, 0), Real(context, 3));
  return DoneQuantized(context, y, 6, context.input_type(0).element);
}

Status ImportQLinearUnary(ImportContext& context) {
  if (context.Flag("channels_last")) return context.Unsupported("its channels are the last axis");
  const std::string& op = context.op();
  const ValueId x = Real(context, 0);
  ValueId y = x;
  if (op == "QLinearSigmoid") y = EmitUnary(context, UnaryKind::kSigmoid, x);
  if (op == "QLinearLeakyRelu") {
    y = EmitUnary(context, UnaryKind::kLeakyRelu, x, context.Float("alpha", 0.01f));
  }
  if (op == "QLinearGlobalAveragePool") {
    std::vector<int64_t> axes;
    for (int i = 2; i < context.Rank(0); ++i) axes.push_back(i);
    y = EmitReduce(context, fb::ReduceKind::Mean, x, axes);
  }
  if (op == "QLinearAveragePool") {
    fb::PoolT pool;
    pool.kind = fb::PoolKind::Average;
    pool.window = ReadWindow(context, {});
    pool.ceil_mode = context.Flag("ceil_mode");
    pool.count_include_pad = context.Flag("count_include_pad");
    y = context.Emit(std::move(pool), {x});
  }
  if (op == "QLinearSoftmax") {
    fb::SoftmaxT softmax;
    softmax.axis = context.Int("axis", -1);
    softmax.to_end = context.Int("opset", 13) < 13;
    y = context.Emit(std::move(softmax), {x});
  }
  return DoneQuantized(context, y, 3, context.input_type(0).element);
}

// The scale and zero point of the result come first.
Status ImportQLinearConcat(ImportContext& context) {
  std::vector<ValueId> parts;
  for (int i = 2; i < context.input_count(); i += 3) parts.push_back(Real(context, i));
  const ValueId y = EmitConcat(context, context.Int("axis", 0), std::move(parts));
  return DoneQuantized(context, y, 0, context.input_type(2).element);
}

// The bias is in units of alpha * a_scale * b_scale.
Status ImportQGemm(ImportContext& context) {
  fb::MatMulT fields;
  fields.transpose_a = context.Flag("transA");
  fields.transpose_b = context.Flag("transB");
  const ValueId a = Centred(context, context.input(0), context.input(2), 0, 2);
  const ValueId b = Centred(context, context.input(3), context.input(5),
                            fields.transpose_b ? 0 : 1, 2);
  const ValueId c = context.has_input(6) ? ToFloat(context, context.input(6)) : kNoValue;
  const ValueId sum = context.Emit(std::move(fields), {a, b, c});
  const ValueId b_scale = AlongAxis(context, ToFloat(context, context.input(4)), 1, 2);
  const ValueId both = EmitBinary(context, BinaryKind::Mul, ToFloat(context, context.input(1)),
                                  b_scale);
  const ValueId alpha = context.Scalar(context.Float("alpha", 1), ElementType::kFloat32);
  const ValueId y = EmitBinary(context, BinaryKind::Mul, sum,
                               EmitBinary(context, BinaryKind::Mul, both, alpha));
  if (!context.has_input(7)) return context.Done(y);
  return DoneQuantized(context, y, 7, context.input_type(0).element);
}

Status ImportDequantizeLinear(ImportContext& context) {
  context.Ignore("output_dtype");
  const Granularity granularity = ReadGranularity(context);
  const ValueId zero_point = Spread(context, context.input(2), granularity);
  const ValueId centred =
      Centred(context, context.input(0), zero_point, granularity.axis, context.Rank(0));
  const ValueId scale = Spread(context, ToFloat(context, context.input(1)), granularity);
  return context.Done(EmitBinary(context, BinaryKind::Mul, centred, scale));
}

Status ImportQuantizeLinear(ImportContext& context) {
  ElementType to = context.has_input(2) ? context.input_type(2).element : ElementType::kUint8;
  int narrow = context.narrow(context.input(2));
  if (const auto type = static_cast<int>(context.Int("output_dtype", 0)); type != 0) {
    const runtime::Result<ElementType> stated = CarrierOfOnnx(type);
    if (!stated.ok()) return context.Fail(stated.status());
    to = *stated;
    if (NarrowTypeOf(type) != nullptr) narrow = type;
  }
  const Granularity granularity = ReadGranularity(context);
  const ValueId scale = Spread(context, ToFloat(context, context.input(1)), granularity);
  const ValueId x = ToFloat(context, context.input(0));
  const ValueId zero_point = Spread(context, context.input(2), granularity);
  const ValueId scaled = EmitBinary(context, BinaryKind::Div, x, scale);
  if (narrow == 0) return context.Done(Quantized(context, scaled, zero_point, to));
  const NarrowType& type = *NarrowTypeOf(narrow);
  if (type.is_float()) {
    const ValueId moved = zero_point == kNoValue
                              ? scaled
                              : EmitBinary(context, BinaryKind::Add, scaled, zero_point);
    return context.Done(CastToNarrow(context, moved, narrow, context.Flag("saturate", true)));
  }
  const ValueId y = Quantized(context, scaled, zero_point, to, {type.smallest(), type.largest});
  context.MarkNarrow(y, narrow);
  return context.Done(y);
}

Status ImportDynamicQuantizeLinear(ImportContext& context) {
  const ValueId x = context.input(0);
  const ValueId zero = context.Scalar(0, ElementType::kFloat32);
  const auto bound = [&](fb::ReduceKind reduce, BinaryKind with_zero) {
    fb::ReduceT fields;
    fields.kind = reduce;
    fields.keepdims = false;
    return EmitBinary(context, with_zero, context.Emit(std::move(fields), {x}), zero);
  };
  const ValueId high = bound(fb::ReduceKind::Max, BinaryKind::Max);
  const ValueId low = bound(fb::ReduceKind::Min, BinaryKind::Min);
  const ValueId width = EmitBinary(context, BinaryKind::Sub, high, low);
  const ValueId scale =
      EmitBinary(context, BinaryKind::Div, width, context.Scalar(255, ElementType::kFloat32));
  const ValueId start =
      EmitBinary(context, BinaryKind::Div, EmitUnary(context, UnaryKind::kNeg, low), scale);
  const ValueId zero_point = Quantized(context, start, kNoValue, ElementType::kUint8);
  const ValueId scaled = EmitBinary(context, BinaryKind::Div, x, scale);
  context.Return(1, scale);
  context.Return(2, zero_point);
  return context.Done(Quantized(context, scaled, zero_point, ElementType::kUint8));
}

Status ImportConvInteger(ImportContext& context) {
  const Product product = EmitConv(context, context.input(0), context.input(2), context.input(1),
                                   context.input(3), kNoValue, /*exact=*/true);
  return context.Done(context.CastTo(ElementType::kInt32, product.sum));
}

Status ImportMatMulInteger(ImportContext& context) {
  const Product product = EmitMatMul(context, context.input(0), context.input(2), context.input(1),
                                     context.input(3), /*exact=*/true);
  return context.Done(context.CastTo(ElementType::kInt32, product.sum));
}

Status ImportQLinearConv(ImportContext& context) {
  const Product product = EmitConv(context, context.input(0), context.input(2), context.input(3),
                                   context.input(5), context.input(8), /*exact=*/false);
  return context.Done(Requantized(context, product, context.input(1), context.input(4),
                                  context.input(6), context.input(7)));
}

Status ImportQLinearMatMul(ImportContext& context) {
  const Product product = EmitMatMul(context, context.input(0), context.input(2), context.input(3),
                                     context.input(5), /*exact=*/false);
  const ValueId a_scale =
      AlongAxis(context, context.input(1), std::max(product.rank - 2, 0), product.rank);
  return context.Done(
      Requantized(context, product, a_scale, context.input(4), context.input(6), context.input(7)));
}

}  // namespace pleat::converter
