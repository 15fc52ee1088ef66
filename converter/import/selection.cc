// Operators composed of finding places and picking them.
#include <algorithm>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/tensor_proto.h"
#include "runtime/checked.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using runtime::ElementType;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

}  // namespace

// One where an element is the first of the largest along the axis, else zero.
Status ImportHardmax(ImportContext& context) {
  const bool flattens = context.opset() < 13;
  const int rank = context.Rank(0);
  const int axis = context.Axis(context.Int("axis", flattens ? 1 : -1), rank);
  ValueId x = context.input(0);
  const ElementType element = context.input_type(0).element;
  if (flattens) {
    fb::FlattenT flatten;
    flatten.axis = axis;
    x = context.Emit(std::move(flatten), {x});
  }
  fb::ArgReduceT largest;
  largest.max = true;
  largest.axis = flattens ? 1 : axis;
  largest.keepdims = false;
  fb::OneHotT one_hot;
  one_hot.axis = largest.axis;
  const ValueId depth = SizeAlong(context, x, largest.axis);
  const ValueId place = context.Emit(std::move(largest), {x});
  const ValueId values =
      context.Constant(runtime::Cast(Tensor::Vector(std::vector<double>{0, 1}), element));
  ValueId y = context.Emit(std::move(one_hot), {place, depth, values});
  if (flattens) {
    y = context.Emit(fb::ReshapeT(), {y, context.Emit(fb::ShapeOfT(), {context.input(0)})});
  }
  return context.Done(y);
}

// Ones on the k-th diagonal: where column - row equals k.
Status ImportEyeLike(ImportContext& context) {
  const int64_t k = context.Int("k", 0);
  ElementType to = context.input_type(0).element;
  if (context.Has("dtype")) {
    const runtime::Result<ElementType> stated =
        ElementTypeOfOnnx(static_cast<int>(context.Int("dtype", 0)));
    if (!stated.ok()) return context.Fail(stated.status());
    to = context.ComputeType(*stated);
  }
  if (context.Rank(0) != 2) return context.Invalid("its input is not a matrix");
  const auto numbers = [&](int64_t axis) {
    return EmitNumbers(context, SizeAlong(context, context.input(0), axis));
  };
  const ValueId rows = EmitReshape(context, numbers(0), {-1, 1});
  const ValueId distance = EmitBinary(context, BinaryKind::Sub, numbers(1), rows);
  return context.Done(
      context.CastTo(to, EmitBinary(context, BinaryKind::Equal, distance, context.Int64(k))));
}

// The slices along an axis (or the elements of the flattened input) whose condition is true.
Status ImportCompress(ImportContext& context) {
  ValueId x = context.input(0);
  fb::GatherT gather;
  if (context.Has("axis")) {
    gather.axis = context.Int("axis", 0);
  } else {
    x = EmitReshape(context, x, {-1});
  }
  const ValueId places = context.Emit(fb::NonZeroT(), {context.input(1)});
  return context.Done(context.Emit(std::move(gather), {x, EmitReshape(context, places, {-1})}));
}

Status ImportUnique(ImportContext& context) {
  fb::UniqueT fields;
  fields.flat = !context.Has("axis");
  fields.axis = context.Int("axis", 0);
  fields.sorted = context.Flag("sorted", true);
  const std::vector<bool> wanted = {true, context.wants(1), context.wants(2), context.wants(3)};
  const std::vector<ValueId> made =
      context.EmitSome(std::move(fields), {context.input(0)}, wanted);
  for (int i = 0; i < 4; ++i) context.Return(i, made[static_cast<size_t>(i)]);
  return context.status();
}

// Puts every input element at its flat index among zeros.
Status ImportMaxUnpool(ImportContext& context) {
  const std::vector<int64_t> kernel = context.Ints("kernel_shape");
  const std::vector<int64_t> pads =
      context.Ints("pads", std::vector<int64_t>(2 * kernel.size(), 0));
  const std::vector<int64_t> strides =
      context.Ints("strides", std::vector<int64_t>(kernel.size(), 1));
  const Type x = context.input_type(0);
  const size_t spatial = kernel.size();
  if (spatial == 0 || pads.size() != 2 * spatial || strides.size() != spatial) {
    return context.Invalid("kernel_shape, strides and pads do not agree");
  }
  if (!x.Known() || x.shape.size() != spatial + 2) {
    return context.Unsupported("the shape of its input is not known or does not fit the kernel");
  }
  // Indices count places of the natural output, whatever output_shape says.
  std::vector<int64_t> natural = {x.shape[0], x.shape[1]};
  runtime::Checked count = runtime::Checked(x.shape[0]) * x.shape[1];
  for (size_t i = 0; i < spatial; ++i) {
    const runtime::Checked size =
        runtime::Checked(x.shape[i + 2] - 1) * strides[i] - pads[i] - pads[spatial + i] + kernel[i];
    natural.push_back(size.value_or(-1));
    count = count * size;
  }
  if (!count.ok() || *std::min_element(natural.begin(), natural.end()) < 0) {
    return context.Invalid("its window gives no output size");
  }
  fb::ConstantOfShapeT zeros;
  zeros.to = static_cast<uint8_t>(x.element);
  const ValueId flat = context.Emit(std::move(zeros), {context.Int64s({*count.get()})});
  const ValueId indices = EmitReshape(context, context.input(1), {-1});
  const ValueId values = EmitReshape(context, context.input(0), {-1});
  ValueId y = context.Emit(fb::ScatterElementsT(), {flat, indices, values});
  y = EmitReshape(context, y, natural);
  if (!context.has_input(2)) return context.Done(y);
  const ValueId ends =
      EmitBinary(context, BinaryKind::Sub, context.input(2), context.Int64s(natural));
  const ValueId begins = context.Int64s(std::vector<int64_t>(natural.size(), 0));
  const ValueId padding = context.Emit(fb::ConcatT(), {begins, ends});
  return context.Done(
      context.Emit(fb::PadT(), {y, padding, context.Scalar(0, x.element), runtime::kNoValue}));
}

}  // namespace pleat::converter
