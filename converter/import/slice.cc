// Operators that pick elements: Slice, Split, Gather and their kin, Pad.
#include "converter/import/imports.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::kNoValue;
using runtime::Status;
using runtime::ValueId;

fb::ScatterReduction ReadReduction(ImportContext& context) {
  const std::string text = context.String("reduction", "none");
  if (text == "none") return fb::ScatterReduction::None;
  if (text == "add") return fb::ScatterReduction::Add;
  if (text == "mul") return fb::ScatterReduction::Mul;
  if (text == "max") return fb::ScatterReduction::Max;
  if (text == "min") return fb::ScatterReduction::Min;
  context.Invalid("reduction " + Quoted(text) + " is none of none, add, mul, max, min");
  return fb::ScatterReduction::None;
}

fb::PadMode ReadPadMode(ImportContext& context) {
  const std::string text = context.String("mode", "constant");
  if (text == "constant") return fb::PadMode::Constant;
  if (text == "reflect") return fb::PadMode::Reflect;
  if (text == "edge") return fb::PadMode::Edge;
  if (text == "wrap") return fb::PadMode::Wrap;
  context.Invalid("mode " + Quoted(text) + " is none of constant, reflect, edge, wrap");
  return fb::PadMode::Constant;
}

}  // namespace

Status ImportSlice(ImportContext& context) {
  if (context.opset() >= 10) {
    if (!context.has_input(1) || !context.has_input(2)) {
      return context.Invalid("starts or ends are missing");
    }
    return context.Done(
        context.Emit(fb::SliceT(), {context.input(0), context.input(1), context.input(2),
                                    context.input(3), context.input(4)}));
  }
  const std::vector<int64_t> starts = context.Ints("starts");
  const std::vector<int64_t> ends = context.Ints("ends");
  std::vector<int64_t> axes = context.Ints("axes");
  if (axes.empty()) {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  return context.Done(
      context.Emit(fb::SliceT(), {context.input(0), context.Int64s(starts), context.Int64s(ends),
                                  context.Int64s(axes), kNoValue}));
}

Status ImportSplit(ImportContext& context) {
  fb::SplitT fields;
  fields.axis = context.Int("axis", 0);
  fields.sizes = context.Ints("split");
  const int64_t parts = context.Int("num_outputs", context.output_count());
  if (parts != context.output_count()) {
    return context.Invalid("num_outputs is " + std::to_string(parts) + ", it has " +
                           std::to_string(context.output_count()) + " outputs");
  }
  std::vector<ValueId> inputs = {context.input(0)};
  if (context.has_input(1)) {
    const runtime::Tensor known = context.constant_input(1);
    if (known.empty()) {
      inputs.push_back(context.input(1));
    } else {
      fields.sizes = runtime::ToInt64s(known);
    }
  }
  std::vector<bool> wanted;
  for (int i = 0; i < context.output_count(); ++i) wanted.push_back(context.wants(i));
  const std::vector<ValueId> made = context.EmitSome(std::move(fields), std::move(inputs), wanted);
  for (int i = 0; i < context.output_count(); ++i) {
    context.Return(i, made[static_cast<size_t>(i)]);
  }
  return context.status();
}

Status ImportGather(ImportContext& context) {
  fb::GatherT fields;
  fields.axis = context.Int("axis", 0);
  return context.Done(context.Emit(std::move(fields), {context.input(0), context.input(1)}));
}

Status ImportGatherElements(ImportContext& context) {
  fb::GatherElementsT fields;
  fields.axis = context.Int("axis", 0);
  return context.Done(context.Emit(std::move(fields), {context.input(0), context.input(1)}));
}

Status ImportGatherND(ImportContext& context) {
  fb::GatherNDT fields;
  fields.batch_dims = context.Int("batch_dims", 0);
  return context.Done(context.Emit(std::move(fields), {context.input(0), context.input(1)}));
}

Status ImportScatterElements(ImportContext& context) {
  fb::ScatterElementsT fields;
  fields.axis = context.Int("axis", 0);
  fields.reduction = ReadReduction(context);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportScatterND(ImportContext& context) {
  fb::ScatterNDT fields;
  fields.reduction = ReadReduction(context);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportPad(ImportContext& context) {
  fb::PadT fields;
  fields.mode = ReadPadMode(context);
  if (context.opset() >= 11) {
    if (!context.has_input(1)) return context.Invalid("pads are missing");
    return context.Done(context.Emit(std::move(fields), {context.input(0), context.input(1),
                                                         context.input(2), context.input(3)}));
  }
  const std::vector<int64_t> pads =
      context.opset() < 2 ? context.Ints("paddings") : context.Ints("pads");
  const ValueId value = context.Scalar(context.Float("value", 0), context.input_type(0).element);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.Int64s(pads), value, kNoValue}));
}

Status ImportNonZero(ImportContext& context) {
  return context.Done(context.Emit(fb::NonZeroT(), {context.input(0)}));
}

Status ImportOneHot(ImportContext& context) {
  fb::OneHotT fields;
  fields.axis = context.Int("axis", -1);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

Status ImportTrilu(ImportContext& context) {
  fb::TriluT fields;
  fields.upper = context.Flag("upper", true);
  std::vector<ValueId> inputs = {context.input(0)};
  if (context.has_input(1)) inputs.push_back(context.input(1));
  return context.Done(context.Emit(std::move(fields), std::move(inputs)));
}

}  // namespace pleat::converter
