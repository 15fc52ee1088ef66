// LinearAttention: a recurrence over the steps of a sequence, written out.
#include <cmath>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"
#include "converter/import/text.h"

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

constexpr int64_t kMostSteps = 1024;

// Step i of [batch, steps, sizes in one] as [batch, sizes ...].
ValueId Step(ImportContext& context, ValueId x, int64_t i, const std::vector<int64_t>& sizes) {
  std::vector<int64_t> shape = {0};
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  return EmitReshape(context, EmitSlice(context, x, 1, i, i + 1), shape);
}

}  // namespace

// state = e^decay state + key (x) value, or beta times how far the value is from what the state has
// for the key; output = scale query state. [batch, heads, key size, value size] is the state.
Status ImportLinearAttention(ImportContext& context) {
  context.Ignore("chunk_size");
  const std::string rule = context.String("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta";
  const bool delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") {
    return context.Invalid("update_rule is " + Quoted(rule));
  }
  if (gated != context.has_input(4) || delta != context.has_input(5)) {
    return context.Invalid("update_rule " + Quoted(rule) + " does not go with its inputs");
  }
  const int64_t heads = context.Int("kv_num_heads", 0), readers = context.Int("q_num_heads", 0);
  const Type q = context.input_type(0), v = context.input_type(2);
  if (q.rank() != 3 || v.rank() != 3 || heads < 1 || readers < 1 || readers % heads != 0 ||
      q.shape[2] % readers != 0 || v.shape[2] % heads != 0) {
    return context.Invalid("its numbers of heads do not go with " + runtime::TypeText(q) + " and " +
                           runtime::TypeText(v));
  }
  const int64_t steps = q.shape[1];
  if (steps < 1 || steps > kMostSteps || q.shape[2] < 1 || v.shape[2] < 1) {
    return context.Fail({runtime::StatusCode::kUnsupported,
                         "its steps are not known, or more than " + std::to_string(kMostSteps) +
                             "; fix the shapes with --input-shape",
                         kRefusedOperator});
  }
  const int64_t key = q.shape[2] / readers, value = v.shape[2] / heads, group = readers / heads;
  const float stated = context.Float("scale", 0);
  const double scale = stated != 0 ? stated : 1 / std::sqrt(static_cast<double>(key));
  const ValueId query = EmitBinary(context, BinaryKind::Mul, context.input(0),
                                   context.Scalar(scale, ElementType::kFloat32));
  ValueId state = context.input(3);
  std::vector<ValueId> outputs;
  for (int64_t i = 0; i < steps && context.ok(); ++i) {
    const ValueId column = Step(context, context.input(1), i, {heads, key, 1});
    ValueId row = Step(context, context.input(2), i, {heads, 1, value});
    if (gated && state != kNoValue) {
      const ValueId decay = Step(context, context.input(4), i, {heads, -1, 1});
      state = EmitBinary(context, BinaryKind::Mul, state,
                         EmitUnary(context, UnaryKind::kExp, decay));
    }
    if (delta) {
      if (state != kNoValue) {
        const ValueId wanted = Step(context, context.input(1), i, {heads, 1, key});
        row = EmitBinary(context, BinaryKind::Sub, row,
                         context.Emit(fb::MatMulT(), {wanted, state}));
      }
      const ValueId beta = Step(context, context.input(5), i, {-1, 1, 1});
      row = EmitBinary(context, BinaryKind::Mul, row, beta);
    }
    const ValueId added = EmitBinary(context, BinaryKind::Mul, column, row);
    state = state == kNoValue ? added : EmitBinary(context, BinaryKind::Add, state, added);
    const ValueId reads = Step(context, query, i, {heads, group, key});
    outputs.push_back(EmitReshape(context, context.Emit(fb::MatMulT(), {reads, state}),
                                  {0, 1, readers * value}));
  }
  if (context.wants(1)) context.Return(1, state);
  return context.Done(EmitConcat(context, 1, std::move(outputs)));
}

}  // namespace pleat::converter
