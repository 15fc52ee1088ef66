// Losses, which networks exported with their last training step still hold.
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
using runtime::ValueId;

ValueId SumOfAll(ImportContext& context, ValueId x) {
  fb::ReduceT fields;
  fields.keepdims = false;
  return context.Emit(std::move(fields), {x});
}

// -weight[class] * x[n, class, ...] of the class that `target` [n, ...] names, reduced.
ValueId LikelihoodLoss(ImportContext& context, ValueId x) {
  const std::string reduction = context.String("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    context.Invalid("reduction is " + reduction + ", expected none, sum or mean");
  }
  const ElementType element = context.type(x).element;
  ValueId target = context.CastTo(ElementType::kInt64, context.input(1));
  ValueId counts = kNoValue;
  if (context.Has("ignore_index")) {
    const ValueId ignored = context.Int64(context.Int("ignore_index", 0));
    const ValueId skip = EmitBinary(context, BinaryKind::Equal, target, ignored);
    target = context.Emit(fb::WhereT(), {skip, context.Int64(0), target});
    counts = context.CastTo(element, EmitUnary(context, UnaryKind::kNot, skip));
  }
  ValueId weights = counts;
  if (context.has_input(2)) {
    weights = context.Emit(fb::GatherT(), {context.input(2), target});
    if (counts != kNoValue) weights = EmitBinary(context, BinaryKind::Mul, weights, counts);
  }
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {1};
  fb::GatherElementsT gather;
  gather.axis = 1;
  fb::SqueezeT squeeze;
  squeeze.axes = {1};
  const ValueId places = context.Emit(std::move(unsqueeze), {target});
  const ValueId picked = context.Emit(std::move(gather), {x, places});
  ValueId loss =
      EmitUnary(context, UnaryKind::kNeg, context.Emit(std::move(squeeze), {picked}));
  if (weights != kNoValue) loss = EmitBinary(context, BinaryKind::Mul, loss, weights);
  if (reduction == "none") return loss;
  if (reduction == "sum") return SumOfAll(context, loss);
  if (weights != kNoValue) {
    return EmitBinary(context, BinaryKind::Div, SumOfAll(context, loss),
                      SumOfAll(context, weights));
  }
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Mean;
  mean.keepdims = false;
  return context.Emit(std::move(mean), {loss});
}

}  // namespace

Status ImportNegativeLogLikelihoodLoss(ImportContext& context) {
  return context.Done(LikelihoodLoss(context, context.input(0)));
}

Status ImportSoftmaxCrossEntropyLoss(ImportContext& context) {
  fb::SoftmaxT softmax;
  softmax.axis = 1;
  softmax.log = true;
  const ValueId logs = context.Emit(std::move(softmax), {context.input(0)});
  context.Return(1, logs);
  return context.Done(LikelihoodLoss(context, logs));
}

}  // namespace pleat::converter
