#include "converter/import/emit.h"

#include <algorithm>

namespace pleat::converter {

namespace fb = runtime::fb;
using runtime::ValueId;

ValueId EmitUnary(ImportContext& context, kernels::UnaryKind kind, ValueId x, float a, float b) {
  fb::UnaryT fields;
  fields.activation = fb::Activation(static_cast<uint8_t>(kind), a, b);
  return context.Emit(std::move(fields), {x});
}

ValueId EmitBinary(ImportContext& context, fb::BinaryKind kind, ValueId a, ValueId b) {
  fb::BinaryT fields;
  fields.kind = kind;
  return context.Emit(std::move(fields), {a, b});
}

ValueId EmitReduce(ImportContext& context, fb::ReduceKind kind, ValueId x,
                   const std::vector<int64_t>& axes) {
  fb::ReduceT fields;
  fields.kind = kind;
  fields.axes = axes;
  return context.Emit(std::move(fields), {x});
}

ValueId EmitReshape(ImportContext& context, ValueId x, const std::vector<int64_t>& shape) {
  return context.Emit(fb::ReshapeT(), {x, context.Int64s(shape)});
}

ValueId EmitConcat(ImportContext& context, int64_t axis, std::vector<ValueId> inputs) {
  fb::ConcatT fields;
  fields.axis = axis;
  return context.Emit(std::move(fields), std::move(inputs));
}

ValueId EmitTranspose(ImportContext& context, ValueId x, std::vector<int64_t> perm) {
  if (std::is_sorted(perm.begin(), perm.end())) return x;
  fb::TransposeT fields;
  fields.perm = std::move(perm);
  return context.Emit(std::move(fields), {x});
}

ValueId EmitSlice(ImportContext& context, ValueId x, int64_t axis, int64_t begin, int64_t end,
                  int64_t step) {
  return context.Emit(fb::SliceT(), {x, context.Int64s({begin}), context.Int64s({end}),
                                     context.Int64s({axis}), context.Int64s({step})});
}

ValueId SizeAlong(ImportContext& context, ValueId x, int64_t axis) {
  fb::ShapeOfT fields;
  fields.start = axis;
  fields.end = axis + 1;
  return EmitReshape(context, context.Emit(std::move(fields), {x}), {});
}

ValueId EmitNumbers(ImportContext& context, ValueId count) {
  return context.Emit(fb::RangeT(), {context.Int64(0), count, context.Int64(1)});
}

ValueId AlongAxis(ImportContext& context, ValueId value, int axis, int rank) {
  const runtime::Type type = context.type(value);
  if (!type.ranked || type.rank() != 1 || type.shape[0] == 1) return value;
  fb::UnsqueezeT fields;
  for (int i = axis + 1; i < rank; ++i) fields.axes.push_back(i - axis);
  if (fields.axes.empty()) return value;
  return context.Emit(std::move(fields), {value});
}

}  // namespace pleat::converter
