#include "converter/import/narrow.h"

#include <cmath>
#include <limits>

#include "converter/import/emit.h"
#include "converter/import/refusals.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::ValueId;

ValueId ToFloats(ImportContext& context, ValueId x, const NarrowType& type, bool saturate) {
  if (!kernels::IsFloat(context.type(x).element)) x = context.CastTo(ElementType::kFloat32, x);
  const ElementType element = context.type(x).element;
  if (type.special == NarrowType::Special::kNone) {
    // Nothing stands for NaN.
    const ValueId nan = EmitUnary(context, UnaryKind::kIsNaN, x);
    x = context.Emit(fb::WhereT(), {nan, context.Scalar(0, element), x});
    saturate = true;
  }
  const auto largest = static_cast<float>(type.largest);
  ValueId y = EmitUnary(context, UnaryKind::kRound, x, static_cast<float>(type.mantissa),
                        static_cast<float>(type.lowest_exponent()));
  if (saturate) {
    y = EmitUnary(context, UnaryKind::kClip, y, -largest, largest);
  } else {
    const ValueId beyond =
        EmitBinary(context, BinaryKind::Greater, EmitUnary(context, UnaryKind::kAbs, y),
                   context.Scalar(type.largest, element));
    const bool infinities = type.special == NarrowType::Special::kInfinities;
    const double infinity = std::numeric_limits<double>::infinity();
    const ValueId instead =
        infinities ? EmitBinary(context, BinaryKind::Mul, y, context.Scalar(infinity, element))
                   : context.Scalar(std::nan(""), element);
    y = context.Emit(fb::WhereT(), {beyond, instead, y});
  }
  return context.CastTo(ElementType::kFloat32, y);
}

ValueId ToIntegers(ImportContext& context, ValueId x, const NarrowType& type) {
  const ElementType wide = ElementType::kInt32;
  x = context.CastTo(wide, x);
  const ValueId low = context.Scalar(type.smallest(), wide);
  const ValueId modulus = context.Scalar(std::ldexp(1, type.bits), wide);
  x = EmitBinary(context, BinaryKind::Mod, EmitBinary(context, BinaryKind::Sub, x, low), modulus);
  return context.CastTo(type.carrier, EmitBinary(context, BinaryKind::Add, x, low));
}

}  // namespace

runtime::Result<int> NarrowMoved(const GraphBuilder& builder, const std::string& op,
                                 const std::vector<ValueId>& inputs) {
  int found = 0;
  for (const ValueId input : inputs) {
    const int narrow = builder.narrow(input);
    if (narrow == 0 || NarrowUseOf(op) == NarrowUse::kReads) continue;
    if (NarrowUseOf(op) == NarrowUse::kNone || (found != 0 && found != narrow)) {
      return RefuseType(std::string("it computes with tensors of ") + NarrowTypeOf(narrow)->name +
                        "; cast or dequantize them first");
    }
    found = narrow;
  }
  return found;
}

ValueId CastToNarrow(ImportContext& context, ValueId x, int data_type, bool saturate) {
  const NarrowType& type = *NarrowTypeOf(data_type);
  if (type.is_float() && !type.sign) {
    context.Fail(RefuseType(std::string("casts to ") + type.name + " are not supported"));
    return runtime::kNoValue;
  }
  const ValueId y =
      type.is_float() ? ToFloats(context, x, type, saturate) : ToIntegers(context, x, type);
  context.MarkNarrow(y, data_type);
  return y;
}

}  // namespace pleat::converter
