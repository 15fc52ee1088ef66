// Operators that sample pictures at places of their own.
#include "converter/import/emit.h"
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using runtime::ElementType;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

// -1 to 1 in `size` steps, a scalar's worth of them: the centres of elements, or with corners
// aligned from end to end.
ValueId Line(ImportContext& context, ValueId size, bool align_corners, ElementType element) {
  const ValueId count = context.CastTo(element, size);
  const ValueId numbers = context.CastTo(element, EmitNumbers(context, size));
  const ValueId one = context.Scalar(1, element);
  const ValueId two = context.Scalar(2, element);
  const ValueId steps =
      align_corners ? EmitBinary(context, BinaryKind::Sub, count, one) : count;
  ValueId at = EmitBinary(context, BinaryKind::Mul, numbers, two);
  if (!align_corners) at = EmitBinary(context, BinaryKind::Add, at, one);
  return EmitBinary(context, BinaryKind::Sub, EmitBinary(context, BinaryKind::Div, at, steps), one);
}

// A convolution's geometry in two dimensions.
struct Geometry {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

Geometry GeometryOf(ImportContext& context) {
  Geometry g;
  const Type w = context.input_type(1);
  g.kernel = context.Ints("kernel_shape");
  if (g.kernel.empty() && w.Known() && w.rank() == 4) g.kernel = {w.shape[2], w.shape[3]};
  g.strides = context.Ints("strides", {1, 1});
  g.dilations = context.Ints("dilations", {1, 1});
  g.pads = context.Ints("pads", {0, 0, 0, 0});
  constexpr int64_t kMostAlong = 256;
  const bool fits = g.kernel.size() == 2 && g.strides.size() == 2 && g.dilations.size() == 2 &&
                    g.pads.size() == 4 && w.Known() && w.rank() == 4 &&
                    g.kernel[0] == w.shape[2] && g.kernel[1] == w.shape[3] &&
                    g.kernel[0] <= kMostAlong && g.kernel[1] <= kMostAlong;
  if (!fits) {
    context.Unsupported("its window is not known, too large, or not of two dimensions");
    g.kernel = {0, 0};
  }
  return g;
}

// Where axis `d` of the kernel's elements lies without offsets, [1, elements, h or 1, w or 1] for
// outputs of `size` along the axis.
ValueId PlainPlaces(ImportContext& context, const Geometry& g, size_t d, ValueId size,
                    ElementType element) {
  const ValueId outputs = context.CastTo(element, EmitNumbers(context, size));
  const ValueId stride = context.Scalar(static_cast<double>(g.strides[d]), element);
  const ValueId starts = EmitReshape(context, EmitBinary(context, BinaryKind::Mul, outputs, stride),
                                     d == 0 ? std::vector<int64_t>{1, 1, -1, 1}
                                            : std::vector<int64_t>{1, 1, 1, -1});
  std::vector<double> within;
  for (int64_t i = 0; i < g.kernel[0]; ++i) {
    for (int64_t j = 0; j < g.kernel[1]; ++j) {
      const auto step = static_cast<double>(d == 0 ? i : j);
      within.push_back(step * static_cast<double>(g.dilations[d]) -
                       static_cast<double>(g.pads[d]));
    }
  }
  const Tensor wide = Tensor::Vector(within);
  const ValueId elements = EmitReshape(context, context.Constant(runtime::Cast(wide, element)),
                                       {1, static_cast<int64_t>(within.size()), 1, 1});
  return EmitBinary(context, BinaryKind::Add, starts, elements);
}

}  // namespace

Status ImportGridSample(ImportContext& context) {
  fb::GridSampleT fields;
  const std::string mode = context.String("mode", context.opset() < 20 ? "bilinear" : "linear");
  const std::string padding = context.String("padding_mode", "zeros");
  fields.align_corners = context.Flag("align_corners");
  if (mode == "nearest") {
    fields.mode = fb::ResizeMode::Nearest;
  } else if (mode == "bicubic" || mode == "cubic") {
    fields.mode = fb::ResizeMode::Cubic;
  } else if (mode != "bilinear" && mode != "linear") {
    return context.Invalid("mode is " + mode + ", expected nearest, linear or cubic");
  }
  if (padding == "border") {
    fields.padding = fb::GridPadding::Border;
  } else if (padding == "reflection") {
    fields.padding = fb::GridPadding::Reflection;
  } else if (padding != "zeros") {
    return context.Invalid("padding_mode is " + padding + ", expected zeros, border or reflection");
  }
  const ValueId grid = context.CastTo(context.input_type(0).element, context.input(1));
  return context.Done(context.Emit(std::move(fields), {context.input(0), grid}));
}

// The places of an affine map's samples: theta times [x, y, (z,) 1] of every element.
Status ImportAffineGrid(ImportContext& context) {
  const bool align_corners = context.Flag("align_corners");
  const Type theta = context.input_type(0);
  if (theta.rank() != 3 || (theta.shape[1] != 2 && theta.shape[1] != 3)) {
    return context.Unsupported("the shape of theta is not known to be [n,2,3] or [n,3,4]");
  }
  const int64_t space = theta.shape[1];
  const ValueId sizes = EmitSlice(context, context.input(1), 0, 2, 2 + space);
  std::vector<ValueId> columns;
  for (int64_t d = space; d-- > 0;) {
    const ValueId size = EmitReshape(context, EmitSlice(context, sizes, 0, d, d + 1), {});
    std::vector<int64_t> shape(static_cast<size_t>(space) + 1, 1);
    shape[static_cast<size_t>(d)] = -1;
    const ValueId line =
        EmitReshape(context, Line(context, size, align_corners, theta.element), shape);
    const ValueId full = EmitConcat(context, 0, {sizes, context.Int64s({1})});
    columns.push_back(context.Emit(fb::ExpandT(), {line, full}));
  }
  fb::ConstantOfShapeT ones;
  ones.to = static_cast<uint8_t>(theta.element);
  ones.value = 1;
  columns.push_back(context.Emit(
      std::move(ones), {EmitConcat(context, 0, {sizes, context.Int64s({1})})}));
  const ValueId places =
      EmitReshape(context, EmitConcat(context, space, std::move(columns)), {1, -1, space + 1});
  const ValueId map = EmitTranspose(context, context.input(0), {0, 2, 1});
  const ValueId grid = context.Emit(fb::MatMulT(), {places, map});
  const ValueId batch = EmitSlice(context, context.input(1), 0, 0, 1);
  const ValueId shape = EmitConcat(context, 0, {batch, sizes, context.Int64s({space})});
  return context.Done(context.Emit(fb::ReshapeT(), {grid, shape}));
}

Status ImportRoiAlign(ImportContext& context) {
  fb::RoiAlignT fields;
  fields.height = context.Int("output_height", 1);
  fields.width = context.Int("output_width", 1);
  fields.samples = context.Int("sampling_ratio", 0);
  fields.scale = context.Float("spatial_scale", 1);
  const std::string mode = context.String("mode", "avg");
  if (mode != "avg" && mode != "max") return context.Invalid("mode is neither avg nor max");
  fields.max = mode == "max";
  const bool old = context.opset() < 16;
  const std::string coordinates = context.String("coordinate_transformation_mode",
                                                 old ? "output_half_pixel" : "half_pixel");
  fields.half_pixel = coordinates == "half_pixel";
  if (!fields.half_pixel && coordinates != "output_half_pixel") {
    return context.Invalid("coordinate_transformation_mode is " + coordinates);
  }
  return context.Done(context.Emit(
      std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportNonMaxSuppression(ImportContext& context) {
  fb::NonMaxSuppressionT fields;
  fields.centred = context.Flag("center_point_box");
  return context.Done(context.Emit(std::move(fields), context.inputs()));
}

// Samples at moved places, then a convolution of 1x1 over input channels times kernel elements
// (Zhu et al., "Deformable ConvNets v2", 2019).
Status ImportDeformConv(ImportContext& context) {
  const Geometry g = GeometryOf(context);
  const int64_t group = context.Int("group", 1);
  const int64_t offset_groups = context.Int("offset_group", 1);
  const Type x = context.input_type(0);
  const Type w = context.input_type(1);
  if (!context.ok()) return context.status();
  if (x.rank() != 4 || x.shape[1] < 1) {
    return context.Unsupported("the shape of its input is not known");
  }
  constexpr int64_t kMostGroups = 1024;
  if (offset_groups < 1 || offset_groups > kMostGroups || x.shape[1] % offset_groups != 0) {
    return context.Invalid("offset_group is too large or does not divide the input channels");
  }
  const int64_t elements = g.kernel[0] * g.kernel[1];
  const int64_t channels = x.shape[1] / offset_groups;
  const auto size = [&](ValueId of, int64_t axis) {
    fb::ShapeOfT fields;
    fields.start = axis;
    fields.end = axis + 1;
    return context.Emit(std::move(fields), {of});
  };
  const ValueId offsets = context.input(2);
  const ValueId rows = size(offsets, 2), columns = size(offsets, 3);
  const ValueId batch = size(context.input(0), 0);
  std::vector<ValueId> parts;
  for (int64_t og = 0; og < offset_groups; ++og) {
    const ValueId mine = EmitReshape(
        context, EmitSlice(context, offsets, 1, og * 2 * elements, (og + 1) * 2 * elements),
        {0, elements, 2, -1});
    std::vector<ValueId> coordinates;
    for (const size_t d : {size_t{1}, size_t{0}}) {
      const ValueId moved = context.Emit(
          fb::ReshapeT(),
          {EmitSlice(context, mine, 2, static_cast<int64_t>(d), static_cast<int64_t>(d) + 1),
           EmitConcat(context, 0, {batch, context.Int64s({elements}), rows, columns})});
      const ValueId length = EmitReshape(context, d == 0 ? rows : columns, {});
      const ValueId at = EmitBinary(context, BinaryKind::Add, moved,
                                    PlainPlaces(context, g, d, length, x.element));
      const ValueId extent = context.CastTo(
          x.element, size(context.input(0), static_cast<int64_t>(d) + 2));
      const ValueId one = context.Scalar(1, x.element);
      const ValueId twice = EmitBinary(
          context, BinaryKind::Add,
          EmitBinary(context, BinaryKind::Mul, at, context.Scalar(2, x.element)), one);
      const ValueId normal = EmitBinary(
          context, BinaryKind::Sub, EmitBinary(context, BinaryKind::Div, twice, extent), one);
      coordinates.push_back(context.Emit(
          fb::ReshapeT(), {normal, EmitConcat(context, 0, {batch, context.Int64s({-1}), columns,
                                                           context.Int64s({1})})}));
    }
    const ValueId grid = EmitConcat(context, 3, std::move(coordinates));
    const ValueId picture =
        EmitSlice(context, context.input(0), 1, og * channels, (og + 1) * channels);
    ValueId sampled = context.Emit(fb::GridSampleT(), {picture, grid});
    sampled = context.Emit(
        fb::ReshapeT(), {sampled, EmitConcat(context, 0, {batch, context.Int64s({channels}),
                                                          context.Int64s({elements}), rows,
                                                          columns})});
    if (context.has_input(4)) {
      const ValueId mask = context.Emit(
          fb::ReshapeT(),
          {EmitSlice(context, context.input(4), 1, og * elements, (og + 1) * elements),
           EmitConcat(context, 0, {batch, context.Int64s({1, elements}), rows, columns})});
      sampled = EmitBinary(context, BinaryKind::Mul, sampled, mask);
    }
    parts.push_back(context.Emit(
        fb::ReshapeT(), {sampled, EmitConcat(context, 0, {batch, context.Int64s({-1}), rows,
                                                          columns})}));
  }
  const ValueId stacked = parts.size() == 1 ? parts[0] : EmitConcat(context, 1, std::move(parts));
  fb::ConvT conv;
  conv.group = group;
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->kernel = {1, 1};
  std::vector<ValueId> inputs = {
      stacked, EmitReshape(context, context.input(1), {w.shape[0], w.shape[1] * elements, 1, 1})};
  if (context.has_input(3)) inputs.push_back(context.input(3));
  return context.Done(context.Emit(std::move(conv), std::move(inputs)));
}

}  // namespace pleat::converter
