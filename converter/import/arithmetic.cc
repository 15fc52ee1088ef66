// Functions of two or more tensors, element by element.
#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using runtime::ValueId;

struct Entry {
  const char* op;
  BinaryKind kind;
};

constexpr Entry kBinary[] = {
    {"Add", BinaryKind::Add},
    {"And", BinaryKind::And},
    {"BitwiseAnd", BinaryKind::BitAnd},
    {"BitwiseOr", BinaryKind::BitOr},
    {"BitwiseXor", BinaryKind::BitXor},
    {"Div", BinaryKind::Div},
    {"Equal", BinaryKind::Equal},
    {"Greater", BinaryKind::Greater},
    {"GreaterOrEqual", BinaryKind::GreaterOrEqual},
    {"Less", BinaryKind::Less},
    {"LessOrEqual", BinaryKind::LessOrEqual},
    {"Max", BinaryKind::Max},
    {"Mean", BinaryKind::Add},
    {"Min", BinaryKind::Min},
    {"Mul", BinaryKind::Mul},
    {"Or", BinaryKind::Or},
    {"PRelu", BinaryKind::PRelu},
    {"Pow", BinaryKind::Pow},
    {"Sub", BinaryKind::Sub},
    {"Sum", BinaryKind::Add},
    {"Xor", BinaryKind::Xor},
};

BinaryKind KindOf(ImportContext& context) {
  for (const Entry& entry : kBinary) {
    if (context.op() == entry.op) return entry.kind;
  }
  context.Unsupported("no such function");
  return BinaryKind::Add;
}

// Input 1 as Numpy's broadcasting expects it: before operator set 7 `axis` said where its
// dimensions start.
ValueId SecondInput(ImportContext& context) {
  const ValueId b = context.input(1);
  if (context.opset() >= 7) return b;
  const bool broadcast = context.Flag("broadcast");
  const int64_t axis = context.Int("axis", -1);
  if (!broadcast || !context.Has("axis")) return b;
  const int rank = context.Rank(0);
  const int own = context.Rank(1);
  const int trailing = rank - context.Axis(axis, rank) - own;
  if (trailing < 0) {
    context.Invalid("axis " + std::to_string(axis) + " leaves no room for input 1");
    return b;
  }
  if (trailing == 0) return b;
  fb::UnsqueezeT fields;
  for (int i = 0; i < trailing; ++i) fields.axes.push_back(own + i);
  return context.Emit(std::move(fields), {b});
}

}  // namespace

runtime::Status ImportBinary(ImportContext& context) {
  const ValueId b = SecondInput(context);
  return context.Done(EmitBinary(context, KindOf(context), context.input(0), b));
}

runtime::Status ImportPow(ImportContext& context) {
  const ValueId exponent = context.CastTo(context.input_type(0).element, SecondInput(context));
  return context.Done(EmitBinary(context, BinaryKind::Pow, context.input(0), exponent));
}

// Before operator set 7 a slope of one dimension runs along the channels.
runtime::Status ImportPRelu(ImportContext& context) {
  ValueId slope = context.input(1);
  const runtime::Type type = context.input_type(1);
  if (context.opset() < 7 && type.ranked && type.rank() == 1 && type.shape[0] != 1) {
    fb::UnsqueezeT fields;
    for (int i = 1; i < context.Rank(0) - 1; ++i) fields.axes.push_back(i);
    if (!fields.axes.empty()) slope = context.Emit(std::move(fields), {slope});
  }
  return context.Done(EmitBinary(context, BinaryKind::PRelu, context.input(0), slope));
}

runtime::Status ImportVariadic(ImportContext& context) {
  const BinaryKind kind = KindOf(context);
  ValueId result = context.input(0);
  for (int i = 1; i < context.input_count(); ++i) {
    result = EmitBinary(context, kind, result, context.input(i));
  }
  if (context.op() == "Mean" && context.input_count() > 1) {
    const ValueId count = context.Scalar(context.input_count(), context.type(result).element);
    result = EmitBinary(context, BinaryKind::Div, result, count);
  }
  return context.Done(result);
}

runtime::Status ImportMod(ImportContext& context) {
  const BinaryKind kind = context.Flag("fmod") ? BinaryKind::FMod : BinaryKind::Mod;
  return context.Done(EmitBinary(context, kind, context.input(0), context.input(1)));
}

runtime::Status ImportBitShift(ImportContext& context) {
  const std::string direction = context.String("direction");
  if (direction != "LEFT" && direction != "RIGHT") {
    context.Invalid("direction is " + Quoted(direction) + ", expected LEFT or RIGHT");
  }
  const BinaryKind kind = direction == "LEFT" ? BinaryKind::ShiftLeft : BinaryKind::ShiftRight;
  return context.Done(EmitBinary(context, kind, context.input(0), context.input(1)));
}

runtime::Status ImportWhere(ImportContext& context) {
  return context.Done(
      context.Emit(fb::WhereT(), {context.input(0), context.input(1), context.input(2)}));
}

}  // namespace pleat::converter
