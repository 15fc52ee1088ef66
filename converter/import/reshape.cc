// Operators that give the same numbers another shape, or move them.
#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "runtime/checked.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Status;
using runtime::ValueId;

// The axes of Squeeze and Unsqueeze: an attribute before operator set 13, then an input. Known
// ones go into `axes`, the input is kept only when they are not.
ValueId ReadAxes(ImportContext& context, std::vector<int64_t>* axes) {
  *axes = context.Ints("axes");
  if (context.opset() < 13 || !context.has_input(1)) return runtime::kNoValue;
  const runtime::Tensor known = context.constant_input(1);
  if (known.empty()) return context.input(1);
  *axes = runtime::ToInt64s(known);
  return runtime::kNoValue;
}

std::vector<ValueId> WithoutGap(ValueId x, ValueId axes) {
  return axes == runtime::kNoValue ? std::vector<ValueId>{x} : std::vector<ValueId>{x, axes};
}

// The first form of Tile: how often, and along which axis, as numbers of any type.
Status TileAlongOneAxis(ImportContext& context) {
  const runtime::Tensor tiles = context.constant_input(1), along = context.constant_input(2);
  if (tiles.empty() || along.empty() || tiles.count() != 1 || along.count() != 1) {
    return context.Unsupported("how often it repeats, or along which axis, is no known number");
  }
  const int rank = context.Rank(0);
  const int axis = context.Axis(runtime::ToInt64s(along)[0], rank);
  if (!context.ok()) return context.status();
  std::vector<int64_t> repeats(static_cast<size_t>(rank), 1);
  repeats[static_cast<size_t>(axis)] = runtime::ToInt64s(tiles)[0];
  return context.Done(context.Emit(fb::TileT(), {context.input(0), context.Int64s(repeats)}));
}

}  // namespace

Status ImportReshape(ImportContext& context) {
  fb::ReshapeT fields;
  fields.allow_zero = context.Flag("allowzero");
  ValueId shape = context.input(1);
  if (context.opset() < 5) shape = context.Int64s(context.Ints("shape"));
  if (shape == runtime::kNoValue) return context.Invalid("no shape is given");
  return context.Done(context.Emit(std::move(fields), {context.input(0), shape}));
}

Status ImportFlatten(ImportContext& context) {
  fb::FlattenT fields;
  fields.axis = context.Int("axis", 1);
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportTranspose(ImportContext& context) {
  fb::TransposeT fields;
  fields.perm = context.Ints("perm");
  if (!context.Has("perm")) {
    for (int i = context.Rank(0); i-- > 0;) fields.perm.push_back(i);
  }
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportSqueeze(ImportContext& context) {
  fb::SqueezeT fields;
  const ValueId axes = ReadAxes(context, &fields.axes);
  return context.Done(context.Emit(std::move(fields), WithoutGap(context.input(0), axes)));
}

Status ImportUnsqueeze(ImportContext& context) {
  fb::UnsqueezeT fields;
  const ValueId axes = ReadAxes(context, &fields.axes);
  if (fields.axes.empty() && axes == runtime::kNoValue) return context.Done(context.input(0));
  return context.Done(context.Emit(std::move(fields), WithoutGap(context.input(0), axes)));
}

Status ImportConcat(ImportContext& context) {
  fb::ConcatT fields;
  if (context.opset() >= 4 && !context.Has("axis")) return context.Invalid("no axis is given");
  fields.axis = context.Int("axis", 1);
  return context.Done(context.Emit(std::move(fields), context.inputs()));
}

Status ImportIdentity(ImportContext& context) { return context.Done(context.input(0)); }

Status ImportExpand(ImportContext& context) {
  return context.Done(context.Emit(fb::ExpandT(), {context.input(0), context.input(1)}));
}

Status ImportTile(ImportContext& context) {
  if (context.opset() < 6) return TileAlongOneAxis(context);
  return context.Done(context.Emit(fb::TileT(), {context.input(0), context.input(1)}));
}

Status ImportDepthToSpace(ImportContext& context) {
  fb::DepthToSpaceT fields;
  fields.block = context.Int("blocksize", 0);
  const std::string mode = context.String("mode", "DCR");
  fields.depth_column_row = mode == "DCR";
  if (mode != "DCR" && mode != "CRD") return context.Invalid("mode is neither DCR nor CRD");
  if (fields.block < 1) return context.Invalid("blocksize is missing or below 1");
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

// Column-row-depth order has a channel's elements of a block beside each other.
Status ImportSpaceToDepth(ImportContext& context) {
  fb::SpaceToDepthT fields;
  fields.block = context.Int("blocksize", 0);
  const runtime::Checked elements = runtime::Checked(fields.block) * fields.block;
  const std::string mode = context.opset() < 28 ? "DCR" : context.String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return context.Invalid("mode is neither DCR nor CRD");
  if (fields.block < 1) return context.Invalid("blocksize is missing or below 1");
  const ValueId y = context.Emit(std::move(fields), {context.input(0)});
  if (mode == "DCR" || !context.ok()) return context.Done(y);
  const runtime::Type x = context.input_type(0);
  if (!x.ranked || x.shape[1] < 0) {
    return context.Unsupported("its channels are not known");
  }
  const ValueId apart = EmitReshape(context, y, {0, elements.value_or(-1), x.shape[1], -1});
  const ValueId ordered = EmitTranspose(context, apart, {0, 2, 1, 3});
  const ValueId shape = context.Emit(fb::ShapeOfT(), {y});
  return context.Done(context.Emit(fb::ReshapeT(), {ordered, shape}));
}

}  // namespace pleat::converter
