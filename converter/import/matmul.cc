// MatMul, Gemm, Det.
#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"

namespace pleat::converter {

namespace fb = runtime::fb;
using runtime::Status;
using runtime::ValueId;

Status ImportMatMul(ImportContext& context) {
  return context.Done(context.Emit(fb::MatMulT(), {context.input(0), context.input(1)}));
}

Status ImportGemm(ImportContext& context) {
  fb::MatMulT fields;
  fields.transpose_a = context.Flag("transA");
  fields.transpose_b = context.Flag("transB");
  fields.alpha = context.Float("alpha", 1);
  fields.beta = context.Float("beta", 1);
  context.Ignore("broadcast");
  for (int i = 0; i < 2; ++i) {
    const runtime::Type type = context.input_type(i);
    if (!type.ranked || type.rank() == 2) continue;
    context.Invalid("input " + std::to_string(i) + " is " + runtime::TypeText(type) +
                    ", expected 2 dimensions");
  }
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

// Of the matrices in the last two dimensions, along their first row.
Status ImportDet(ImportContext& context) {
  const int rank = context.Rank(0);
  const runtime::Type type = context.input_type(0);
  const int64_t size = rank < 2 ? 0 : type.shape.back();
  if (!context.ok()) return context.status();
  if (rank < 2 || (type.shape[static_cast<size_t>(rank - 2)] != size && size >= 0)) {
    return context.Invalid("its input is " + runtime::TypeText(type) + ", no square matrices");
  }
  if (size < 1 || size > 3) {
    return context.Fail({runtime::StatusCode::kUnsupported,
                         "its matrices are of " + runtime::TypeText(type) +
                             ", expected a known size up to 3; do this step outside the network",
                         kRefusedOperator});
  }
  const auto at = [&](int64_t row, int64_t column) {
    const ValueId line = EmitSlice(context, context.input(0), rank - 2, row, row + 1);
    return EmitSlice(context, line, rank - 1, column, column + 1);
  };
  const auto product = [&](ValueId a, ValueId b) {
    return EmitBinary(context, fb::BinaryKind::Mul, a, b);
  };
  // Of rows `row` and the next, and two columns.
  const auto minor = [&](int64_t row, int64_t left, int64_t right) {
    return EmitBinary(context, fb::BinaryKind::Sub, product(at(row, left), at(row + 1, right)),
                      product(at(row, right), at(row + 1, left)));
  };
  ValueId y = size == 1 ? at(0, 0) : runtime::kNoValue;
  if (size == 2) y = minor(0, 0, 1);
  if (size == 3) {
    y = EmitBinary(context, fb::BinaryKind::Sub, product(at(0, 0), minor(1, 1, 2)),
                   product(at(0, 1), minor(1, 0, 2)));
    y = EmitBinary(context, fb::BinaryKind::Add, y, product(at(0, 2), minor(1, 0, 1)));
  }
  fb::SqueezeT squeeze;
  squeeze.axes = {rank - 2, rank - 1};
  return context.Done(context.Emit(std::move(squeeze), {y}));
}

}  // namespace pleat::converter
