// Operators over sequences of different lengths, and those that keep the end of one for the next.
#include "converter/import/emit.h"
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::kNoValue;
using runtime::Status;
using runtime::Type;
using runtime::ValueId;

// A shape of ones but for the axis, which takes what there is.
std::vector<int64_t> Along(int axis, int rank) {
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = -1;
  return shape;
}

// 0, 1, ... along an axis of x.
ValueId Places(ImportContext& context, ValueId x, int axis, int rank) {
  return EmitReshape(context, EmitNumbers(context, SizeAlong(context, x, axis)),
                     Along(axis, rank));
}

}  // namespace

// The first elements of each sequence in reverse, the others as they are.
Status ImportReverseSequence(ImportContext& context) {
  const ValueId x = context.input(0);
  const int rank = context.Rank(0);
  const int time = context.Axis(context.Int("time_axis", 0), rank);
  const int batch = context.Axis(context.Int("batch_axis", 1), rank);
  if (!context.ok()) return context.status();
  if (time == batch) return context.Invalid("time_axis and batch_axis are one");
  const ValueId place = Places(context, x, time, rank);
  const ValueId length = EmitReshape(
      context, context.CastTo(ElementType::kInt64, context.input(1)), Along(batch, rank));
  const ValueId last = EmitBinary(context, BinaryKind::Sub, length, context.Int64(1));
  const ValueId mirrored = EmitBinary(context, BinaryKind::Sub, last, place);
  const ValueId within = EmitBinary(context, BinaryKind::Less, place, length);
  const ValueId from = context.Emit(fb::WhereT(), {within, mirrored, place});
  const ValueId all = context.Emit(fb::ExpandT(), {from, context.Emit(fb::ShapeOfT(), {x})});
  fb::GatherElementsT gather;
  gather.axis = time;
  return context.Done(context.Emit(std::move(gather), {x, all}));
}

// Writes an update into a cache, from a place of its own for each sequence on.
Status ImportTensorScatter(ImportContext& context) {
  const ValueId cache = context.input(0), update = context.input(1);
  const int rank = context.Rank(0);
  const int axis = context.Axis(context.Int("axis", -2), rank);
  if (!context.ok()) return context.status();
  const std::string mode = context.String("mode", "linear");
  if (mode != "linear" && mode != "circular") return context.Invalid("mode is " + mode);
  ValueId place = Places(context, update, axis, rank);
  if (context.has_input(2)) {
    const ValueId first = context.CastTo(ElementType::kInt64, context.input(2));
    place = EmitBinary(context, BinaryKind::Add, place,
                       EmitReshape(context, first, Along(0, rank)));
  }
  if (mode == "circular") {
    place = EmitBinary(context, BinaryKind::Mod, place, SizeAlong(context, cache, axis));
  }
  const ValueId all =
      context.Emit(fb::ExpandT(), {place, context.Emit(fb::ShapeOfT(), {update})});
  fb::ScatterElementsT scatter;
  scatter.axis = axis;
  return context.Done(context.Emit(std::move(scatter), {cache, all, update}));
}

// A convolution of each channel with what came before; what the next call needs goes out.
Status ImportCausalConvWithState(ImportContext& context) {
  const Type w = context.input_type(1);
  const std::string activation = context.String("activation", "none");
  if (!w.Known() || w.rank() != 3) {
    return context.Unsupported("the shape of its weights is not known");
  }
  const bool plain = activation == "none";
  if (!plain && activation != "silu" && activation != "swish") {
    return context.Invalid("activation is " + activation + ", expected none, silu or swish");
  }
  const int64_t before = w.shape[2] - 1;
  ValueId x = context.input(0);
  if (context.has_input(3)) {
    x = EmitConcat(context, 2, {context.input(3), x});
  } else {
    x = context.Emit(fb::PadT(), {x, context.Int64s({before, 0}),
                                  context.Scalar(0, context.type(x).element),
                                  context.Int64s({2})});
  }
  fb::ConvT conv;
  conv.group = w.shape[0];
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->kernel = {w.shape[2]};
  ValueId y = context.Emit(std::move(conv), {x, context.input(1), context.input(2)});
  if (!plain) {
    y = EmitBinary(context, BinaryKind::Mul, y, EmitUnary(context, UnaryKind::kSigmoid, y));
  }
  if (context.wants(1)) {
    const ValueId length = SizeAlong(context, x, 2);
    const ValueId begin = EmitBinary(context, BinaryKind::Sub, length, context.Int64(before));
    context.Return(1, context.Emit(fb::SliceT(), {x, EmitReshape(context, begin, {1}),
                                                  EmitReshape(context, length, {1}),
                                                  context.Int64s({2}), context.Int64s({1})}));
  }
  return context.Done(y);
}

}  // namespace pleat::converter
