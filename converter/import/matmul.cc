// MatMul, Gemm.
#include "converter/import/imports.h"

namespace pleat::converter {

namespace fb = runtime::fb;

runtime::Status ImportMatMul(ImportContext& context) {
  return context.Done(context.Emit(fb::MatMulT(), {context.input(0), context.input(1)}));
}

runtime::Status ImportGemm(ImportContext& context) {
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

}  // namespace pleat::converter
