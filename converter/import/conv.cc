// Conv, ConvTranspose.
#include "converter/import/imports.h"
#include "converter/import/window.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;

// The window sizes that the weights' shape states, after two channel axes.
std::vector<int64_t> KernelOfWeights(ImportContext& context) {
  const runtime::Type weights = context.input_type(1);
  if (!weights.Known()) {
    context.Unsupported("the shape of the weights is not known");
    return {};
  }
  if (weights.rank() < 3) {
    context.Invalid("the weights are " + runtime::TypeText(weights) +
                    ", expected 3 or more dimensions");
    return {};
  }
  return {weights.shape.begin() + 2, weights.shape.end()};
}

int64_t ReadGroup(ImportContext& context) {
  const int64_t group = context.Int("group", 1);
  if (group < 1) context.Invalid("group is " + std::to_string(group));
  return group;
}

}  // namespace

runtime::Status ImportConv(ImportContext& context) {
  fb::ConvT fields;
  fields.window = ReadWindow(context, KernelOfWeights(context));
  fields.group = ReadGroup(context);
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

runtime::Status ImportConvTranspose(ImportContext& context) {
  fb::ConvTransposeT fields;
  fields.window = ReadWindow(context, KernelOfWeights(context));
  fields.group = ReadGroup(context);
  fields.output_padding = context.Ints("output_padding");
  fields.output_shape = context.Ints("output_shape");
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), context.input(1), context.input(2)}));
}

}  // namespace pleat::converter
