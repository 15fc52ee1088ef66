#include "converter/import/tensor_sequences.h"

#include <algorithm>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

constexpr size_t kMaxValues = 1'000'000;

constexpr const char* kTakers[] = {"ConcatFromSequence", "Identity",       "OptionalGetElement",
                                   "OptionalHasElement", "SequenceAt",     "SequenceErase",
                                   "SequenceInsert",     "SequenceLength"};

// The place that input i states in a list of `size`, from its end when negative.
size_t Place(ImportContext& context, int i, size_t size) {
  const Tensor known = context.constant_input(i);
  if (known.empty() || known.count() != 1 || kernels::IsFloat(known.element())) {
    context.Unsupported("its position is no single integer that is known before the run");
    return 0;
  }
  const int64_t stated = runtime::ToInt64s(known)[0], count = static_cast<int64_t>(size);
  const int64_t place = stated < 0 ? stated + count : stated;
  if (place < 0 || place >= count) {
    context.Invalid("its position is " + std::to_string(stated) + ", expected " +
                    std::to_string(-count) + " to " + std::to_string(count - 1));
    return 0;
  }
  return static_cast<size_t>(place);
}

bool FewParts(ImportContext& context, int64_t count) {
  if (count < static_cast<int64_t>(kMaxValues)) return true;
  context.Fail(runtime::LimitExceeded("it makes " + std::to_string(count) + " parts"));
  return false;
}

// The sizes of equal parts of an axis, of which the last may be smaller; fails when their number is
// not known.
std::vector<int64_t> EqualParts(ImportContext& context, int64_t along, int64_t part) {
  if (along < 0) {
    context.Unsupported("the size of the axis that it splits is not known; state the shapes of the "
                        "model's inputs");
  } else if (part < 1) {
    context.Invalid("its parts have size " + std::to_string(part));
  }
  if (!context.ok()) return {};
  const int64_t rest = along % part;
  if (!FewParts(context, along / part)) return {};
  std::vector<int64_t> sizes(static_cast<size_t>(along / part), part);
  if (rest != 0) sizes.push_back(rest);
  return sizes;
}

ValueId WithoutAxis(ImportContext& context, ValueId x, int64_t axis) {
  fb::SqueezeT fields;
  fields.axes = {axis};
  return context.Emit(std::move(fields), {x});
}

ValueId WithAxis(ImportContext& context, ValueId x, int64_t axis) {
  fb::UnsqueezeT fields;
  fields.axes = {axis};
  return context.Emit(std::move(fields), {x});
}

}  // namespace

Result<ValueId> TensorSequences::Add(std::vector<ValueId> values) {
  values_ += values.size() + 1;  // a sequence takes room too
  if (values_ > kMaxValues) {
    return runtime::LimitExceeded("the model's sequences hold more than " +
                                  std::to_string(kMaxValues) + " tensors");
  }
  sequences_.push_back(std::move(values));
  return kFirst - static_cast<ValueId>(sequences_.size() - 1);
}

std::span<const ValueId> TensorSequences::Values(ValueId sequence) const {
  return sequences_[static_cast<size_t>(kFirst - sequence)];
}

bool TakesSequence(const std::string& op, size_t input) {
  if (op == "Loop" || op == "SequenceMap") return true;
  return input == 0 && std::find(std::begin(kTakers), std::end(kTakers), op) != std::end(kTakers);
}

Status ImportSequenceEmpty(ImportContext& context) {
  context.Ignore("dtype");
  return context.DoneWithSequence({});
}

Status ImportSequenceConstruct(ImportContext& context) {
  return context.DoneWithSequence(context.inputs());
}

Status ImportSequenceLength(ImportContext& context) {
  return context.Done(context.Int64(static_cast<int64_t>(context.Sequence(0).size())));
}

Status ImportSequenceAt(ImportContext& context) {
  const auto values = context.Sequence(0);
  const size_t place = Place(context, 1, values.size());
  return context.ok() ? context.Done(values[place]) : context.status();
}

Status ImportSequenceErase(ImportContext& context) {
  const auto values = context.Sequence(0);
  const size_t place = context.has_input(1) ? Place(context, 1, values.size()) : values.size() - 1;
  if (!context.ok()) return context.status();
  if (values.empty()) return context.Invalid("the sequence is empty");
  std::vector<ValueId> rest(values.begin(), values.end());
  rest.erase(rest.begin() + static_cast<int64_t>(place));
  return context.DoneWithSequence(std::move(rest));
}

Status ImportSequenceInsert(ImportContext& context) {
  const auto values = context.Sequence(0);
  std::vector<ValueId> longer(values.begin(), values.end());
  // Before the element that is there; only a positive position can be behind all of them.
  size_t place = values.size();
  if (context.has_input(2)) {
    const Tensor known = context.constant_input(2);
    const bool negative = !known.empty() && known.count() == 1 &&
                          !kernels::IsFloat(known.element()) && runtime::ToInt64s(known)[0] < 0;
    place = Place(context, 2, values.size() + (negative ? 0 : 1));
  }
  if (!context.ok()) return context.status();
  longer.insert(longer.begin() + static_cast<int64_t>(place), context.input(1));
  return context.DoneWithSequence(std::move(longer));
}

// What could be missing is there: optional values are not inputs of a network.
Status ImportOptionalGetElement(ImportContext& context) { return context.Done(context.input(0)); }

Status ImportOptionalHasElement(ImportContext& context) {
  const std::vector<uint8_t> there = {context.input_count() > 0 ? uint8_t{1} : uint8_t{0}};
  return context.Done(context.CastTo(runtime::ElementType::kBool,
                                     context.Constant(Tensor::Of<uint8_t>({}, there))));
}

Status ImportSplitToSequence(ImportContext& context) {
  const int64_t stated = context.Int("axis", 0);
  // ONNX has keepdims ignored where sizes are given. PyTorch's exporter means it all the same when
  // it splits off single slices, and ONNX Runtime does as it means.
  const Tensor sizes = context.constant_input(1);
  const bool slices = !sizes.empty() && sizes.shape().empty() &&
                      !kernels::IsFloat(sizes.element()) && runtime::ToInt64s(sizes)[0] == 1;
  const bool keep = context.Flag("keepdims", true) || (context.has_input(1) && !slices);
  const int axis = context.Axis(stated, context.Rank(0));
  if (!context.ok()) return context.status();
  const int64_t along = context.input_type(0).shape[static_cast<size_t>(axis)];
  const runtime::Type split = context.input_type(1);
  const Tensor known = context.constant_input(1);
  fb::SplitT fields;
  fields.axis = axis;
  std::vector<ValueId> inputs = {context.input(0)};
  int64_t count = 0;
  if (!context.has_input(1)) {
    fields.sizes = EqualParts(context, along, 1);
  } else if (!split.Known() || split.rank() > 1 || kernels::IsFloat(split.element) ||
             (known.empty() && split.rank() == 0)) {
    context.Fail({runtime::StatusCode::kUnsupported,
                  "the number of its parts is known only at run time; make it a constant",
                  kRefusedOperator});
  } else if (split.rank() == 0) {
    fields.sizes = EqualParts(context, along, runtime::ToInt64s(known)[0]);
  } else if (!known.empty()) {
    fields.sizes = runtime::ToInt64s(known);
  } else {
    count = split.shape[0];
    inputs.push_back(context.input(1));
  }
  count = std::max(count, static_cast<int64_t>(fields.sizes.size()));
  if (!context.ok() || !FewParts(context, count)) return context.status();
  if (count == 0) return context.DoneWithSequence({});
  const std::vector<bool> wanted(static_cast<size_t>(count), true);
  std::vector<ValueId> parts = context.EmitSome(std::move(fields), std::move(inputs), wanted);
  for (ValueId& part : parts) {
    if (!keep) part = WithoutAxis(context, part, axis);
  }
  return context.DoneWithSequence(std::move(parts));
}

Status ImportConcatFromSequence(ImportContext& context) {
  const auto values = context.Sequence(0);
  if (!context.Has("axis")) return context.Invalid("no axis is given");
  int64_t axis = context.Int("axis", 0);
  const bool stack = context.Flag("new_axis");
  if (!context.ok()) return context.status();
  if (values.empty()) return context.Invalid("the sequence is empty");
  std::vector<ValueId> inputs(values.begin(), values.end());
  if (stack) {
    if (!context.type(inputs[0]).ranked) {
      return context.Unsupported("the number of dimensions of its tensors is not known; state the "
                                 "shapes of the model's inputs");
    }
    axis = context.Axis(axis, context.type(inputs[0]).rank() + 1);
    for (ValueId& input : inputs) input = WithAxis(context, input, axis);
  }
  return context.Done(EmitConcat(context, axis, std::move(inputs)));
}

}  // namespace pleat::converter
