// Operators that run along axes: reductions, softmax, sums, sorting.
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::ReduceKind;
using runtime::ElementType;
using runtime::Status;
using runtime::ValueId;

struct Entry {
  const char* op;
  ReduceKind kind;
};

constexpr Entry kReductions[] = {
    {"ReduceL1", ReduceKind::L1},         {"ReduceL2", ReduceKind::L2},
    {"ReduceLogSum", ReduceKind::LogSum}, {"ReduceLogSumExp", ReduceKind::LogSumExp},
    {"ReduceMax", ReduceKind::Max},       {"ReduceMean", ReduceKind::Mean},
    {"ReduceMin", ReduceKind::Min},       {"ReduceProd", ReduceKind::Prod},
    {"ReduceSum", ReduceKind::Sum},       {"ReduceSumSquare", ReduceKind::SumSquare},
};

// Softmax before operator set 13 flattens its input to two dimensions.
fb::SoftmaxT SoftmaxOf(ImportContext& context, bool log) {
  fb::SoftmaxT fields;
  fields.to_end = context.opset() < 13;
  fields.axis = context.Int("axis", fields.to_end ? 1 : -1);
  fields.log = log;
  return fields;
}

}  // namespace

Status ImportReduce(ImportContext& context) {
  fb::ReduceT fields;
  for (const Entry& entry : kReductions) {
    if (context.op() == entry.op) fields.kind = entry.kind;
  }
  fields.keepdims = context.Flag("keepdims", true);
  fields.noop_with_empty_axes = context.Flag("noop_with_empty_axes");
  fields.axes = context.Ints("axes");
  // The largest of booleans is whether there is a true one.
  const bool truth = context.input_type(0).element == ElementType::kBool;
  if (truth && fields.kind != ReduceKind::Max && fields.kind != ReduceKind::Min) {
    return context.Invalid("its input is bool");
  }
  std::vector<ValueId> inputs = {
      truth ? context.CastTo(ElementType::kUint8, context.input(0)) : context.input(0)};
  if (context.has_input(1)) {
    const runtime::Tensor known = context.constant_input(1);
    if (known.empty()) {
      inputs.push_back(context.input(1));
    } else {
      fields.axes = runtime::ToInt64s(known);
    }
  }
  const ValueId y = context.Emit(std::move(fields), std::move(inputs));
  return context.Done(truth ? context.CastTo(ElementType::kBool, y) : y);
}

Status ImportArgReduce(ImportContext& context) {
  fb::ArgReduceT fields;
  fields.max = context.op() == "ArgMax";
  fields.axis = context.Int("axis", 0);
  fields.keepdims = context.Flag("keepdims", true);
  fields.last_index = context.Flag("select_last_index");
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportSoftmax(ImportContext& context) {
  fb::SoftmaxT fields = SoftmaxOf(context, context.op() == "LogSoftmax");
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportCumulative(ImportContext& context) {
  fb::CumSumT fields;
  fields.product = context.op() == "CumProd";
  fields.exclusive = context.Flag("exclusive");
  fields.reverse = context.Flag("reverse");
  return context.Done(context.Emit(std::move(fields), {context.input(0), context.input(1)}));
}

Status ImportTopK(ImportContext& context) {
  fb::TopKT fields;
  fields.axis = context.Int("axis", -1);
  fields.largest = context.Flag("largest", true);
  fields.sorted = context.Flag("sorted", true);
  ValueId k = context.input(1);
  if (context.opset() < 10) {
    const int64_t count = context.Int("k", 0);
    if (count < 1) return context.Invalid("attribute 'k' is missing or below 1");
    k = context.Int64s({count});
  }
  if (k == runtime::kNoValue) return context.Invalid("no k is given");
  const std::vector<ValueId> made = context.EmitSome(std::move(fields), {context.input(0), k},
                                                     {context.wants(0), context.wants(1)});
  context.Return(0, made[0]);
  context.Return(1, made[1]);
  return context.status();
}

}  // namespace pleat::converter
