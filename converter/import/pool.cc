// MaxPool, AveragePool, LpPool and their global forms.
#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/window.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Status;
using runtime::ValueId;

fb::PoolT PoolOf(ImportContext& context, fb::PoolKind kind) {
  fb::PoolT fields;
  fields.kind = kind;
  fields.window = ReadWindow(context, {});
  fields.ceil_mode = context.Flag("ceil_mode");
  return fields;
}

ValueId OverSpace(ImportContext& context, fb::ReduceKind kind, ValueId x) {
  const int rank = context.Rank(0);
  if (rank < 3 && context.ok()) context.Invalid("its input has no spatial axes");
  std::vector<int64_t> axes;
  for (int i = 2; i < rank; ++i) axes.push_back(i);
  return EmitReduce(context, kind, x, axes);
}

// p was a float in operator set 1.
int64_t ReadNorm(ImportContext& context) {
  int64_t p = 2;
  if (context.opset() < 2) {
    const float stated = context.Float("p", 2);
    p = stated >= 1 && stated < 1e9f ? static_cast<int64_t>(stated) : 0;
  } else {
    p = context.Int("p", 2);
  }
  if (p < 1) context.Invalid("p is " + std::to_string(p));
  return p;
}

}  // namespace

Status ImportMaxPool(ImportContext& context) {
  fb::PoolT fields = PoolOf(context, fb::PoolKind::Max);
  fields.storage_order = context.Int("storage_order", 0);
  const std::vector<ValueId> made =
      context.EmitSome(std::move(fields), {context.input(0)},
                       context.wants(1) ? std::vector<bool>{true, true} : std::vector<bool>{true});
  if (context.wants(1)) context.Return(1, made[1]);
  return context.Done(made[0]);
}

Status ImportAveragePool(ImportContext& context) {
  fb::PoolT fields = PoolOf(context, fb::PoolKind::Average);
  fields.count_include_pad = context.Flag("count_include_pad");
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportLpPool(ImportContext& context) {
  fb::PoolT fields = PoolOf(context, fb::PoolKind::Lp);
  fields.p = ReadNorm(context);
  return context.Done(context.Emit(std::move(fields), {context.input(0)}));
}

Status ImportGlobalAveragePool(ImportContext& context) {
  return context.Done(OverSpace(context, fb::ReduceKind::Mean, context.input(0)));
}

Status ImportGlobalMaxPool(ImportContext& context) {
  return context.Done(OverSpace(context, fb::ReduceKind::Max, context.input(0)));
}

Status ImportGlobalLpPool(ImportContext& context) {
  const int64_t p = ReadNorm(context);
  const runtime::ElementType element = context.input_type(0).element;
  if (p == 1) return context.Done(OverSpace(context, fb::ReduceKind::L1, context.input(0)));
  if (p == 2) return context.Done(OverSpace(context, fb::ReduceKind::L2, context.input(0)));
  const ValueId size = EmitUnary(context, kernels::UnaryKind::kAbs, context.input(0));
  const ValueId power = context.Scalar(static_cast<double>(p), element);
  const ValueId raised = EmitBinary(context, fb::BinaryKind::Pow, size, power);
  const ValueId sum = OverSpace(context, fb::ReduceKind::Sum, raised);
  const ValueId root = context.Scalar(1.0 / static_cast<double>(p), element);
  return context.Done(EmitBinary(context, fb::BinaryKind::Pow, sum, root));
}

}  // namespace pleat::converter
