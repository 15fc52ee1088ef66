// Constants in all their forms, and tensors made of shapes.
#include "converter/import/imports.h"
#include "converter/import/narrow.h"
#include "converter/import/tensor_proto.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::ElementType;
using runtime::Status;
using runtime::Tensor;

// ONNX's number of the type to convert to; it was given by name at first.
int CastTarget(ImportContext& context) {
  if (context.opset() >= 6) return static_cast<int>(context.Int("to", 0));
  const std::string name = context.String("to");
  onnx::TensorProto::DataType type = onnx::TensorProto::UNDEFINED;
  if (!onnx::TensorProto::DataType_Parse(name, &type)) {
    context.Invalid("attribute 'to' is " + Quoted(name) + ", no type");
  }
  return type;
}

Status CastToOnnx(ImportContext& context, int target) {
  context.Ignore("round_mode");
  const bool saturate = context.Flag("saturate", true);
  const runtime::ValueId x = context.input(0);
  if (NarrowTypeOf(target) != nullptr) {
    return context.Done(CastToNarrow(context, x, target, saturate));
  }
  const runtime::Result<ElementType> to = ElementTypeOfOnnx(target);
  if (!to.ok()) return context.Fail(to.status());
  runtime::ValueId y = context.CastTo(context.ComputeType(*to), x);
  // A value of its own, which is no longer narrow.
  if (y == x && context.narrow(x) != 0) y = context.Emit(fb::IdentityT(), {x});
  return context.Done(y);
}

}  // namespace

Status ImportConstant(ImportContext& context) {
  for (const char* unsupported : {"sparse_value", "value_string", "value_strings"}) {
    if (context.Has(unsupported)) {
      return context.Unsupported(std::string("constants given as ") + unsupported);
    }
  }
  Tensor tensor;
  if (context.Has("value")) tensor = context.TensorOf("value");
  if (context.Has("value_float")) {
    const float value = context.Float("value_float", 0);
    tensor = Tensor::Of<float>({}, std::span<const float>(&value, 1));
  }
  if (context.Has("value_int")) {
    const int64_t value = context.Int("value_int", 0);
    tensor = Tensor::Of<int64_t>({}, std::span<const int64_t>(&value, 1));
  }
  if (context.Has("value_floats")) tensor = Tensor::Vector(context.Floats("value_floats"));
  if (context.Has("value_ints")) tensor = Tensor::Vector(context.Ints("value_ints"));
  if (context.ok() && tensor.empty()) return context.Invalid("it has no value");
  const runtime::ValueId value = context.Constant(std::move(tensor));
  context.MarkNarrow(value, context.OnnxTypeOf("value"));
  return context.Done(value);
}

Status ImportConstantOfShape(ImportContext& context) {
  fb::ConstantOfShapeT fields;
  fields.to = static_cast<uint8_t>(ElementType::kFloat32);
  const Tensor value = context.TensorOf("value");
  if (!value.empty()) {
    if (value.count() != 1) {
      return context.Invalid("its value has " + std::to_string(value.count()) +
                             " elements, expected 1");
    }
    fields.to = static_cast<uint8_t>(value.element());
    fields.value = runtime::ToDoubles(value)[0];
    if (!kernels::IsFloat(value.element())) {
      fields.int_value = runtime::Cast(value, ElementType::kInt64).data<int64_t>()[0];
    }
  }
  const runtime::ValueId filled = context.Emit(std::move(fields), {context.input(0)});
  context.MarkNarrow(filled, context.OnnxTypeOf("value"));
  return context.Done(filled);
}

Status ImportShape(ImportContext& context) {
  fb::ShapeOfT fields;
  fields.start = context.Int("start", fields.start);
  fields.end = context.Int("end", fields.end);
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportSize(ImportContext& context) {
  return context.Done(context.Emit(fb::SizeOfT(), {context.input(0)}));
}

Status ImportRange(ImportContext& context) {
  context.Ignore("stash_type");
  return context.Done(
      context.Emit(fb::RangeT(), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportCast(ImportContext& context) {
  if (!context.Has("to")) return context.Invalid("attribute 'to' is missing");
  return CastToOnnx(context, CastTarget(context));
}

Status ImportCastLike(ImportContext& context) {
  const int narrow = context.narrow(context.input(1));
  return CastToOnnx(context, narrow != 0 ? narrow : OnnxTypeOf(context.input_type(1).element));
}

}  // namespace pleat::converter
