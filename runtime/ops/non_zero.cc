// NonZero: the coordinates of the elements other than 0, [rank, how many] in row-major order.
#include "kernels/masks.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const Type& x = context.inputs[0];
  const Tensor* known = context.known_input(0);
  const int64_t count = known == nullptr
                            ? kUnknownDim
                            : kernels::CountNonZero(x.element, known->raw(), known->count());
  context.outputs[0] = {.element = ElementType::kInt64,
                        .shape = {x.ranked ? x.rank() : kUnknownDim, count}};
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const Type& x = context.inputs[0];
  if (context.known_input(0) == nullptr) {
    return Unsupported("the input must be known before the run: the output's size depends on it");
  }
  context.operands = {0};
  SelectInto(context, kernels::NonZeroCandidates(),
             kernels::NonZeroProblem{
                 .type = x.element, .shape = x.shape, .count = context.outputs[0].shape[1]});
  return Status::Ok();
}

}  // namespace

extern const OpRule kNonZeroRule;
const OpRule kNonZeroRule = {"NonZero", Infer, Prepare};

}  // namespace pleat::runtime
