#include "converter/import/emit.h"

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

ValueId AlongAxis(ImportContext& context, ValueId value, int axis, int rank) {
  const runtime::Type type = context.type(value);
  if (!type.ranked || type.rank() != 1 || type.shape[0] == 1) return value;
  fb::UnsqueezeT fields;
  for (int i = axis + 1; i < rank; ++i) fields.axes.push_back(i - axis);
  if (fields.axes.empty()) return value;
  return context.Emit(std::move(fields), {value});
}

}  // namespace pleat::converter
