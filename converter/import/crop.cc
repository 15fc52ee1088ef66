// Operators composed of cutting, padding and laying out windows, by sizes that may be computed.
#include <algorithm>

#include "converter/import/emit.h"
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using runtime::ElementType;
using runtime::Status;
using runtime::Type;
using runtime::ValueId;

ValueId ProductOf(ImportContext& context, ValueId sizes) {
  return EmitReduce(context, fb::ReduceKind::Prod, sizes, {0});
}

}  // namespace

// Cuts or pads with zeros on both sides; of an odd number the greater part at the end.
Status ImportCenterCropPad(ImportContext& context) {
  const ValueId x = context.input(0);
  std::vector<int64_t> axes = context.Ints("axes");
  if (axes.empty()) {
    for (int i = 0; i < context.Rank(0); ++i) axes.push_back(i);
  }
  const int rank = context.Rank(0);
  for (int64_t& axis : axes) axis = context.Axis(axis, rank);
  const ValueId target = context.CastTo(ElementType::kInt64, context.input(1));
  const ValueId sizes =
      context.Emit(fb::GatherT(), {context.Emit(fb::ShapeOfT(), {x}), context.Int64s(axes)});
  const ValueId zero = context.Int64(0), two = context.Int64(2);
  const auto half = [&](ValueId a, ValueId b) {
    const ValueId more = EmitBinary(context, BinaryKind::Max,
                                    EmitBinary(context, BinaryKind::Sub, a, b), zero);
    return std::pair(more, EmitBinary(context, BinaryKind::Div, more, two));
  };
  const ValueId begin = half(sizes, target).second;
  const ValueId kept = EmitBinary(context, BinaryKind::Min, sizes, target);
  const ValueId end = EmitBinary(context, BinaryKind::Add, begin, kept);
  const std::vector<int64_t> ones(axes.size(), 1);
  const ValueId cut = context.Emit(
      fb::SliceT(), {x, begin, end, context.Int64s(axes), context.Int64s(ones)});
  const auto [missing, before] = half(target, sizes);
  const ValueId after = EmitBinary(context, BinaryKind::Sub, missing, before);
  return context.Done(context.Emit(
      fb::PadT(), {cut, EmitConcat(context, 0, {before, after}),
                   context.Scalar(0, context.type(x).element), context.Int64s(axes)}));
}

// Adds up what every window holds, at the places it was cut from: scattered into the padded
// picture, whose border is then cut off.
Status ImportCol2Im(ImportContext& context) {
  const Type picture = context.input_type(1);
  constexpr int64_t kMostSpace = 4;
  if (!picture.Known() || picture.rank() != 1 || picture.shape[0] > kMostSpace) {
    return context.Unsupported("the number of dimensions of its picture is not known or above 4");
  }
  const auto space = static_cast<size_t>(picture.shape[0]);
  const std::vector<int64_t> dilations =
      context.Ints("dilations", std::vector<int64_t>(space, 1));
  const std::vector<int64_t> strides = context.Ints("strides", std::vector<int64_t>(space, 1));
  const std::vector<int64_t> pads = context.Ints("pads", std::vector<int64_t>(2 * space, 0));
  if (space == 0 || dilations.size() != space || strides.size() != space ||
      pads.size() != 2 * space) {
    return context.Invalid("strides, dilations and pads do not agree with the picture");
  }
  const ValueId sizes = context.input(1), block = context.input(2);
  const std::vector<int64_t> begins(pads.begin(), pads.begin() + static_cast<int64_t>(space));
  const std::vector<int64_t> ends(pads.begin() + static_cast<int64_t>(space), pads.end());
  const auto combine = [&](BinaryKind kind, ValueId a, ValueId b) {
    return EmitBinary(context, kind, a, b);
  };
  const ValueId one = context.Int64(1);
  const ValueId border = combine(BinaryKind::Add, context.Int64s(begins), context.Int64s(ends));
  const ValueId padded = combine(BinaryKind::Add, sizes, border);
  const ValueId reach = combine(BinaryKind::Mul, combine(BinaryKind::Sub, block, one),
                                context.Int64s(dilations));
  const ValueId room = combine(BinaryKind::Sub, combine(BinaryKind::Sub, padded, reach), one);
  const ValueId windows = combine(
      BinaryKind::Add, combine(BinaryKind::Div, room, context.Int64s(strides)), one);

  // The flat place in the padded picture of [kernel elements.., windows..].
  const auto rank = static_cast<int64_t>(2 * space);
  const auto along = [&](size_t axis, ValueId count, int64_t step) {
    std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
    shape[axis] = -1;
    const ValueId numbers = EmitNumbers(context, EmitReshape(context, count, {}));
    return combine(BinaryKind::Mul, EmitReshape(context, numbers, shape), context.Int64(step));
  };
  ValueId places = context.Int64(0);
  for (size_t d = 0; d < space; ++d) {
    const auto i = static_cast<int64_t>(d);
    const ValueId length = EmitSlice(context, padded, 0, i, i + 1);
    const ValueId at = combine(
        BinaryKind::Add, along(d, EmitSlice(context, block, 0, i, i + 1), dilations[d]),
        along(space + d, EmitSlice(context, windows, 0, i, i + 1), strides[d]));
    places = combine(BinaryKind::Add, combine(BinaryKind::Mul, places, length), at);
  }
  const ValueId x = context.input(0);  // [n, channels * kernel elements, windows]
  const ValueId shape = context.Emit(fb::ShapeOfT(), {x});
  const ValueId batch = EmitSlice(context, shape, 0, 0, 1);
  const ValueId elements = ProductOf(context, block);
  const ValueId channels = combine(BinaryKind::Div, EmitSlice(context, shape, 0, 1, 2), elements);
  const ValueId planes = combine(BinaryKind::Mul, batch, channels);
  const ValueId all = combine(BinaryKind::Mul, elements, EmitSlice(context, shape, 0, 2, 3));
  const ValueId lines = EmitConcat(context, 0, {planes, all});
  const ValueId flat = context.Emit(fb::ReshapeT(), {x, lines});
  const ValueId indices =
      context.Emit(fb::ExpandT(), {EmitReshape(context, places, {1, -1}), lines});
  fb::ConstantOfShapeT zeros;
  zeros.to = static_cast<uint8_t>(context.type(x).element);
  const ValueId canvas = context.Emit(
      std::move(zeros), {EmitConcat(context, 0, {planes, ProductOf(context, padded)})});
  fb::ScatterElementsT scatter;
  scatter.axis = 1;
  scatter.reduction = fb::ScatterReduction::Add;
  const ValueId sums = context.Emit(std::move(scatter), {canvas, indices, flat});
  const ValueId whole = context.Emit(
      fb::ReshapeT(), {sums, EmitConcat(context, 0, {batch, channels, padded})});
  std::vector<int64_t> axes;
  for (size_t d = 0; d < space; ++d) axes.push_back(static_cast<int64_t>(d) + 2);
  const std::vector<int64_t> ones(space, 1);
  const ValueId last = combine(BinaryKind::Add, context.Int64s(begins), sizes);
  return context.Done(context.Emit(
      fb::SliceT(), {whole, context.Int64s(begins), last, context.Int64s(axes),
                     context.Int64s(ones)}));
}

}  // namespace pleat::converter
